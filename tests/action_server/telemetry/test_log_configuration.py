"""Levels, files and configuration files of the log; a wrong one is refused in one line that quotes nothing."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest

from action_server.errors import SettingsError
from action_server.telemetry import logs
from action_server.telemetry.logs import (
    LogSettings,
    calling,
)
from tests.action_server.telemetry.logged_lines import ANN, SECRET, configure, json_lines, new_logger

pytestmark = pytest.mark.usefixtures("logging_as_before")


@pytest.mark.parametrize(
    ("level", "written"),
    [("DEBUG", 4), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)],
)
def test_a_level_decides_what_is_written(level: str, written: int, capsys: pytest.CaptureFixture[str]) -> None:
    """It counts for the actions' loggers."""
    configure(level=level)
    logger = new_logger()
    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)("x")

    assert len(capsys.readouterr().err.splitlines()) == written


LIBRARIES = ["sanic.root", "sanic.error", "sanic.access", "sanic.server", "sqlalchemy.engine", "aiosqlite", "asyncio"]


@pytest.mark.parametrize("name", [*LIBRARIES, "grpc", "urllib3.connectionpool", "tzlocal", "svcs"])
def test_a_library_has_a_level_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At DEBUG the actions' lines are not buried; what a library has to say in earnest is written once."""
    configure(level="DEBUG", library_level="ERROR", format="json")
    logging.getLogger(name).warning("chatter")
    logging.getLogger(name).error("trouble")

    assert [line["event"] for line in json_lines(capsys.readouterr().err)] == ["trouble"]


def test_a_librarys_level_can_be_lowered(capsys: pytest.CaptureFixture[str]) -> None:
    """LOG_LEVEL_LIBRARIES=DEBUG shows what goes on inside."""
    configure(level="DEBUG", library_level="DEBUG", format="json")
    logging.getLogger("sanic.root").debug("chatter")

    assert [line["event"] for line in json_lines(capsys.readouterr().err)] == ["chatter"]


def test_sanics_own_handlers_are_gone(capsys: pytest.CaptureFixture[str]) -> None:
    """Its lines come once, in our form."""
    logging.getLogger("sanic.error").addHandler(logging.StreamHandler())
    logging.getLogger("sanic.error").propagate = False

    configure(format="json")
    logging.getLogger("sanic.error").error("trouble")

    assert [line["event"] for line in json_lines(capsys.readouterr().err)] == ["trouble"]


def test_configuring_again_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """The last configuration counts."""
    configure()
    logs.configure(LogSettings(format="json"))
    new_logger().info("once")

    assert [line["event"] for line in json_lines(capsys.readouterr().err)] == ["once"]


def test_a_warning_of_python_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What a library deprecates is in the log, with the call that met it."""
    configure(format="json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with calling(ANN):
            warnings.warn("old", DeprecationWarning, stacklevel=1)

    line = json_lines(capsys.readouterr().err)[0]
    assert (line["logger"], line["action"]) == ("py.warnings", "action_book")


def test_a_log_file_gets_every_line_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the same form, appended, and half an emoji does not lose one."""
    file = tmp_path / "server.log"
    file.write_text("before\n")
    configure(format="console", file=file)
    new_logger().info("hello \ud83d Zoë")

    first, second = file.read_text(encoding="utf-8").splitlines()
    assert first == "before"
    assert second.endswith("hello \\ud83d Zoë")
    assert "Zoë" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["", "nowhere/server.log"], ids=["a folder", "in no folder"])
def test_a_log_file_that_cannot_be_written_is_refused(path: str, tmp_path: Path) -> None:
    """Before anything is configured."""
    with pytest.raises(SettingsError, match="cannot be written: ") as refused:
        configure(file=tmp_path / path)

    assert refused.value.where == "--log-file"
    assert logging.getLogger().handlers == []


def test_a_log_file_no_file_can_be_called_is_refused() -> None:
    """A zero byte in a path is a ValueError for Python."""
    with pytest.raises(SettingsError):
        configure(file=Path("a\0b"))


CONFIG = """\
version: 1
disable_existing_loggers: false
formatters:
  plain: {format: "%(levelname)s|%(message)s"}
  json: {(): action_server.telemetry.logs.JsonFormatter}
handlers:
  out: {class: logging.StreamHandler, formatter: FORMATTER, stream: ext://sys.stderr}
root: {level: INFO, handlers: [out]}
"""


def configured_by(text: str | bytes, folder: Path) -> None:
    file = folder / "logging.yml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    configure(level="ERROR", config_file=file)


def test_a_configuration_file_counts_instead_of_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its formats and levels are used, ours are not."""
    configured_by(CONFIG.replace("FORMATTER", "plain"), tmp_path)
    new_logger().info("hello")

    assert capsys.readouterr().err == "INFO|hello\n"


def test_a_configuration_file_may_use_our_formatters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They stand in it by their names."""
    configured_by(CONFIG.replace("FORMATTER", "json"), tmp_path)
    new_logger().info("hello", extra={"slot": "a"})

    assert json_lines(capsys.readouterr().err)[0]["slot"] == "a"


def test_a_line_carries_its_call_under_a_configuration_file_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The module promises it for everything logged while an action runs."""
    configured_by(CONFIG.replace("FORMATTER", "json"), tmp_path)
    with calling(ANN):
        new_logger().info("hello")

    assert json_lines(capsys.readouterr().err)[0].get("action") == "action_book"


NO_CONFIGURATION = "is not a configuration of Python's logging"
WRONG_CONFIGURATIONS = [
    ("empty", "", NO_CONFIGURATION),
    ("a list", "- a", NO_CONFIGURATION),
    ("text", "hello", NO_CONFIGURATION),
    ("without a version", "{}", NO_CONFIGURATION),
    ("of another version", "version: 2", NO_CONFIGURATION),
    ("with an unknown class", "version: 1\nhandlers: {h: {class: no.such.Handler}}", NO_CONFIGURATION),
    ("with an unknown handler", "version: 1\nroot: {handlers: [nobody]}", NO_CONFIGURATION),
    ("with an unknown level", "version: 1\nroot: {level: LOUD}", NO_CONFIGURATION),
    (
        "with a file in no folder",
        "version: 1\nhandlers: {h: {class: logging.FileHandler, filename: /x/y}}",
        NO_CONFIGURATION,
    ),
    ("with a number for its formatters", "version: 1\nformatters: 5", NO_CONFIGURATION),
    ("with a reference to nothing", "version: cfg://nothing", NO_CONFIGURATION),
    ("not YAML", "version: [1\n", "cannot be read as YAML (line 2, column 1)"),
    ("with a key twice", "version: 1\nversion: 1\n", "cannot be read as YAML (line 2, column 1)"),
    ("with a date that is none", "a: 2025-13-45", "cannot be read as YAML"),
    ("with a tag of a wrong truth", "a: !!bool x", "cannot be read as YAML"),
    ("with a tag without a value", "a: !!int ''", "cannot be read as YAML"),
    ("not UTF-8", b"a: \xe9", "cannot be read as UTF-8 text (at byte 3)"),
]


@pytest.mark.parametrize(
    ("text", "problem"), [c[1:] for c in WRONG_CONFIGURATIONS], ids=[c[0] for c in WRONG_CONFIGURATIONS]
)
def test_a_configuration_file_is_refused_when_it_is(text: str | bytes, problem: str, tmp_path: Path) -> None:
    """One line that names the flag, the file and the problem."""
    with pytest.raises(SettingsError) as refused:
        configured_by(text, tmp_path)

    assert refused.value.where == "--logging-config-file"
    assert f"logging.yml {problem}" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["nowhere.yml", ""], ids=["missing", "a folder"])
def test_a_configuration_file_that_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    """The message says why."""
    with pytest.raises(SettingsError, match=r" cannot be read: ") as refused:
        logs.configure(LogSettings(config_file=tmp_path / name))

    assert refused.value.where == "--logging-config-file"


LEAKING = [
    ("broken beside a password", f"version: 1\nhandlers:\n  h: {{credentials: [user, {SECRET}\n"),
    ("with a password twice", f"password: {SECRET}\npassword: {SECRET}\n"),
    ("with a password for a level", f"version: 1\nroot: {{level: {SECRET}}}\n"),
    ("with a password for a version", f"version: {SECRET}\n"),
]


@pytest.mark.parametrize("text", [c[1] for c in LEAKING], ids=[c[0] for c in LEAKING])
def test_a_wrong_configuration_file_is_not_quoted(text: str, tmp_path: Path) -> None:
    """Credentials of mail and syslog handlers stand in such files."""
    with pytest.raises(SettingsError) as refused:
        configured_by(text, tmp_path)

    assert SECRET not in str(refused.value)
