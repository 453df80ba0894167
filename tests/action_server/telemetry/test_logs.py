"""Lines belong to their call, stand on one line each, and are configured from one place."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import logging
import re
import threading
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_server.errors import NoCallError, SettingsError
from action_server.telemetry import logs
from action_server.telemetry.logs import (
    CallContext,
    ConsoleFormatter,
    JsonFormatter,
    LogSettings,
    calling,
    current_call,
)

PROPERTY = settings(deadline=None, max_examples=150)
SECRET = "sEcReT"
ANN = CallContext("action_book", "ann")
BOB = CallContext("action_cancel", "bob", "grpc")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """After the test every logger is as it was."""
    root = logging.getLogger()
    loggers = [root, *(x for x in logging.Logger.manager.loggerDict.values() if isinstance(x, logging.Logger))]
    before = [(x, x.handlers[:], x.level, x.propagate, x.disabled, x.filters[:]) for x in loggers]
    yield
    for handler in root.handlers:
        if handler not in before[0][1]:
            handler.close()
    logging.captureWarnings(False)
    for logger, handlers, level, propagate, disabled, filters in before:
        logger.handlers, logger.propagate, logger.disabled, logger.filters = handlers, propagate, disabled, filters
        logger.setLevel(level)


def configure(**given: Any) -> None:
    """Configure logging as a process of its own would, where pytest's handlers are not there to be replaced."""
    logging.getLogger().handlers = []
    logs.configure(LogSettings(**given))


def new_logger() -> logging.Logger:
    """A logger nobody configured yet."""
    return logging.getLogger(f"actions.{uuid.uuid4().hex}")


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def record(message: str = "slot.set", **fields: Any) -> logging.LogRecord:
    return logging.getLogger("actions.x").makeRecord(
        "actions.x", logging.INFO, "x.py", 1, message, (), None, extra=fields
    )


def test_outside_of_a_call_there_is_none() -> None:
    """It is an error with words, not None."""
    with pytest.raises(NoCallError, match="no action is running here"):
        current_call()


def test_within_a_call_it_is_the_current_one_and_afterwards_none() -> None:
    """Calls within calls come back in order, after an exception too."""
    with calling(ANN):
        with contextlib.suppress(KeyError), calling(BOB):
            assert current_call() == BOB
            raise KeyError
        assert current_call() == ANN
    with pytest.raises(NoCallError):
        current_call()


async def test_two_calls_at_a_time_do_not_mix() -> None:
    """Each task sees its own, wherever they take turns."""

    async def run(context: CallContext) -> list[str]:
        with calling(context):
            found = []
            for _ in range(3):
                found.append(current_call().sender_id)
                await asyncio.sleep(0)
            return found

    ann, bob = await asyncio.gather(run(ANN), run(BOB))

    assert (ann, bob) == (["ann"] * 3, ["bob"] * 3)


def test_a_thread_with_a_copy_of_the_context_sees_the_call() -> None:
    """It is how synchronous actions run."""
    found: list[CallContext] = []
    with calling(ANN):
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(lambda: found.append(current_call()),))
    thread.start()
    thread.join()

    assert found == [ANN]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_written_on_a_thread_carries_the_call(
    log_format: logs.LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    """An author's own line needs no fields to be found."""
    configure(format=log_format)
    logger = new_logger()
    with calling(ANN):
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(logger.info, "hello"))
    thread.start()
    thread.join()

    line = capsys.readouterr().err
    fields = {
        "json": ('"action": "action_book"', '"sender_id": "ann"'),
        "console": ("action=action_book", "sender_id=ann"),
    }
    assert all(field in line for field in fields[log_format])


async def test_a_line_written_in_async_code_carries_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Also from what the action awaits."""
    configure(format="json")
    logger = new_logger()

    async def run(context: CallContext) -> None:
        with calling(context):
            await asyncio.sleep(0)
            await asyncio.create_task(asyncio.to_thread(logger.info, "hello"))

    await asyncio.gather(run(ANN), run(BOB))

    found = {(line["action"], line["sender_id"]) for line in json_lines(capsys.readouterr().err)}
    assert found == {("action_book", "ann"), ("action_cancel", "bob")}


def test_a_line_outside_of_a_call_has_no_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Start and end of the server belong to nobody."""
    configure(format="json")
    new_logger().warning("server.ready")

    assert set(json_lines(capsys.readouterr().err)[0]) == {"time", "level", "logger", "event"}


def test_a_field_of_the_line_itself_stands_over_the_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """A line about another action says so."""
    configure(format="json")
    with calling(ANN):
        new_logger().info("action.found", extra={"action": "action_other"})

    line = json_lines(capsys.readouterr().err)[0]
    assert (line["action"], line["sender_id"]) == ("action_other", "ann")


def test_a_console_line_has_time_level_logger_event_and_fields() -> None:
    """In this order, fields as they were given."""
    line = ConsoleFormatter().format(record(action="a", ms=1.5, outcome=None))

    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO     actions\.x  - slot\.set (.*)", line)
    assert line.endswith("slot.set action=a ms=1.5 outcome=None")


def test_a_traceback_follows_its_line() -> None:
    """The fields stand on the first line, the traceback below it."""
    try:
        raise KeyError("x")
    except KeyError as exc:
        failed = record(action="a")
        failed.exc_info = (KeyError, exc, exc.__traceback__)

    first, *rest = ConsoleFormatter().format(failed).splitlines()

    assert first.endswith("slot.set action=a")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "KeyError: 'x'"


FORGERIES = [
    "ann\n2025-01-01 00:00:00,000 INFO     action_server  - action.finished",
    "ann\r\nforged",
    "ann\x0bforged",
    "ann\x85forged",
    "ann\u2028forged",
    "ann\x1b[2Kforged",
    "ann\u202eforged",
    "ann\ud800",
    "ann action=forged",
    "ann\taction=forged",
    "ann\u00a0action=forged",
]


@pytest.mark.parametrize("sender_id", FORGERIES, ids=ascii)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_conversation_id_forges_nothing(
    sender_id: str, log_format: logs.LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a channel hands on as the id, it starts no line and no field of its own."""
    configure(format=log_format)
    with calling(CallContext("action_book", sender_id)):
        new_logger().info("hello")

    written = capsys.readouterr().err
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    assert written.removesuffix("\n").isprintable()
    assert not re.search(r"\saction=forged", written.replace(json.dumps(sender_id), ""))


@PROPERTY
@given(st.dictionaries(st.sampled_from(["slot", "problem", "found"]), st.text(), min_size=1))
def test_no_field_starts_a_line(fields: dict[str, str]) -> None:
    """Any text in a field stays on its line, in both formats, and reads back from JSON as it was."""
    assert ConsoleFormatter().format(record(**fields)).isprintable()
    line = JsonFormatter().format(record(**fields))
    assert line.isprintable()
    assert {key: json.loads(line)[key] for key in fields} == fields


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\x85", "\u2028"], ids=ascii)
def test_a_message_starts_no_line(end: str) -> None:
    """`logger.info(f"booked for {name}")` is what authors write, and the name may hold a line break."""
    line = ConsoleFormatter().format(record(f"booked for ann{end}2025-01-01 00:00:00,000 INFO forged"))

    assert len(line.splitlines()) == 1


def test_a_message_sends_the_terminal_no_commands() -> None:
    """ESC [2K deletes the line it stands in from the operator's screen."""
    assert ConsoleFormatter().format(record("booked for ann\x1b[2Kforged")).isprintable()


def test_a_json_line_has_time_level_logger_event_and_fields() -> None:
    """Names are constant, the time is ISO 8601 in UTC."""
    line = json.loads(JsonFormatter().format(record(action="a", ms=1.5, slots=["x"])))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "actions.x",
        "event": "slot.set",
        "action": "a",
        "ms": 1.5,
        "slots": ["x"],
    }


def test_a_json_line_holds_the_whole_traceback() -> None:
    """It stays one line."""
    try:
        raise KeyError("x")
    except KeyError as exc:
        failed = record()
        failed.exc_info = (KeyError, exc, exc.__traceback__)

    line = JsonFormatter().format(failed)

    assert len(line.splitlines()) == 1
    assert json.loads(line)["exception"].endswith("KeyError: 'x'")


def test_arguments_of_a_message_are_put_in() -> None:
    """Authors log as they always did."""
    line = logging.getLogger("x").makeRecord("x", logging.INFO, "x.py", 1, "hello %s", ("ann",), None)

    assert json.loads(JsonFormatter().format(line))["event"] == "hello ann"


@pytest.mark.parametrize("value", [Path("/a"), uuid.UUID(int=1), ..., b"\xff", ValueError("x"), json], ids=repr)
def test_a_field_without_a_json_form_is_written_as_text(value: object) -> None:
    """No line is lost over its facts."""
    assert json.loads(JsonFormatter().format(record(found=value)))["found"] == str(value)


@pytest.mark.parametrize("name", ["event", "level", "time", "logger"])
def test_a_field_does_not_replace_what_the_line_says(name: str) -> None:
    """answers.py logs "event.dropped" with a field `event`; both have to be in the line."""
    line = json.loads(JsonFormatter().format(record("event.dropped", **{name: "other"})))

    assert line[name] != "other"
    assert "other" in line.values()


def circular() -> object:
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [{(1, 2): 3}, circular()], ids=["a tuple for a key", "a circle"])
def test_a_field_json_cannot_write_does_not_cost_the_line(value: object) -> None:
    """What an author adds as `extra` may be anything."""
    assert json.loads(JsonFormatter().format(record(found=value)))["event"] == "slot.set"


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        [float("nan")],
    ],
    ids=["NaN", "infinity", "NaN in a list"],
)
def test_json_of_a_log_is_json_by_the_book(value: object) -> None:
    """Collectors of logs do not read Python's NaN."""

    def refuse(word: str) -> None:
        pytest.fail(word)

    json.loads(JsonFormatter().format(record(ms=value)), parse_constant=refuse)


def test_a_json_line_holds_the_stack_an_author_asked_for() -> None:
    """`logger.info(..., stack_info=True)` is how one finds out who called."""
    traced = record()
    traced.stack_info = "Stack (most recent call last): here"

    assert "Stack (most recent call last): here" in json.loads(JsonFormatter().format(traced)).values()


def test_a_duration_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a tenth."""
    monkeypatch.setattr("time.perf_counter", lambda: 12.34567)

    assert logs.milliseconds_since(12.0) == 345.7


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
    with pytest.raises(SettingsError, match="the file cannot be written") as refused:
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
