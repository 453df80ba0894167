"""The line of a call that needs no record is the line of the record, and gives way to whoever wants records."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_server.errors import ActionFailedError
from action_server.telemetry import call_lines, logs
from action_server.telemetry.call_lines import LOGGER, CallFacts, CallLines
from action_server.telemetry.calls import Observation
from action_server.telemetry.durations import milliseconds
from action_server.telemetry.logs import CallContext, ConsoleFormatter, JsonFormatter, LogFormat, calling
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.tracing import Tracing
from tests.action_server.telemetry.logged_lines import ANN, PROPERTY, configure, json_lines, new_logger

pytestmark = pytest.mark.usefixtures("logging_as_before")

ANY_TEXT = st.text(st.characters(codec=None), max_size=20)
SECONDS = st.floats(0, 1e6) | st.integers(0, 10**7).map(lambda n: n / 20_000)
FACTS = st.builds(
    CallFacts,
    outcome=st.sampled_from(["ok", "failed", "needs_domain"]),
    transport=st.sampled_from(["http", "grpc"]),
    waiting=SECONDS,
    running=SECONDS,
    size=st.integers(0, 10**9),
    error_id=st.none() | st.just("0a1b"),
    repeated=st.booleans(),
    action=ANY_TEXT,
    sender_id=ANY_TEXT,
    request_id=ANY_TEXT,
    trace_id=st.just("") | st.just("f" * 32),
    client=st.just("") | ANY_TEXT,
    characters=st.none() | st.integers(0, 10**6),
)
MOMENTS = st.floats(0, 4e9) | st.integers(0, 2**31).map(lambda second: second + 0.9999996)
FORMATTERS: dict[LogFormat, logging.Formatter] = {"json": JsonFormatter(), "console": ConsoleFormatter()}


def by_record(formatter: logging.Formatter, now: float, facts: CallFacts) -> str:
    """The line as logging makes it."""
    fields: dict[str, Any] = {"outcome": facts.outcome, "transport": facts.transport}
    fields |= {"waiting_ms": milliseconds(facts.waiting), "ms": milliseconds(facts.running), "bytes": facts.size}
    fields |= {"characters": facts.characters} if facts.characters is not None else {}
    fields |= {"error_id": facts.error_id} if facts.error_id is not None else {}
    fields |= {"repeated": True} if facts.repeated else {}
    fields |= {"client": facts.client} if facts.client else {}
    fields |= {"action": facts.action, "sender_id": facts.sender_id}
    fields |= {"request_id": facts.request_id} if facts.request_id else {}
    fields |= {"trace_id": facts.trace_id} if facts.trace_id else {}
    record = logging.getLogger(LOGGER).makeRecord(
        LOGGER, logging.INFO, "x.py", 1, "action.finished", (), None, extra=fields
    )
    record.created, record.msecs = now, int((now - int(now)) * 1000)
    return formatter.format(record)


@pytest.mark.parametrize("kind", ["json", "console"])
@given(now=MOMENTS, facts=FACTS)
@PROPERTY
def test_a_line_without_a_record_is_the_line_of_the_record(kind: LogFormat, now: float, facts: CallFacts) -> None:
    """To the byte, in both formats, whatever stands in names and ids."""
    assert CallLines([], kind)._encode(now, facts) == by_record(FORMATTERS[kind], now, facts)


def finish(context: CallContext = ANN, *, failed: bool = False) -> None:
    """A call, observed from its beginning to its end."""
    with calling(context), Observation(context, Metrics(enabled=False), Tracing.off()) as seen:
        seen.note_action(context.action)
        seen.note_start()
        if failed:
            seen.note_failure(ActionFailedError(context.action, "0a1b"))
            seen.note_repeat()
            seen.note_characters(17)


def without_times(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in ("time", "ms", "waiting_ms")}


@pytest.mark.parametrize("failed", [False, True])
def test_both_ways_write_the_same_fields_in_the_same_order(
    failed: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is what is left when the other way is not there."""
    configure(format="json")
    context = CallContext("action_book", "ann", "http", "r-1", 12)

    finish(context, failed=failed)
    monkeypatch.setattr(call_lines, "in_use", lambda: None)
    finish(context, failed=failed)

    first, second = (list(without_times(line).items()) for line in json_lines(capsys.readouterr().err))
    assert first == second
    assert ("error_id" in dict(first)) is failed


class Remembering(logging.Handler):
    """Keeps the records it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.mark.parametrize("name", ["", "action_server", "action_server.telemetry", LOGGER])
def test_who_adds_a_handler_gets_records(name: str) -> None:
    """On whatever logger above the line, and after the server has begun to log."""
    configure()
    assert call_lines.in_use() is not None
    handler = Remembering()
    logging.getLogger(name).addHandler(handler)

    finish()
    logging.getLogger(name).removeHandler(handler)

    assert [record.msg for record in handler.records] == ["action.finished"]
    assert call_lines.in_use() is not None


def refuse(_: logging.LogRecord) -> bool:
    return False


def other_record(*given: Any, **more: Any) -> logging.LogRecord:
    return logging.LogRecord(*given, **more)


def filter_a_handler(_: pytest.MonkeyPatch) -> None:
    logging.root.handlers[0].addFilter(refuse)


def filter_the_logger(_: pytest.MonkeyPatch) -> None:
    logging.getLogger(LOGGER).addFilter(refuse)


def format_otherwise(_: pytest.MonkeyPatch) -> None:
    logging.root.handlers[0].setFormatter(logging.Formatter())


def want_warnings_only(_: pytest.MonkeyPatch) -> None:
    logging.root.handlers[0].setLevel(logging.WARNING)


def take_a_handler_away(_: pytest.MonkeyPatch) -> None:
    logging.root.removeHandler(logging.root.handlers[0])


def go_no_further_up(_: pytest.MonkeyPatch) -> None:
    logging.getLogger("action_server").propagate = False


def make_other_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "_logRecordFactory", other_record)


def patch_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.Logger, "callHandlers", lambda *_: None)


Change = Callable[[pytest.MonkeyPatch], None]
CHANGES: list[Change] = [filter_a_handler, filter_the_logger, format_otherwise, want_warnings_only]
CHANGES += [take_a_handler_away, go_no_further_up, make_other_records, patch_logging]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_is_done_to_logging_afterwards_counts(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter, a formatter, a level, a package that looks at each record: they get records."""
    configure()
    assert call_lines.in_use() is not None

    change(monkeypatch)

    assert call_lines.in_use() is None


def test_a_configuration_file_gets_records(tmp_path: Path) -> None:
    """Nothing is known of its handlers."""
    configure()
    file = tmp_path / "logging.yml"
    file.write_text("version: 1\ndisable_existing_loggers: false\n")
    configure(config_file=file)

    assert call_lines.in_use() is None


async def test_lines_keep_their_order_whoever_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record is written after the lines of calls that ended before it, into the file as well."""
    configure(format="json", file=tmp_path / "server.log")
    logger = new_logger()
    finish(CallContext("action_a", "s"))
    finish(CallContext("action_b", "s"))
    logger.info("between")
    finish(CallContext("action_c", "s"))
    logging.root.handlers[0].flush()
    logging.root.handlers[1].flush()

    written = capsys.readouterr().err
    order = ["action_a", "action_b", "between", "action_c"]
    assert [line.get("action", line["event"]) for line in json_lines(written)] == order
    assert (tmp_path / "server.log").read_text() == written


def test_a_call_makes_no_record(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As it is shipped: counted in records, not in time."""
    configure(format="json")
    monkeypatch.setattr(logging.Logger, "makeRecord", None)

    finish()

    assert json.loads(capsys.readouterr().err)["event"] == "action.finished"


def test_a_new_second_is_seen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept from line to line is kept for a second."""
    configure(format="json")
    for now in (1_700_000_000.25, 1_700_000_000.75, 1_700_000_061.5):
        monkeypatch.setattr(time, "time", partial(float, now))
        finish()

    times = [line["time"][14:23] for line in json_lines(capsys.readouterr().err)]
    assert times == ["13:20.250", "13:20.750", "14:21.500"]


def test_the_level_of_the_line_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """`log_levels` can switch it off."""
    logs.configure(logs.LogSettings(levels=((LOGGER, "WARNING"),)))
    finish()

    assert capsys.readouterr().err == ""
