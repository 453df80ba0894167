"""The spans of a call, and what makes them. Everything of OpenTelemetry is imported when the first one is made."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING

from action_server.errors import (
    CallError,
)
from action_server.protocol.calls import Call

if TYPE_CHECKING:
    import aiohttp
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan

SPAN_NAME = "action_server.webhook"
JOB_SPAN_NAME = "action_server.job"

_LONGEST_ATTRIBUTE = 256


class Span:
    """Work that is being traced: begun already, over at ``end()`` or with its block. This one is kept nowhere."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, _: type[BaseException] | None, exc: BaseException | None, __: TracebackType | None) -> None:
        pass

    def about(self, call: Call) -> None:
        """Say which call it is about, in rasa-sdk's words."""

    def failed(self, error: BaseException) -> None:
        """Say what went wrong: its class and its ``error_id``, never its text."""

    def end(self) -> None:
        """End it now; later ends do nothing."""


# For whoever has no span yet.
NO_SPAN = Span()


# Of the call that is running here. Threads and tasks of an action have it too: they copy the caller's variables.
current_recorder: ContextVar[Recorder | _Unsampled | None] = ContextVar("action_server_tracing", default=None)


class Recorder:
    """Makes spans. Everything of OpenTelemetry is imported from here on."""

    def __init__(self, provider: TracerProvider) -> None:
        # Where OTEL_PROPAGATORS is read; an unknown one fails now and not in the first call.
        from opentelemetry import context, propagate, trace

        self.context, self.trace = context, trace
        self._propagator = propagate.get_global_textmap()
        # The headers that may bring a caller's trace.
        self._fields = tuple(field.lower() for field in self._propagator.fields)
        self._tracer = provider.get_tracer("action_server")

    def call(self, headers: Mapping[str, str], action: str) -> Span:
        """Begin the span of a call, as :meth:`Tracing.call`."""
        parent = self.context.get_current()
        # A loop: each call asks.
        for field in self._fields:
            if field in headers:
                parent = self._propagator.extract(headers, parent)
                break
        above = self.trace.get_current_span(parent).get_span_context()
        arrived = above.is_remote or not above.is_valid
        # With gRPC there is rasa-sdk's own span around it, which is the server's.
        kind = self.trace.SpanKind.SERVER if arrived else self.trace.SpanKind.INTERNAL
        attributes = {"next_action": _text(action)} if action else {}
        span = self._tracer.start_span(SPAN_NAME, parent, kind, attributes)
        return (_CallSpan if span.is_recording() else _UnsampledCall)(self, span, parent)

    def job(self, name: str, asked_in: str) -> Span:
        """Begin the span of a job's run, as :meth:`Tracing.job`.

        A link and no parent: the call's trace has long ended, and a retry may come a day later.
        """
        from opentelemetry import context, trace

        nothing = context.Context()
        asked = trace.get_current_span(self._propagator.extract({"traceparent": asked_in}, nothing)).get_span_context()
        links = [trace.Link(asked)] if asked.is_valid else []
        kind, attributes = trace.SpanKind.CONSUMER, {"job": _text(name)}
        span = self._tracer.start_span(JOB_SPAN_NAME, nothing, kind, attributes, links)
        return _CallSpan(self, span, nothing)

    def step(self, name: str) -> Span:
        """Begin a child of the current span; of a call that is not sampled nothing is kept, so it has no steps."""
        above = self.trace.get_current_span()
        if not above.is_recording() and above.get_span_context().is_valid:
            return NO_SPAN
        return _CurrentSpan(self, self._tracer.start_span(name))

    def current(self) -> Span:
        """Return the current span, which others began."""
        return _RecordedSpan(self.trace.get_current_span())

    def request(self, request: aiohttp.TraceRequestStartParams) -> _RecordedSpan:
        """Begin the span of an outbound request, and add its headers to it."""
        # No path either: it names customers as often as the query does.
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "server.address": request.url.host or "",
            "server.port": request.url.port or 0,
        }
        span = self._tracer.start_span(request.method, None, self.trace.SpanKind.CLIENT, attributes)
        self._propagator.inject(request.headers, self.trace.set_span_in_context(span))
        return _RecordedSpan(span)

    def inject(self, headers: MutableMapping[str, str]) -> None:
        """Add ``traceparent`` and its like to the headers of an outbound request."""
        self._propagator.inject(headers)

    def trace_id(self) -> str:
        """Return the current trace's id, 32 hexadecimal digits; empty if there is none."""
        found = self.trace.get_current_span().get_span_context()
        return self.trace.format_trace_id(found.trace_id) if found.is_valid else ""


class _Unsampled:
    """What stands for the recorder in a call that is not sampled: nothing is kept of it, and its id is passed on."""

    __slots__ = ("_recorder", "_span", "inject", "request")

    def __init__(self, recorder: Recorder, span: OtelSpan) -> None:
        self._recorder = recorder
        self._span = span
        self.inject, self.request = recorder.inject, recorder.request

    def step(self, name: str) -> Span:
        """Begin nothing."""
        return NO_SPAN

    def current(self) -> Span:
        """Return a span that is kept nowhere."""
        return NO_SPAN

    def trace_id(self) -> str:
        """Return the trace's id, 32 hexadecimal digits."""
        return str(self._recorder.trace.format_trace_id(self._span.get_span_context().trace_id))


class _RecordedSpan(Span):
    """A span of OpenTelemetry."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def __exit__(self, _: type[BaseException] | None, exc: BaseException | None, __: TracebackType | None) -> None:
        if exc is not None:
            self.failed(exc)
        self.end()

    def about(self, call: Call) -> None:
        if not self._span.is_recording():
            # Nothing of it is kept, and the message would be decoded for it.
            return
        message = call.part("latest_message") or {}
        facts = {
            "next_action": call.action,
            "version": call.version,
            "sender_id": call.sender_id,
            "message_id": message.get("message_id"),
        }
        self._span.set_attributes({name: _text(fact) for name, fact in facts.items() if fact is not None})

    def failed(self, error: BaseException) -> None:
        kind = type(error).__name__
        self._span.set_attribute("error.type", kind)
        if isinstance(error, CallError) and error.error_id is not None:
            self._span.set_attribute("error_id", error.error_id)
        # The caller's mistake, or the conversation's ordinary course: nobody has to look after such a span.
        is_failure = error.is_failure if isinstance(error, CallError) else not isinstance(error, CancelledError)
        if is_failure:
            self._mark(kind)

    def answered(self, status: int) -> None:
        """Say with which status an outbound request was answered."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 400:
            self._span.set_attribute("error.type", str(status))
            self._mark(str(status))

    def end(self) -> None:
        self._span.end()

    def _mark(self, reason: str) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_status(StatusCode.ERROR, reason)


class _CurrentSpan(_RecordedSpan):
    """A span that is the current one until it ends."""

    def __init__(self, recorder: Recorder, span: OtelSpan, parent: Context | None = None) -> None:
        super().__init__(span)
        self._detach = recorder.context.detach
        self._token = recorder.context.attach(recorder.trace.set_span_in_context(span, parent))
        self._ended = False

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._detach(self._token)
            self._span.end()


class _CallSpan(_CurrentSpan):
    """The span of a call: while it is current, what the call asks of others is traced as well."""

    def __init__(self, recorder: Recorder, span: OtelSpan, parent: Context) -> None:
        super().__init__(recorder, span, parent)
        self._outer = current_recorder.set(self._recorder_of(recorder))

    def _recorder_of(self, recorder: Recorder) -> Recorder | _Unsampled:
        return recorder

    def end(self) -> None:
        if not self._ended:
            # Ended by another task than it was begun by, there is nothing to put back.
            with suppress(ValueError):
                current_recorder.reset(self._outer)
        super().end()


class _UnsampledCall(_CallSpan):
    """The span of a call of which nothing is kept."""

    def _recorder_of(self, recorder: Recorder) -> Recorder | _Unsampled:
        return _Unsampled(recorder, self._span)

    def about(self, call: Call) -> None: ...

    def failed(self, error: BaseException) -> None: ...


def _text(value: object) -> str:
    # One lone surrogate, which engines do send, and protobuf would lose the whole batch of spans.
    return str(value)[:_LONGEST_ATTRIBUTE].encode("utf-8", "replace").decode("utf-8")
