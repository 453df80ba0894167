"""Settings that need another one: what is half set does not start, and is never silently none."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.runtime.options import ActionOptions
from action_server.security.secrets import EMPTY
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


@pytest.mark.parametrize("database", ["sqlite://", "sqlite:///", "sqlite+aiosqlite:///:memory:", "sqlite:///?x=1"])
def test_a_database_without_a_file_does_not_start(database: str) -> None:
    """Also where nothing opens it yet: `doctor` and a package without actions that run once read it, too."""
    assert "names no file" in str(refused(ACTION_SERVER__DATABASE=database))


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


@pytest.mark.parametrize("name", ["host", "ssl_certificate", "ssl_ca_file", "log_file", "record", "domain", "database"])
def test_an_empty_value_does_not_start(name: str) -> None:
    """A variable of the shell that is not set would have the server listen everywhere, or use the folder it is in.

    Instead of a database that replicas share each would have one of its own. In YAML it is what a template left out.
    """
    errors = [
        refused(f"--{name.replace('_', '-')}", ""),
        refused(file=f"action_server:\n  {name}:\n"),
        refused(file=f'action_server: {{{name}: ""}}'),
    ]

    in_file = f"endpoints.yml: action_server.{name}"
    assert [error.where for error in errors] == [f"--{name.replace('_', '-')}", in_file, in_file]
    assert {error.problem for error in errors} == {EMPTY}


@pytest.mark.parametrize("name", ["ssl_certificate", "ssl_keyfile", "ssl_ca_file", "ssl_password"])
def test_tls_that_is_named_and_left_empty_does_not_start(name: str) -> None:
    """Other empty variables are none; here that would be plain text, or clients without certificates."""
    rest = ["--ssl-certificate", "both.pem"] if name != "ssl_certificate" else []
    in_file = f"endpoints.yml: action_server.{name}"
    errors = [
        refused(*rest, **{f"ACTION_SERVER__{name.upper()}": ""}),
        refused(*rest, file=f"action_server:\n  {name}:\n"),
        refused(*rest, file=f'action_server: {{{name}: ""}}'),
    ]

    assert [error.where for error in errors] == [f"ACTION_SERVER__{name.upper()}", in_file, in_file]
    assert {error.problem for error in errors} == {EMPTY}


@pytest.mark.parametrize("seconds", ["inf", "nan", "1e308", "1e12"])
@pytest.mark.parametrize("name", ["watchdog", "max_blocked", "grace", "drain_delay", "start_timeout", "queue_timeout"])
def test_seconds_that_no_timer_can_wait_for_do_not_start(name: str, seconds: str) -> None:
    """The thread or the process that waits would die of them, at the start or in the middle of a stop."""
    assert refused(f"--{name.replace('_', '-')}", seconds).where == f"--{name.replace('_', '-')}"


@pytest.mark.parametrize("options", [{"timeout": float("inf")}, {"timeout": 1e9}])
def test_nor_do_those_of_a_single_action(options: dict[str, float]) -> None:
    """In a file infinity is `.inf`."""
    with pytest.raises(ValidationError, match="less than or equal to 86400"):
        ActionOptions.model_validate(options)


def test_a_worker_is_not_replaced_for_being_busy() -> None:
    """After less than a second each of them would be, without an end."""
    assert "must be 0 or at least 1" in refused("--max-blocked", "0.01").problem
    assert [read("--max-blocked", text).max_blocked for text in ("0", "1")] == [0, 1]


def test_a_body_that_would_never_have_room_does_not_start() -> None:
    """Each of them would be told 503 and come again."""
    too_small = refused("--max-bytes-in-flight", "2000000")

    assert too_small.where == "--max-bytes-in-flight"
    assert "33554432 for one body is more than 2000000 for all of them" in too_small.problem
    assert refused("--max-request-bytes", "300000000").where == "--max-request-bytes"
    assert read("--max-bytes-in-flight", "2000000", "--max-request-bytes", "2000000").max_bytes_in_flight == 2_000_000


def test_a_limit_of_streams_without_any_does_not_start() -> None:
    """Only over gRPC a user can interrupt an action."""
    assert refused("--barge-in-timeout", "3").where == "--barge-in-timeout"
    assert read("--barge-in-timeout", "3", "--grpc-port", "0").barge_in_timeout == 3


def test_an_endpoints_file_that_is_a_link_to_nothing_does_not_start(folder: Path) -> None:
    """A volume that was not mounted would open the server to everybody."""
    (folder / "endpoints.yml").symlink_to(folder / "not mounted" / "endpoints.yml")

    assert refused().where == "endpoints.yml"


@pytest.mark.parametrize("variable", ["AUTH", "DATABASE_PASSWORD"])
def test_a_variable_that_secures_and_is_empty_does_not_start(variable: str) -> None:
    """Other empty variables are none."""
    error = refused(**{f"ACTION_SERVER__{variable}": ""})

    assert (error.where, error.problem) == (f"ACTION_SERVER__{variable}", EMPTY)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--join-chunks", "--grpc"], "--join-chunks"),
        (["--sync-workers", "8", "--sync-thread", "import"], "--sync-workers"),
    ],
)
def test_a_flag_that_another_one_leaves_without_a_use_does_not_start(flags: list[str], named: str) -> None:
    """In a file that servers of both kinds share it may stand."""
    assert refused(*flags).where == named
    assert read(*flags[:-1] if named == "--join-chunks" else flags[2:]).endpoints == Path("endpoints.yml")


def test_credentials_that_are_named_and_left_empty_do_not_start() -> None:
    """As a template writes them whose values are missing: the server would be open to all."""
    for written in ("{auth: {}}", "{auth: }"):
        error = refused(file=f"action_server: {written}")

        assert (error.where, error.problem) == ("endpoints.yml: action_server.auth", EMPTY)
