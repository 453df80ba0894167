"""Settings come from flags, the environment, the file and defaults, in this order, and a bad one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from action_server.config.settings import Settings
from action_server.telemetry.logs import LogSettings
from tests.action_server.config.started import SECRET, read, refused

pytestmark = pytest.mark.usefixtures("folder")


# A setting, its flag and variables, how each source gives it, and what comes out of each.
SOURCES: list[tuple[str, list[str], dict[str, str], dict[str, str], str, list[Any], Any]] = [
    # name, flags, ACTION_SERVER__..., rasa-sdk's own variable, file, what they come to in this order, default
    (
        "port",
        ["-p", "1001"],
        {"ACTION_SERVER__PORT": "1002"},
        {},
        "port: 1004",
        [1001, 1002, 1004],
        5055,
    ),
    (
        "host",
        ["--host", "flag"],
        {"ACTION_SERVER__HOST": "variable"},
        {"SANIC_HOST": "sdk"},
        "host: file",
        ["flag", "variable", "sdk", "file"],
        "0.0.0.0",  # noqa: S104 - rasa-sdk's default
    ),
    (
        "workers",
        ["--workers", "1"],
        {"ACTION_SERVER__WORKERS": "2"},
        {"ACTION_SERVER_SANIC_WORKERS": "3"},
        "workers: 4",
        [1, 2, 3, 4],
        1,
    ),
    (
        "log_level_libraries",
        ["--log-level-libraries", "debug"],
        {"ACTION_SERVER__LOG_LEVEL_LIBRARIES": "info"},
        {"LOG_LEVEL_LIBRARIES": "warning"},
        "log_level_libraries: critical",
        ["DEBUG", "INFO", "WARNING", "CRITICAL"],
        "ERROR",
    ),
    ("grace", ["--grace", "0"], {"ACTION_SERVER__GRACE": "1.5"}, {}, "grace: 2.5", [0.0, 1.5, 2.5], 30.0),
    ("strict", ["--strict"], {"ACTION_SERVER__STRICT": "0"}, {}, "strict: true", [True, False, True], False),
    (
        "cors",
        ["--cors", "http://a", "http://b"],
        {"ACTION_SERVER__CORS": "http://c http://d"},
        {},
        "cors: [http://e]",
        [("http://a", "http://b"), ("http://c", "http://d"), ("http://e",)],
        (),
    ),
    (
        "ssl_certificate",
        ["--ssl-certificate", "flag.pem"],
        {"ACTION_SERVER__SSL_CERTIFICATE": "variable.pem"},
        {},
        "ssl_certificate: file.pem",
        [Path("flag.pem"), Path("variable.pem"), Path("file.pem")],
        None,
    ),
    (
        "actions",
        ["--actions", "flag"],
        {"ACTION_SERVER__ACTIONS": "variable.module"},
        {},
        "actions: file",
        ["flag", "variable.module", "file"],
        "actions",
    ),
    (
        "log_format",
        ["--log-format", "json"],
        {"ACTION_SERVER__LOG_FORMAT": "console"},
        {},
        "log_format: json",
        ["json", "console", "json"],
        "console",
    ),
]


@pytest.mark.parametrize("source", SOURCES, ids=[s[0] for s in SOURCES])
def test_the_nearest_source_of_a_setting_wins(
    source: tuple[str, list[str], dict[str, str], dict[str, str], str, list[Any], Any],
) -> None:
    """Flag, then our variable, then rasa-sdk's, then the file, then the default."""
    name, flags, variable, sdk_variable, line, expected, default = source
    file = f"action_server:\n  {line}\n"

    found = [getattr(read(*flags, file=file, **variable, **sdk_variable), name)]
    found.append(getattr(read(file=file, **variable, **sdk_variable), name))
    if sdk_variable:
        found.append(getattr(read(file=file, **sdk_variable), name))
    found.append(getattr(read(file=file), name))

    assert found == expected
    assert getattr(read(file=""), name) == default


def test_without_any_source_there_are_rasa_sdks_defaults() -> None:
    """An empty folder, no flag and no variable are enough to start."""
    found = read()

    assert (found.host, found.port, found.actions, found.workers) == ("0.0.0.0", 5055, "actions", 1)  # noqa: S104
    assert found.endpoints == Path("endpoints.yml")
    assert dict(found) == dict(Settings())


def test_an_empty_variable_is_none() -> None:
    """`SANIC_HOST=` in an environment file means that it is not set."""
    assert dict(read(SANIC_HOST="", ACTION_SERVER__PORT="", ACTION_SERVER__STRICT="")) == dict(Settings())


def test_a_variable_kubernetes_sets_is_ignored() -> None:
    """For a service called action-server every pod gets ACTION_SERVER_PORT, which is a URL."""
    found = read(ACTION_SERVER_PORT="tcp://10.0.0.1:5055", ACTION_SERVER_SERVICE_HOST="10.0.0.1", PORT="1", HOST="x")

    assert dict(found) == dict(Settings())


def test_a_password_is_a_secret_whatever_shows_the_settings() -> None:
    """It is there for who asks for it, and in no text about the settings."""
    found = read("--ssl-certificate", "both.pem", "--ssl-password", SECRET)

    assert found.ssl_password is not None
    assert found.ssl_password.get_secret_value() == SECRET
    assert SECRET not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


def test_the_services_settings_are_in_no_text_about_the_settings() -> None:
    """Tokens of CRMs stand there."""
    assert SECRET not in repr(read(ACTION_SERVER__SERVICES__CRM__TOKEN=SECRET))


def test_settings_do_not_change() -> None:
    """What was read at the start is what every part of the server sees."""
    with pytest.raises(ValueError, match="frozen"):
        read().port = 1


def test_the_log_settings_are_those_of_logs() -> None:
    """Each goes where it belongs."""
    found = read("-vv", "--log-format", "json", "--log-file", "a.log", LOG_LEVEL_LIBRARIES="info")

    assert found.logs == LogSettings("DEBUG", "INFO", "json", Path("a.log"), None)


def test_dev_reloads_and_logs_everything() -> None:
    """Unless a level is set."""
    assert (read("--dev").auto_reload, read("--dev").log_level) == (True, "DEBUG")
    assert read("--dev", "--quiet").log_level == "WARNING"


def test_single_loggers_have_levels_of_their_own() -> None:
    """By name, in endpoints.yml; a level that is none is refused."""
    found = read(file="action_server:\n  log_levels: {my.bot: debug, aiohttp: ERROR}\n")

    assert found.logs.levels == (("my.bot", "DEBUG"), ("aiohttp", "ERROR"))
    assert refused(file="action_server:\n  log_levels: {my.bot: loud}\n").where.startswith(
        "endpoints.yml: action_server"
    )
