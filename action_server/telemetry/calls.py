"""What is told of each call: one line in the log, its metrics and its span, whatever becomes of it."""

from __future__ import annotations

import logging
import time
from types import TracebackType

from action_server.errors import CallError, RequestError, UnauthorizedError
from action_server.telemetry import call_lines
from action_server.telemetry.call_lines import CallFacts
from action_server.telemetry.call_notes import CallNotes, noted_call
from action_server.telemetry.durations import milliseconds
from action_server.telemetry.logs import CallContext
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.spans import NO_SPAN
from action_server.telemetry.tracing import Tracing, trace_id

logger = logging.getLogger(__name__)

# A name nobody registered is no label: whoever can call could make as many as they like.
UNKNOWN = "unknown"
# Why a request did not become a call, in the metrics' words, by the status that says so.
_REASONS = {
    401: "unauthorized",
    404: "path",
    405: "method",
    408: "slow",
    413: "too_large",
    415: "encoding",
    431: "too_large",
    499: "gone",
    503: "busy",
}


class Observation:
    """One call, from its arrival to its end; a context manager around all of it, or :meth:`end` is called."""

    __slots__ = (
        "_arrived",
        "_characters",
        "_context",
        "_failure",
        "_label",
        "_metrics",
        "_repeated",
        "_started",
        "_step",
        "_tracing",
    )

    def __init__(self, context: CallContext, metrics: Metrics, tracing: Tracing) -> None:
        self._context = context
        self._metrics = metrics
        self._tracing = tracing
        self._step = NO_SPAN
        self._label = UNKNOWN
        self._arrived = time.perf_counter()
        self._started: float | None = None
        self._failure: CallError | None = None
        self._repeated = False
        self._characters: int | None = None

    def note_action(self, action: str) -> None:
        """Take note that the action exists."""
        self._label = action
        if self._metrics.enabled:
            self._metrics.call_started(action)
        if self._tracing.is_on:
            self._step = self._tracing.step("queue")

    def note_start(self) -> None:
        """Take note that the call got its place and runs now."""
        self._started = time.perf_counter()
        if self._tracing.is_on:
            self._step.end()
            self._step = self._tracing.step("run")

    def note_repeat(self) -> None:
        """Take note that the answer is the one of an earlier call."""
        self._repeated = True

    def note_characters(self, characters: int) -> None:
        """Take note of how long a tool's answer is."""
        self._characters = characters

    def note_failure(self, error: CallError) -> None:
        """Take note of a failure, also of one that is answered with 200."""
        self._failure = error

    def __enter__(self) -> Observation:
        return self

    def __exit__(self, _: type[BaseException] | None, exc: BaseException | None, __: TracebackType | None) -> None:
        self.end(exc)

    def end(self, exc: BaseException | None) -> None:
        """Tell of the call; ``exc`` is what it ended with, if it was not an answer."""
        ended = time.perf_counter()
        error = self._failure
        if exc is None:
            outcome = "ok" if error is None else error.outcome
        else:
            if error is None and isinstance(exc, CallError):
                error = exc
            outcome = "cancelled" if error is None else error.outcome
        if self._tracing.is_on:
            self._trace(error or exc)
        started = self._started or ended
        notes = noted_call.get()
        if notes is not None:
            self._tell(notes, outcome, error, ended)
        if logger.isEnabledFor(logging.INFO):
            self._log(outcome, error, started, ended)
        if self._metrics.enabled:
            self._count(outcome, started - self._arrived, ended - started)

    def _count(self, outcome: str, waited: float, ran: float) -> None:
        if self._label is UNKNOWN:
            self._metrics.call_started(UNKNOWN)
        self._metrics.call_finished(self._label, self._context.transport, outcome, waited, ran)
        if outcome == "timed_out":
            self._metrics.timed_out(self._label)
        elif outcome == "needs_domain":
            self._metrics.domain_requested(self._label)

    def _log(self, outcome: str, error: CallError | None, started: float, ended: float) -> None:
        error_id = None if error is None else error.error_id
        context = self._context
        lines = call_lines.in_use()
        if lines is not None:
            lines.write(
                CallFacts(
                    outcome,
                    context.transport,
                    started - self._arrived,
                    ended - started,
                    context.size,
                    error_id,
                    self._repeated,
                    context.action,
                    context.sender_id,
                    context.request_id,
                    trace_id(),
                    context.client,
                    self._characters,
                )
            )
            return
        fields: dict[str, object] = {"outcome": outcome, "transport": context.transport}
        waiting_ms, ms = milliseconds(started - self._arrived), milliseconds(ended - started)
        fields |= {"waiting_ms": waiting_ms, "ms": ms, "bytes": context.size}
        if self._characters is not None:
            fields["characters"] = self._characters
        if error_id is not None:
            fields["error_id"] = error_id
        if self._repeated:
            fields["repeated"] = True
        if context.client:
            fields["client"] = context.client
        logger.info(call_lines.EVENT, extra=fields)

    def _tell(self, notes: CallNotes, outcome: str, error: CallError | None, ended: float) -> None:
        notes.action, notes.sender_id = self._context.action, self._context.sender_id
        notes.outcome, notes.error_id = outcome, None if error is None else error.error_id
        notes.decoded, notes.started, notes.ended = self._arrived, self._started or 0.0, ended
        notes.repeated = self._repeated

    def _trace(self, failure: BaseException | None) -> None:
        if failure is not None:
            self._step.failed(failure)
        self._step.end()
        if failure is not None:
            self._tracing.failed(failure)


def note_refusal(error: CallError, metrics: Metrics | None, request_id: str = "", client: str = "") -> None:
    """Say that a request did not become a call. Of those that did, :class:`Observation` tells."""
    if isinstance(error, (RequestError, UnauthorizedError)):
        problem = "no valid credential" if isinstance(error, UnauthorizedError) else error.message
        found = facts(status=error.status, problem=problem, request_id=request_id, client=client)
        logger.warning("call.refused", extra=found)
        if metrics is not None:
            metrics.refused(_REASONS.get(error.status, "malformed"))


def facts(**named: object) -> dict[str, object]:
    """Return the fields of a line that have a value."""
    return {name: value for name, value in named.items() if value not in ("", None)}
