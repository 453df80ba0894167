"""Traces: a span for each call, for its steps and for what it asks of others, sent to OpenTelemetry collectors.

Off unless endpoints.yml has rasa-sdk's ``tracing:`` block or the standard ``OTEL_*`` variables name a collector. While
it is off, nothing of OpenTelemetry is imported here. No span holds a message, a slot, an exception's text or the path
of an outbound request.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, MutableMapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

from action_server.errors import SettingsError
from action_server.telemetry.collectors import Collector
from action_server.telemetry.exporters import tracer_provider
from action_server.telemetry.spans import NO_SPAN, Recorder, Span, current_recorder

if TYPE_CHECKING:
    import aiohttp
    from opentelemetry.sdk.trace import TracerProvider


class Tracing:
    """The traces of one worker."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self.provider = provider
        self._recorder = None if provider is None else Recorder(provider)
        # Whether anything is traced.
        self.is_on = self._recorder is not None

    @classmethod
    def off(cls) -> Tracing:
        """Return one that traces nothing."""
        return cls()

    @classmethod
    def to(cls, collectors: Sequence[Collector]) -> Tracing:
        """Return one that sends to ``collectors``; without any it is off. Threads start here: call it in the worker.

        Raises:
            SettingsError: OpenTelemetry refuses what its variables say.
        """
        if not collectors:
            return cls.off()
        try:
            return cls(tracer_provider(collectors))
        except Exception as exc:
            # Their texts quote the values of variables, which may hold credentials.
            raise SettingsError("OTEL_*", f"OpenTelemetry refuses its settings ({type(exc).__name__})") from exc

    def share(self) -> None:
        """Send what actions trace themselves the same way: become OpenTelemetry's global provider, if it has none."""
        if self.provider is not None:
            from opentelemetry import trace

            if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
                trace.set_tracer_provider(self.provider)

    def call(self, headers: Mapping[str, str] | None = None, action: str = "") -> Span:
        """Begin the span of a call: child of the ``traceparent`` in ``headers``, otherwise of the current span."""
        return NO_SPAN if self._recorder is None else self._recorder.call(headers or {}, action)

    def job(self, name: str, asked_in: str) -> Span:
        """Begin the span of a job's run: a trace of its own, linked to the ``traceparent`` of who asked for it."""
        return NO_SPAN if self._recorder is None else self._recorder.job(name, asked_in)

    def step(self, name: str) -> Span:
        """Begin a child of the current span: ``queue``, ``decode``, ``run``."""
        return NO_SPAN if self._recorder is None else (current_recorder.get() or self._recorder).step(name)

    def failed(self, error: BaseException) -> None:
        """Say of the current span what went wrong, though its block ends without an exception."""
        if self._recorder is not None:
            (current_recorder.get() or self._recorder).current().failed(error)

    def inject(self, headers: MutableMapping[str, str]) -> None:
        """Add ``traceparent`` and its like to the headers of an outbound request."""
        if self._recorder is not None:
            self._recorder.inject(headers)

    def trace_id(self) -> str:
        """Return the current trace's id, 32 hexadecimal digits; empty if there is none."""
        return "" if self._recorder is None else self._recorder.trace_id()

    def close(self, timeout: float = 5.0) -> None:
        """Send what is left, for at most ``timeout`` seconds: a collector that is gone must not keep a worker."""
        if self.provider is not None:
            last = threading.Thread(target=self.provider.shutdown, name="tracing-close", daemon=True)
            last.start()
            last.join(timeout)


def trace_id() -> str:
    """Return the running call's trace id, 32 hexadecimal digits; empty if it is not traced."""
    recorder = current_recorder.get()
    return "" if recorder is None else recorder.trace_id()


def outbound_headers() -> dict[str, str]:
    """Return the headers that make another service's spans children of the running call's; empty if it is not traced.

    For clients that are not aiohttp: ``requests.get(url, headers=outbound_headers())``.
    """
    headers: dict[str, str] = {}
    recorder = current_recorder.get()
    if recorder is not None:
        recorder.inject(headers)
    return headers


def aiohttp_trace_config() -> aiohttp.TraceConfig:
    """Return what makes a span of each request of an aiohttp session, and passes the trace on::

        aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()])

    The session may be opened before any call: whether a request is traced shows when it is made.
    """
    import aiohttp

    config = aiohttp.TraceConfig()
    config.on_request_start.append(_begin_request_span)
    config.on_request_end.append(_end_request_span)
    config.on_request_exception.append(_fail_request_span)
    return config


async def _begin_request_span(_: object, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
    recorder = current_recorder.get()
    context.span = None if recorder is None else recorder.request(request)


async def _end_request_span(_: object, context: SimpleNamespace, request: aiohttp.TraceRequestEndParams) -> None:
    if context.span is not None:
        context.span.answered(request.response.status)
        context.span.end()


async def _fail_request_span(_: object, context: SimpleNamespace, request: aiohttp.TraceRequestExceptionParams) -> None:
    if context.span is not None:
        context.span.failed(request.exception)
        context.span.end()
