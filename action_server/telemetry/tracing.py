"""Traces: a span for each call, for its steps and for what it asks of others, sent to OpenTelemetry collectors.

Off unless endpoints.yml has rasa-sdk's ``tracing:`` block or the standard ``OTEL_*`` variables name a collector. While
it is off, nothing of OpenTelemetry is imported here. No span holds a message, a slot, an exception's text or the path
of an outbound request.
"""

from __future__ import annotations

import base64
import os
import threading
from asyncio import CancelledError
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from action_server.endpoints import expanded
from action_server.errors import CallError, SettingsError
from action_server.protocol.calls import Call
from action_server.yaml_file import read_yaml

if TYPE_CHECKING:
    import aiohttp
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span as OtelSpan

SPAN_NAME = "action_server.webhook"
# What rasa-sdk calls itself, so that dashboards find the action server where it was.
DEFAULT_SERVICE_NAME = "rasa_sdk"

_LONGEST_ATTRIBUTE = 256

Transfer = Literal["grpc", "http/protobuf", "console"]


@dataclass(frozen=True)
class Collector:
    """Where spans go. What is None is left to OpenTelemetry, which reads its own ``OTEL_*`` variables."""

    transfer: Transfer = "grpc"
    endpoint: str | None = None
    insecure: bool | None = None
    root_certificates: bytes | None = None
    authorization: str | None = field(default=None, repr=False)
    service_name: str | None = None


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


class Tracing:
    """The traces of one worker."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self.provider = provider
        self._recorder = None if provider is None else _Recorder(provider)
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
            return cls(_provider(collectors))
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

    def step(self, name: str) -> Span:
        """Begin a child of the current span: ``queue``, ``decode``, ``run``."""
        return NO_SPAN if self._recorder is None else self._recorder.step(name)

    def failed(self, error: BaseException) -> None:
        """Say of the current span what went wrong, though its block ends without an exception."""
        if self._recorder is not None:
            self._recorder.current().failed(error)

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


# Of the call that is running here. Threads and tasks of an action have it too: they copy the caller's variables.
_current: ContextVar[_Recorder | None] = ContextVar("action_server_tracing", default=None)


def trace_id() -> str:
    """Return the running call's trace id, 32 hexadecimal digits; empty if it is not traced."""
    recorder = _current.get()
    return "" if recorder is None else recorder.trace_id()


def outbound_headers() -> dict[str, str]:
    """Return the headers that make another service's spans children of the running call's; empty if it is not traced.

    For clients that are not aiohttp: ``requests.get(url, headers=outbound_headers())``.
    """
    headers: dict[str, str] = {}
    recorder = _current.get()
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
    config.on_request_start.append(_request_started)
    config.on_request_end.append(_request_ended)
    config.on_request_exception.append(_request_failed)
    return config


async def _request_started(_: object, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
    recorder = _current.get()
    context.span = None if recorder is None else recorder.request(request)


async def _request_ended(_: object, context: SimpleNamespace, request: aiohttp.TraceRequestEndParams) -> None:
    if context.span is not None:
        context.span.answered(request.response.status)
        context.span.end()


async def _request_failed(_: object, context: SimpleNamespace, request: aiohttp.TraceRequestExceptionParams) -> None:
    if context.span is not None:
        context.span.failed(request.exception)
        context.span.end()


class _Recorder:
    """Makes spans. Everything of OpenTelemetry is imported from here on."""

    def __init__(self, provider: TracerProvider) -> None:
        # Where OTEL_PROPAGATORS is read; an unknown one fails now and not in the first call.
        from opentelemetry import propagate

        self._propagator = propagate.get_global_textmap()
        self._tracer = provider.get_tracer("action_server")

    def call(self, headers: Mapping[str, str], action: str) -> Span:
        from opentelemetry import context, trace

        parent = self._propagator.extract(headers, context.get_current())
        above = trace.get_current_span(parent).get_span_context()
        arrived = above.is_remote or not above.is_valid
        # With gRPC there is rasa-sdk's own span around it, which is the server's.
        kind = trace.SpanKind.SERVER if arrived else trace.SpanKind.INTERNAL
        attributes = {"next_action": _text(action)} if action else {}
        span = self._tracer.start_span(SPAN_NAME, parent, kind, attributes)
        return _CallSpan(self, span, parent)

    def step(self, name: str) -> Span:
        return _CurrentSpan(self._tracer.start_span(name))

    def current(self) -> _RecordedSpan:
        from opentelemetry import trace

        return _RecordedSpan(trace.get_current_span())

    def request(self, request: aiohttp.TraceRequestStartParams) -> _RecordedSpan:
        from opentelemetry import trace

        # No path either: it names customers as often as the query does.
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "server.address": request.url.host or "",
            "server.port": request.url.port or 0,
        }
        span = self._tracer.start_span(request.method, None, trace.SpanKind.CLIENT, attributes)
        self._propagator.inject(request.headers, trace.set_span_in_context(span))
        return _RecordedSpan(span)

    def inject(self, headers: MutableMapping[str, str]) -> None:
        self._propagator.inject(headers)

    def trace_id(self) -> str:
        from opentelemetry import trace

        found = trace.get_current_span().get_span_context()
        return trace.format_trace_id(found.trace_id) if found.is_valid else ""


class _RecordedSpan(Span):
    """A span of OpenTelemetry."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def __exit__(self, _: type[BaseException] | None, exc: BaseException | None, __: TracebackType | None) -> None:
        if exc is not None:
            self.failed(exc)
        self.end()

    def about(self, call: Call) -> None:
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

    def __init__(self, span: OtelSpan, parent: Context | None = None) -> None:
        super().__init__(span)
        from opentelemetry import context, trace

        self._token = context.attach(trace.set_span_in_context(span, parent))
        self._ended = False

    def end(self) -> None:
        if not self._ended:
            from opentelemetry import context

            self._ended = True
            context.detach(self._token)
            self._span.end()


class _CallSpan(_CurrentSpan):
    """The span of a call: while it is current, what the call asks of others is traced as well."""

    def __init__(self, recorder: _Recorder, span: OtelSpan, parent: Context) -> None:
        super().__init__(span, parent)
        self._outer = _current.set(recorder)

    def end(self) -> None:
        if not self._ended:
            # Ended by another task than it was begun by, there is nothing to put back.
            with suppress(ValueError):
                _current.reset(self._outer)
        super().end()


def _text(value: object) -> str:
    # One lone surrogate, which engines do send, and protobuf would lose the whole batch of spans.
    return str(value)[:_LONGEST_ATTRIBUTE].encode("utf-8", "replace").decode("utf-8")


class _Block(BaseModel):
    # Keys nobody here knows are the engine's, which reads the same file.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    service_name: str | None = None


class _Jaeger(_Block):
    host: str = "localhost"
    # Not rasa-sdk's 6831: since it speaks OTLP to Jaeger, nothing of it arrives there.
    port: int = Field(default=4317, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None

    def collector(self) -> Collector:
        authorization = None
        if self.username and self.password:
            pair = f"{self.username}:{self.password.get_secret_value()}".encode()
            authorization = f"Basic {base64.b64encode(pair).decode()}"
        address = f"http://{self.host}:{self.port}"
        return Collector("grpc", address, True, None, authorization, self.service_name)


class _Otlp(_Block):
    endpoint: str = Field(min_length=1)
    insecure: bool | None = None
    root_certificates: str | None = None

    def collector(self) -> Collector:
        root = Path(self.root_certificates).read_bytes() if self.root_certificates and not self.insecure else None
        return Collector("grpc", self.endpoint, self.insecure, root, None, self.service_name)


_BLOCKS: dict[str, type[_Jaeger] | type[_Otlp]] = {"jaeger": _Jaeger, "otlp": _Otlp}
# Backends that only the engine has: https://rasa.com/docs/reference/integrations/langfuse
_ENGINES_OWN = frozenset({"langfuse"})


def collectors_of(endpoints: Path | None, environment: Mapping[str, str]) -> tuple[Collector, ...]:
    """Read where spans go: ``tracing:`` of endpoints.yml, without it the ``OTEL_*`` variables; empty for nowhere.

    ``OTEL_SDK_DISABLED=true`` and ``OTEL_TRACES_EXPORTER=none`` switch the block off, too.

    Raises:
        SettingsError: the block or a variable is wrong; names the file and the key.
    """
    exporters = [name.strip() for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporters == ["none"]:
        return ()
    content = read_yaml(endpoints, str(endpoints)) if endpoints is not None and endpoints.exists() else None
    block = content.get("tracing") if isinstance(content, dict) else None
    if block is None:
        return _from_variables(exporters, environment)
    # The engine takes a list as well, for several backends at once.
    entries = block if isinstance(block, list) else [block]
    where = f"{endpoints}: tracing"
    places = [f"{where}[{index}]" if isinstance(block, list) else where for index in range(len(entries))]
    found = [_from_block(entry, place, environment) for entry, place in zip(entries, places, strict=True)]
    return tuple(collector for collector in found if collector is not None)


def _from_block(block: object, where: str, environment: Mapping[str, str]) -> Collector | None:
    if not isinstance(block, dict):
        raise SettingsError(
            where, "must hold `type: jaeger` or `type: otlp` and its settings, one `name: value` a line"
        )
    name = str(block.get("type"))
    if name in _ENGINES_OWN:
        return None
    kind = _BLOCKS.get(name)
    if kind is None:
        raise SettingsError(f"{where}.type", f"must be {' or '.join(_BLOCKS)}")
    given = {str(key): expanded(value, f"{where}.{key}", environment) for key, value in block.items()}
    try:
        return kind.model_validate(given).collector()
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SettingsError(f"{where}.{first['loc'][0]}", first["msg"]) from None
    except (OSError, ValueError) as exc:
        problem = exc.strerror if isinstance(exc, OSError) else "no file can have this name"
        raise SettingsError(f"{where}.root_certificates", f"the file cannot be read: {problem}") from exc


def _from_variables(exporters: Sequence[str], environment: Mapping[str, str]) -> tuple[Collector, ...]:
    def given(name: str) -> str | None:
        return environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environment.get(f"OTEL_EXPORTER_OTLP_{name}")

    if not exporters and not given("ENDPOINT"):
        return ()
    found = []
    for name in exporters or ["otlp"]:
        if name not in ("otlp", "console", "none"):
            raise SettingsError("OTEL_TRACES_EXPORTER", "must be otlp, console or none")
        # OpenTelemetry's own default for Python.
        transfer: Any = "console" if name == "console" else given("PROTOCOL") or "grpc"
        if transfer not in ("grpc", "http/protobuf", "console"):
            raise SettingsError("OTEL_EXPORTER_OTLP_PROTOCOL", "must be grpc or http/protobuf")
        if name != "none":
            found.append(Collector(transfer))
    return tuple(found)


def _provider(collectors: Sequence[Collector]) -> TracerProvider:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider

    resource = Resource.create({"process.pid": os.getpid()})
    named = next((c.service_name for c in collectors if c.service_name), None)
    if named is None and str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        named = os.environ.get("RASA_SDK_TRACING_SERVICE_NAME", DEFAULT_SERVICE_NAME)
    if named is not None:
        resource = resource.merge(Resource({SERVICE_NAME: named}))
    # Tracing.close() is the end; at the interpreter's own a collector that is gone could hold it.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for collector in collectors:
        provider.add_span_processor(_processor(collector))
    return provider


def _processor(collector: Collector) -> SpanProcessor:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    exporter: SpanExporter
    if collector.transfer == "console":
        exporter = ConsoleSpanExporter()
    elif collector.transfer == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

        exporter = OverHttp(endpoint=collector.endpoint)
    else:
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

        root = collector.root_certificates
        exporter = OverGrpc(
            endpoint=collector.endpoint,
            insecure=collector.insecure,
            credentials=grpc.ssl_channel_credentials(root) if root else None,
            # In lower case, which rasa-sdk's is not: gRPC refuses any other.
            headers=[("authorization", collector.authorization)] if collector.authorization else None,
        )
    return BatchSpanProcessor(exporter)
