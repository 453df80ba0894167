"""Flags mean what they mean to rasa-sdk, say what they do, and a bad one is named."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from action_server.config import settings
from action_server.config.flags import add_flag_of, flag_of
from action_server.config.settings import Settings
from tests.action_server.config.started import SECRET, read, refused

pytestmark = pytest.mark.usefixtures("folder")


FLAGS: list[tuple[list[str], str, Any]] = [
    (["-p", "80"], "port", 80),
    (["--port", "0"], "port", 0),
    (["--cors"], "cors", ()),
    (["--cors", "*"], "cors", ("*",)),
    (["--cors", "http://a", "http://b"], "cors", ("http://a", "http://b")),
    (["--actions", "bot.actions"], "actions", "bot.actions"),
    (["--actions-module", "bot.actions"], "actions", "bot.actions"),
    (["--ssl-certificate", "cert.pem"], "ssl_certificate", Path("cert.pem")),
    (["--auto-reload"], "auto_reload", True),
    (["--grpc"], "grpc", True),
    (["-v"], "log_level", "INFO"),
    (["--verbose"], "log_level", "INFO"),
    (["-vv"], "log_level", "DEBUG"),
    (["--debug"], "log_level", "DEBUG"),
    (["--quiet"], "log_level", "WARNING"),
    (["--log-level", "error"], "log_level", "ERROR"),
    (["--log-file", "a.log"], "log_file", Path("a.log")),
    (["--logging-config_file", "log.yml"], "logging_config_file", Path("log.yml")),
    (["--logging-config-file", "log.yml"], "logging_config_file", Path("log.yml")),
]


@pytest.mark.parametrize(("flags", "name", "value"), FLAGS, ids=[" ".join(f[0]) for f in FLAGS])
def test_a_flag_of_rasa_sdk_sets(flags: list[str], name: str, value: Any) -> None:
    """Each flag of `python -m rasa_sdk` means what it means there, and changes nothing else."""
    assert dict(read(*flags)) == dict(Settings(**{name: value}))


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [("--ssl-keyfile", "ssl_keyfile", Path("key.pem")), ("--ssl-ca-file", "ssl_ca_file", Path("ca.pem"))],
)
def test_a_flag_of_rasa_sdk_that_goes_with_a_certificate_sets(flag: str, name: str, value: Path) -> None:
    """As the others, and nothing else."""
    given = read("--ssl-certificate", "cert.pem", flag, str(value))

    assert dict(given) == dict(Settings.model_validate({"ssl_certificate": Path("cert.pem"), name: value}))


def test_every_setting_without_a_structure_of_its_own_has_a_flag() -> None:
    """Services, credentials and options of single actions are no flags."""
    without = [name for name, field in Settings.model_fields.items() if flag_of(field) is None]

    assert without == ["log_levels", "database_password", "delivery", "action_options", "auth", "services", "mcp"]


def test_every_flag_says_what_it_does() -> None:
    """`--help` has a text for each, with the default where there is one."""
    parser = argparse.ArgumentParser(prog="x")
    settings.add_flags(parser)
    described = {action.dest: action.help for action in parser._actions}

    assert all(described.values())
    assert described["port"] == "port to listen on; 0 takes a free one (default: 5055)"
    assert "%" not in parser.format_help()


BAD_FLAGS = [
    ("--port", "http"),
    ("--port", "-1"),
    ("--port", "65536"),
    ("--port", "1.5"),
    ("--port", "9" * 5000),
    ("--workers", "0"),
    ("--workers", "257"),
    ("--sync-workers", "0"),
    ("--max-request-bytes", "1023"),
    ("--max-domains", "0"),
    ("--grace", "-1"),
    ("--grace", "nan"),
    ("--log-level", SECRET),
    ("--log-level-libraries", "LOUD"),
    ("--log-format", SECRET),
    ("--actions-module", "bot/actions"),
    ("--actions-module", "actions.py/"),
    ("--actions-module", "bot..actions"),
    ("--actions-module", ""),
    ("--actions-module", "my-actions"),
]


@pytest.mark.parametrize(("flag", "value"), BAD_FLAGS, ids=[f"{f} {v[:12]!r}" for f, v in BAD_FLAGS])
def test_a_bad_flag_is_named(flag: str, value: str) -> None:
    """The message begins with the flag and does not repeat the value."""
    # With an equals sign a value may begin with a hyphen.
    error = refused(f"{flag}={value}")

    assert error.where == flag
    assert str(error).startswith(f"{flag}: ")


@pytest.mark.parametrize(
    "shown",
    [
        "--grpc-port N",
        "--sample SHARE",
        "--record-mask [SLOT ...]",
        "--trusted-proxies [ADDRESS ...]",
        "--grace SECONDS",
    ],
)
def test_help_names_what_a_flag_takes(shown: str) -> None:
    """A port is no file, and a share no number of seconds."""
    parser = argparse.ArgumentParser()
    for name, field in Settings.model_fields.items():
        add_flag_of(parser, name, field)

    assert shown in " ".join(parser.format_help().split())
