"""What is told of a call: its outcome, its times and its error's id in one line, and the same in the metrics."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from action_server.errors import (
    ActionFailedError,
    ActionNotFoundError,
    ActionTimeoutError,
    BodyTooLargeError,
    CallError,
    MissingDomainError,
    RequestError,
    SaturatedError,
    SlowBodyError,
    UnauthorizedError,
)
from action_server.telemetry.calls import UNKNOWN, Observation, note_refusal
from action_server.telemetry.logs import CallContext
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.tracing import Tracing

CONTEXT = CallContext("action_book", "s", "grpc", "r-1", 120)


class Counting(Metrics):
    """Metrics that remember what was counted, in words."""

    def __init__(self) -> None:
        super().__init__(enabled=False)
        self.enabled = True
        self.counted: list[tuple[str, ...]] = []

    def call_started(self, action: str) -> None:
        self.counted.append(("started", action))

    def call_finished(
        self,
        action: str,
        transport: str,
        outcome: str,
        waiting_seconds: float | None = None,
        running_seconds: float | None = None,
    ) -> None:
        assert waiting_seconds is not None
        assert running_seconds is not None
        assert min(waiting_seconds, running_seconds) >= 0
        self.counted.append(("finished", action, transport, outcome))

    def timed_out(self, action: str) -> None:
        self.counted.append(("timed out", action))

    def domain_requested(self, action: str) -> None:
        self.counted.append(("domain", action))

    def refused(self, reason: str) -> None:
        self.counted.append(("refused", reason))


@pytest.fixture
def metrics() -> Counting:
    return Counting()


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "action_server.telemetry.calls")


def line_of(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = caplog.records
    assert record.msg == "action.finished"
    return vars(record)


def test_a_call_that_went_well_is_one_line(metrics: Counting, caplog: pytest.LogCaptureFixture) -> None:
    """With the transport, the times and the size; an answer that is a repeat says so."""
    with Observation(CONTEXT, metrics, Tracing.off()) as seen:
        seen.note_action("action_book")
        seen.note_start()
        seen.note_repeat()

    line = line_of(caplog)
    assert (line["outcome"], line["transport"], line["bytes"], line["repeated"]) == ("ok", "grpc", 120, True)
    assert line["ms"] >= 0 <= line["waiting_ms"]
    assert metrics.counted == [("started", "action_book"), ("finished", "action_book", "grpc", "ok")]


FAILURES: list[tuple[BaseException, str, list[tuple[str, ...]]]] = [
    (ActionFailedError("action_book", "0a1b"), "failed", []),
    (ActionTimeoutError("action_book", 1, "0a1b"), "timed_out", [("timed out", "action_book")]),
    (MissingDomainError("action_book"), "needs_domain", [("domain", "action_book")]),
    (SaturatedError("action_book", "max_calls", 1), "saturated", []),
    (RequestError("slots are none"), "refused", []),
    (asyncio.CancelledError(), "cancelled", []),
]


@pytest.mark.parametrize(("error", "outcome", "more"), FAILURES, ids=[outcome for _, outcome, _ in FAILURES])
def test_an_error_gives_the_call_its_outcome(
    error: BaseException,
    outcome: str,
    more: list[tuple[str, ...]],
    metrics: Counting,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The word is the error's own, and its id is in the line."""

    def fail() -> None:
        with Observation(CONTEXT, metrics, Tracing.off()) as seen:
            seen.note_action("action_book")
            raise error

    with pytest.raises(type(error)):
        fail()

    line = line_of(caplog)
    assert line["outcome"] == outcome
    assert line.get("error_id") == (error.error_id if isinstance(error, CallError) else None)
    assert metrics.counted[1:] == [("finished", "action_book", "grpc", outcome), *more]


def test_a_failure_that_is_answered_with_200_is_one(metrics: Counting, caplog: pytest.LogCaptureFixture) -> None:
    """A policy may turn it into events; the log and the metrics still say what happened."""
    with Observation(CONTEXT, metrics, Tracing.off()) as seen:
        seen.note_action("action_book")
        seen.note_start()
        seen.note_failure(ActionFailedError("action_book", "0a1b"))

    assert (line_of(caplog)["outcome"], line_of(caplog)["error_id"]) == ("failed", "0a1b")


def test_a_name_nobody_registered_is_no_label(metrics: Counting) -> None:
    """Whoever can call could make as many as they like."""
    error = ActionNotFoundError("action_made_up")
    with pytest.raises(ActionNotFoundError), Observation(CONTEXT, metrics, Tracing.off()):
        raise error

    assert metrics.counted == [("started", UNKNOWN), ("finished", UNKNOWN, "grpc", "not_found")]


def client_gone() -> RequestError:
    error = RequestError("the client went away")
    error.status = 499
    return error


REFUSALS: list[tuple[CallError, str, str]] = [
    (RequestError("no JSON"), "malformed", "no JSON"),
    (UnauthorizedError("Bearer"), "unauthorized", "no valid credential"),
    (BodyTooLargeError(9), "too_large", "the request body is larger than 9 bytes"),
    (SlowBodyError(9), "slow", "the request body did not arrive within 9 s"),
    (client_gone(), "gone", "the client went away"),
]


@pytest.mark.parametrize(("error", "reason", "problem"), REFUSALS, ids=[reason for _, reason, _ in REFUSALS])
def test_a_request_that_did_not_become_a_call_is_told_with_its_reason(
    error: CallError, reason: str, problem: str, metrics: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    """One line with the status and what is wrong, and one count."""
    note_refusal(error, metrics)
    note_refusal(error, None)

    assert [r.msg for r in caplog.records] == ["call.refused"] * 2
    assert vars(caplog.records[0])["status"] == error.status
    assert vars(caplog.records[0])["problem"].startswith(problem)
    assert metrics.counted == [("refused", reason)]


def test_an_error_of_a_call_is_not_told_twice(metrics: Counting, caplog: pytest.LogCaptureFixture) -> None:
    """Its own line told of it."""
    note_refusal(ActionFailedError("action_book", "0a1b"), metrics)

    assert caplog.records == []
    assert metrics.counted == []
