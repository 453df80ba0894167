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
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_server.errors import NoCallError
from action_server.telemetry import logs
from action_server.telemetry.logs import (
    CallContext,
    ConsoleFormatter,
    JsonFormatter,
    calling,
    current_call,
)
from tests.action_server.telemetry.logged_lines import ANN, BOB, PROPERTY, configure, json_lines, new_logger, record

pytestmark = pytest.mark.usefixtures("logging_as_before")


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
    """The fields stand on the first line, the line that failed below it, then the traceback."""
    try:
        raise KeyError("x")
    except KeyError as exc:
        failed = record(action="a")
        failed.exc_info = (KeyError, exc, exc.__traceback__)

    first, *rest = ConsoleFormatter().format(failed).splitlines()

    assert first.endswith("slot.set action=a")
    assert re.fullmatch(r"\S+test_logs\.py:\d+: KeyError: 'x'", rest[0])
    assert rest[1] == "Traceback (most recent call last):"
    assert rest[-1] == "KeyError: 'x'"


@pytest.mark.parametrize("is_masked", [False, True])
def test_the_text_of_an_exception_steers_no_terminal_and_forges_no_record(is_masked: bool) -> None:
    """`raise ValueError(f"no such city: {city}")`: also where privacy rules have gone over the traceback before."""
    text = "x\x1b[2J\x9b31m\u202e\u2028\ud800\n2025-01-01 00:00:00,000 INFO     action_server  - forged"
    failed = record()
    try:
        raise ValueError(text)
    except ValueError as exc:
        failed.exc_info = (ValueError, exc, exc.__traceback__)
    failed.exc_text = text if is_masked else None

    shown = ConsoleFormatter().format(failed)

    assert r"x\x1b[2J\x9b31m\u202e\u2028\ud800" in shown
    assert all(character.isprintable() for character in shown.replace("\n", ""))
    assert [line for line in shown.splitlines()[1:] if line.startswith("20")] == []
    assert failed.exc_text == (text if is_masked else None)


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
