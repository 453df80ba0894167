"""Settings that need another one: what is half set does not start, and is never silently none."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.config.settings import Settings
from action_server.errors import SettingsError
from tests.action_server.config.started import SECRET, read, refused

pytestmark = pytest.mark.usefixtures("folder")

# By the name of the setting: what is given for it.
PARTS = {"ssl_keyfile": "key.pem", "ssl_password": SECRET, "ssl_ca_file": "ca.pem"}


@pytest.mark.parametrize("face", [(), ("--grpc",)], ids=["http", "grpc"])
@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_tls_without_a_certificate_does_not_start(name: str, face: tuple[str, ...]) -> None:
    """It would serve plain text to somebody who asked for TLS; where it was set is named, and what to do."""
    flag = f"--{name.replace('_', '-')}"
    variable = f"ACTION_SERVER__{name.upper()}"
    errors = [
        refused(*face, flag, PARTS[name]),
        refused(*face, **{variable: PARTS[name]}),
        refused(*face, file=f"action_server:\n  {name}: {PARTS[name]}\n"),
    ]

    assert [error.where for error in errors] == [flag, variable, f"endpoints.yml: action_server.{name}"]
    assert {error.problem for error in errors} == {
        "does nothing without a certificate: set --ssl-certificate too, or leave it out"
    }


def test_settings_made_in_another_way_are_not_silently_without_tls_either() -> None:
    """Who asks for the files of TLS gets them whole, or an error."""
    with pytest.raises(SettingsError, match="ssl_ca_file: does nothing without a certificate"):
        _ = Settings.model_validate({"ssl_ca_file": "ca.pem"}).tls


def test_without_tls_there_is_none_and_with_a_certificate_there_is() -> None:
    """The key may stand in the certificate's file, over HTTP and gRPC alike; a password is shown by nothing."""
    both = read("--grpc", "--ssl-certificate", "both.pem", "--ssl-password", SECRET).tls

    assert read().tls is None
    assert both is not None
    assert (str(both.certificate), str(both.key)) == ("both.pem", "both.pem")
    assert SECRET not in repr(both)


URL = "postgresql://clinic@db/clinic"


@pytest.mark.parametrize(
    ("database", "problem"),
    [
        ("", "does nothing without a PostgreSQL database"),
        ("a.sqlite3", "does nothing without a PostgreSQL database"),
        (f"postgresql://clinic:{SECRET}@db/clinic", "stands beside another one in the URL"),
    ],
)
def test_a_password_without_a_database_that_takes_it_does_not_start(database: str, problem: str) -> None:
    """Wherever it was set."""
    error = refused(ACTION_SERVER__DATABASE=database, ACTION_SERVER__DATABASE_PASSWORD=SECRET)

    assert error.where == "ACTION_SERVER__DATABASE_PASSWORD"
    assert problem in error.problem


def test_a_databases_password_comes_from_a_file_and_is_read_again(folder: Path) -> None:
    """As credentials do: `{file: ...}` in the file, `__FILE` in the environment."""
    secret = folder / "password"
    secret.write_text(f"{SECRET}\n")
    found = [
        read(ACTION_SERVER__DATABASE=URL, ACTION_SERVER__DATABASE_PASSWORD=SECRET),
        read(ACTION_SERVER__DATABASE=URL, ACTION_SERVER__DATABASE_PASSWORD__FILE=str(secret)),
        read(file=f"action_server: {{database: '{URL}', database_password: {{file: {secret}}}}}"),
    ]

    assert [settings.read_database_password() for settings in found] == [SECRET] * 3
    assert SECRET not in repr(found)
    secret.write_text("new")
    assert [settings.read_database_password() for settings in found] == [SECRET, "new", "new"]
    secret.write_text("new\nand another")
    with pytest.raises(SettingsError, match="database_password: holds several secrets"):
        found[1].read_database_password()


def test_a_log_file_that_nobody_would_write_does_not_start() -> None:
    """The file of logging.config says where the log goes."""
    error = refused("--logging-config-file", "log.yml", file="action_server:\n  log_file: a.log\n")

    assert error.where == "endpoints.yml: action_server.log_file"
    assert "--logging-config-file" in error.problem


def test_nor_does_a_format_or_a_level_of_a_logger_beside_it() -> None:
    """`-v` may stand beside it, as with rasa-sdk."""
    error = refused("--logging-config-file", "log.yml", "--log-format", "json")
    of_logger = refused("--logging-config-file", "log.yml", file="action_server: {log_levels: {my.bot: DEBUG}}")

    assert (error.where, of_logger.where) == ("--log-format", "endpoints.yml: action_server.log_levels")
    assert read("--logging-config-file", "log.yml", "-v", file="").log_level == "INFO"


def test_a_domain_that_is_not_there_does_not_start(folder: Path) -> None:
    """The tools would be without it."""
    assert refused("--domain", "domian.yml").where == "--domain"
    (folder / "domain.yml").write_text("slots: {}")
    assert read("--domain", "domain.yml").domain == Path("domain.yml")


def test_an_endpoints_file_that_is_a_link_to_nothing_does_not_start(folder: Path) -> None:
    """A volume that was not mounted would open the server to everybody."""
    (folder / "endpoints.yml").symlink_to(folder / "not mounted" / "endpoints.yml")

    assert refused().where == "endpoints.yml"
