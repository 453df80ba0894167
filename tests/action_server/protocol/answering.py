"""One answer for one action, and what the log says of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from action_server.protocol.answers import Answer, answer_of
from tests.action_server.protocol.engine_schema import OPEN_SOURCE

SECRET = "sEcReT"


def answer(returned: object, version: str | None = OPEN_SOURCE, messages: list[Any] | None = None) -> Answer:
    return answer_of("action_book", returned, messages or [], version)


def only_event(event: object, version: str | None = OPEN_SOURCE) -> dict[str, Any] | None:
    """What becomes of one event among two good ones, which stay as they are."""
    good = {"event": "restart", "timestamp": None}
    found = answer([good, event, good], version).events
    assert [found[0], found[-1]] == [good, good]
    assert len(found) in (2, 3)
    return found[1] if len(found) == 3 else None


def lines(log: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each record."""
    return [{**vars(record), "line": record.getMessage()} for record in log.records]


def assert_one_line(log: pytest.LogCaptureFixture, line: str, event: str, level: int = logging.WARNING) -> None:
    """Fail unless there is one record and it names the action and the event."""
    assert [(x["line"], x["action"], x["event"], x["levelno"]) for x in lines(log)] == [
        (line, "action_book", event, level)
    ]
