"""A call is one trace from the engine to the services its action asks, and tracing that is off costs nothing."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from action_server.errors import ActionFailedError, CallError, MissingDomainError, SaturatedError, SettingsError
from action_server.protocol.calls import Call
from action_server.runtime.threads import ThreadPool
from action_server.telemetry.tracing import (
    NO_SPAN,
    Collector,
    Tracing,
    aiohttp_trace_config,
    collectors_of,
    outbound_headers,
    trace_id,
)
from tests.processes import PATIENCE

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
SECRET = "sEcReT"
CALL = Call("action_book", "ann", {"latest_message": {"text": SECRET, "message_id": "m1"}}, version="3.21.1")


class Recorded(Tracing):
    """Tracing that keeps its spans in memory."""

    def __init__(self) -> None:
        self.memory = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.memory))
        super().__init__(provider)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.memory.get_finished_spans()}


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def parent_of(span: ReadableSpan) -> str:
    return f"{span.parent.span_id:016x}" if span.parent else ""


def id_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


# Off


def test_off_is_what_a_tracing_without_collectors_is() -> None:
    assert not Tracing.to(()).is_on


def test_off_takes_every_call_and_says_nothing() -> None:
    off = Tracing.off()
    headers: dict[str, str] = {}
    with off.call(TRACEPARENT, "action_book") as span, off.step("decode") as step:
        span.about(CALL)
        span.failed(ValueError())
        off.failed(ValueError())
        off.inject(headers)
        step.end()
        assert (off.trace_id(), trace_id(), outbound_headers(), headers) == ("", "", {}, {})
    off.share()
    off.close()


def test_off_imports_nothing_of_opentelemetry() -> None:
    """Neither the SDK nor the API, also when it is asked for everything it has."""
    code = """if True:
        import sys
        from action_server.telemetry import tracing
        off = tracing.Tracing.to(tracing.collectors_of(None, {}))
        with off.call({}) as span, off.step("run"):
            off.inject({}); tracing.outbound_headers(); tracing.trace_id(); tracing.aiohttp_trace_config()
        off.share(); off.close()
        print([name for name in sys.modules if name.startswith("opentelemetry")])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout == "[]\n"


def test_off_makes_no_spans() -> None:
    """Every step and call is the one span that does nothing."""
    off = Tracing.off()

    assert off.step("queue") is off.call({}) is NO_SPAN


# Spans


def test_a_call_is_a_child_of_the_engines_span(recorded: Recorded) -> None:
    with recorded.call(TRACEPARENT, "action_book"):
        assert recorded.trace_id() == trace_id() == TRACE
    span = recorded.spans["action_server.webhook"]
    assert (parent_of(span), span.kind) == (PARENT, SpanKind.SERVER)
    assert attributes_of(span) == {"next_action": "action_book"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"traceparent": "00-zz-zz-01"}, id="malformed"),
        pytest.param({"traceparent": f"00-{'0' * 32}-{'0' * 16}-01"}, id="zeros"),
        pytest.param({"traceparent": ""}, id="empty"),
    ],
)
def test_a_call_without_a_trace_begins_one(recorded: Recorded, headers: Mapping[str, str]) -> None:
    with recorded.call(headers):
        assert re.fullmatch("[0-9a-f]{32}", trace_id())
    assert parent_of(recorded.spans["action_server.webhook"]) == ""


def test_a_trace_that_is_not_sampled_is_not_recorded_but_has_its_id(recorded: Recorded) -> None:
    with recorded.call({"traceparent": f"00-{TRACE}-{PARENT}-00"}):
        assert trace_id() == TRACE
        assert outbound_headers()["traceparent"].endswith("-00")
    assert recorded.spans == {}


def test_after_a_call_there_is_no_trace(recorded: Recorded) -> None:
    with recorded.call(TRACEPARENT):
        pass
    assert (trace_id(), outbound_headers(), recorded.trace_id()) == ("", {}, "")


def test_steps_are_children_of_their_call_one_after_another(recorded: Recorded) -> None:
    with recorded.call(TRACEPARENT):
        with recorded.step("decode"):
            pass
        queue = recorded.step("queue")
        queue.end()
        with recorded.step("run"):
            pass
        queue.end()
    call = id_of(recorded.spans["action_server.webhook"])
    assert {name: parent_of(recorded.spans[name]) for name in ("decode", "queue", "run")} == {
        "decode": call,
        "queue": call,
        "run": call,
    }
    assert len(recorded.memory.get_finished_spans()) == 4


def test_a_call_is_told_in_rasa_sdks_words_and_without_its_message(recorded: Recorded) -> None:
    with recorded.call() as span:
        span.about(CALL)
    span_of_call = recorded.spans["action_server.webhook"]
    assert attributes_of(span_of_call) == {
        "next_action": "action_book",
        "version": "3.21.1",
        "sender_id": "ann",
        "message_id": "m1",
    }
    assert SECRET not in span_of_call.to_json()


def test_a_lone_surrogate_and_a_long_name_do_not_reach_the_exporter(recorded: Recorded) -> None:
    """Protobuf refuses the one, and with it the whole batch; the other is anybody's to send."""
    with recorded.call() as span:
        span.about(Call("x" * 100_000, "\ud800ann", {}))
    attributes = attributes_of(recorded.spans["action_server.webhook"])
    assert (attributes["sender_id"], len(attributes["next_action"])) == ("?ann", 256)


@pytest.mark.parametrize(
    ("error", "status", "attributes"),
    [
        (ValueError(SECRET), StatusCode.ERROR, {"error.type": "ValueError"}),
        (ActionFailedError("a", "e1"), StatusCode.ERROR, {"error.type": "ActionFailedError", "error_id": "e1"}),
        (SaturatedError("a", "--max-calls", 1), StatusCode.ERROR, {"error.type": "SaturatedError"}),
        (MissingDomainError("a"), StatusCode.UNSET, {"error.type": "MissingDomainError"}),
        (asyncio.CancelledError(), StatusCode.UNSET, {"error.type": "CancelledError"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failure_is_told_by_its_class_and_id_alone(
    recorded: Recorded, error: BaseException, status: StatusCode, attributes: dict[str, str]
) -> None:
    with pytest.raises(type(error)), recorded.call():
        raise error
    span = recorded.spans["action_server.webhook"]
    assert (span.status.status_code, attributes_of(span), span.events) == (status, attributes, ())
    assert SECRET not in span.to_json()


def test_a_failure_that_is_answered_is_told_too(recorded: Recorded) -> None:
    """A policy turns failures into replies of 200; the trace says what was behind them."""
    error: CallError = ActionFailedError("action_book", "e1")
    with recorded.call():
        with recorded.step("run"):
            pass
        recorded.failed(error)
    assert attributes_of(recorded.spans["action_server.webhook"])["error_id"] == "e1"
    assert recorded.spans["run"].status.status_code is StatusCode.UNSET


def test_a_call_inside_of_a_span_of_rasa_sdks_grpc_is_its_child(recorded: Recorded) -> None:
    assert recorded.provider is not None
    with recorded.provider.get_tracer("rasa").start_as_current_span("GRPCActionServerWebhook.Webhook"), recorded.call():
        pass
    inner = recorded.spans["action_server.webhook"]
    assert parent_of(inner) == id_of(recorded.spans["GRPCActionServerWebhook.Webhook"])
    assert inner.kind is SpanKind.INTERNAL


async def test_calls_side_by_side_keep_their_traces_apart(recorded: Recorded) -> None:
    async def one(number: int) -> bool:
        mine = f"{number:032x}"
        with recorded.call({"traceparent": f"00-{mine}-{PARENT}-01"}), recorded.step("run"):
            await asyncio.sleep(0.001 * (number % 3))
            return trace_id() == mine

    assert all(await asyncio.gather(*(one(number) for number in range(1, 30))))


async def test_the_trace_goes_along_to_an_actions_thread(recorded: Recorded) -> None:
    workers = ThreadPool(1)
    try:
        with recorded.call(TRACEPARENT), recorded.step("run"):
            found = await workers.call(lambda: (trace_id(), outbound_headers(), threading.current_thread().name))
    finally:
        workers.close()
    assert found[0] == TRACE
    assert found[1]["traceparent"] == f"00-{TRACE}-{id_of(recorded.spans['run'])}-01"
    assert found[2] != threading.current_thread().name


def test_a_call_that_ends_elsewhere_than_it_began_ends(recorded: Recorded) -> None:
    """As when a stream's generator is closed by the garbage collector."""
    span = contextvars.copy_context().run(recorded.call, TRACEPARENT)
    span.end()
    assert list(recorded.spans) == ["action_server.webhook"]


# Outbound


def test_baggage_and_trace_are_passed_on(recorded: Recorded) -> None:
    headers: dict[str, str] = {}
    with recorded.call({**TRACEPARENT, "baggage": "tenant=clinic"}):
        recorded.inject(headers)
        assert headers == outbound_headers()
    span = id_of(recorded.spans["action_server.webhook"])
    assert headers == {"traceparent": f"00-{TRACE}-{span}-01", "baggage": "tenant=clinic"}


@contextmanager
def listening(answers: Mapping[str, int]) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """Serve HTTP with a status for each path; gives the address and the headers that came."""
    seen: list[Mapping[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            self.send_response(answers[self.path.partition("?")[0]])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


async def test_each_request_of_an_aiohttp_session_is_a_span_and_carries_the_trace(recorded: Recorded) -> None:
    with listening({"/ann": 200, "/bob": 503}) as (url, seen):
        async with aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()]) as session:
            with recorded.call(TRACEPARENT), recorded.step("run"):
                for path in ("/ann", "/bob"):
                    async with session.get(f"{url}{path}?token={SECRET}"):
                        pass
    port = int(url.rpartition(":")[2])
    ann, bob = [span for span in recorded.memory.get_finished_spans() if span.name == "GET"]
    about = {"http.request.method": "GET", "server.address": "127.0.0.1", "server.port": port}
    assert attributes_of(ann) == {**about, "http.response.status_code": 200}
    assert attributes_of(bob) == {**about, "http.response.status_code": 503, "error.type": "503"}
    assert (ann.status.status_code, bob.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert ann.kind is SpanKind.CLIENT
    assert parent_of(ann) == parent_of(bob) == id_of(recorded.spans["run"])
    assert [headers["traceparent"] for headers in seen] == [f"00-{TRACE}-{id_of(span)}-01" for span in (ann, bob)]
    assert SECRET not in ann.to_json() + bob.to_json()


async def test_a_request_nobody_answers_is_a_failed_span(recorded: Recorded) -> None:
    async with aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()]) as session:
        with recorded.call(), pytest.raises(aiohttp.ClientError):
            await session.get("http://127.0.0.1:1/")
    span = recorded.spans["GET"]
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)["error.type"] == "ClientConnectorError"


async def test_a_request_outside_of_any_call_is_left_alone() -> None:
    with listening({"/": 200, "/missing": 404}) as (url, seen):
        async with aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()]) as session:
            async with session.get(url) as response:
                assert response.status == 200
            with pytest.raises(aiohttp.ClientError):
                await session.get("http://127.0.0.1:1/")
    assert "traceparent" not in seen[0]


# Collectors


class FakeCollector(trace_service_pb2_grpc.TraceServiceServicer):
    """A collector that keeps what it gets."""

    def __init__(self) -> None:
        self.requests: list[trace_service_pb2.ExportTraceServiceRequest] = []
        self.metadata: dict[str, str] = {}

    def Export(self, request: Any, context: Any) -> trace_service_pb2.ExportTraceServiceResponse:  # noqa: N802
        self.requests.append(request)
        self.metadata = dict(context.invocation_metadata())
        return trace_service_pb2.ExportTraceServiceResponse()

    @property
    def spans(self) -> dict[str, Any]:
        groups = [group for request in self.requests for group in request.resource_spans]
        return {span.name: span for group in groups for scope in group.scope_spans for span in scope.spans}

    @property
    def resource(self) -> dict[str, str]:
        return {a.key: a.value.string_value for a in self.requests[0].resource_spans[0].resource.attributes}


@contextmanager
def collector() -> Iterator[tuple[FakeCollector, int]]:
    fake = FakeCollector()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    add_service: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add_service(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield fake, port
    finally:
        server.stop(None).wait()


def endpoints(folder: Path, text: str) -> Path:
    path = folder / "endpoints.yml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["otlp", "jaeger", "variables", "http"])
def test_the_spans_of_a_call_arrive_at_a_collector(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over real sockets, from each way to name a collector, with the engine's span as parent."""
    environment = {}
    text = "action_endpoint: {url: http://localhost:5055/webhook}\n"
    with collector() as (fake, port), over_http(fake) as http_port:
        if kind == "otlp":
            text += f"tracing: {{type: otlp, endpoint: 127.0.0.1:{port}, insecure: true, service_name: clinic}}"
        elif kind == "jaeger":
            text += f"tracing: {{type: jaeger, host: 127.0.0.1, port: {port}, username: u, password: p}}"
        elif kind == "variables":
            environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_SERVICE_NAME": "by_name"}
        else:
            environment = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{http_port}",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        traced = Tracing.to(collectors_of(endpoints(tmp_path, text), environment))
        with traced.call(TRACEPARENT) as span, traced.step("run"):
            span.about(CALL)
        traced.close()
    root, run = fake.spans["action_server.webhook"], fake.spans["run"]
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, PARENT)
    assert (run.trace_id.hex(), run.parent_span_id.hex()) == (TRACE, root.span_id.hex())
    names = {"otlp": "clinic", "jaeger": "rasa_sdk", "variables": "by_name", "http": "rasa_sdk"}
    assert fake.resource["service.name"] == names[kind]
    if kind == "jaeger":
        assert fake.metadata["authorization"] == f"Basic {base64.b64encode(b'u:p').decode()}"


@contextmanager
def over_http(fake: FakeCollector) -> Iterator[int]:
    """The same collector, speaking OTLP/HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.requests.append(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_collector_that_is_gone_does_not_keep_the_worker() -> None:
    traced = Tracing.to([Collector(endpoint="http://127.0.0.1:1")])
    with traced.call():
        pass
    # Returns, though nobody takes the span: what it had to wait for is bounded.
    traced.close(timeout=0.2)
    assert traced.trace_id() == ""


def test_spans_of_the_authors_own_go_the_same_way() -> None:
    """What an action makes with `opentelemetry.trace` belongs to the call's trace and is sent with it."""
    code = f"""if True:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from action_server.telemetry.tracing import Tracing
        memory, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(memory))
        traced = Tracing(provider)
        traced.share(), traced.share()
        with traced.call({TRACEPARENT!r}), trace.get_tracer("mine").start_as_current_span("lookup"):
            pass
        print([(s.name, f"{{s.context.trace_id:032x}}") for s in memory.get_finished_spans()])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout == f"[('lookup', '{TRACE}'), ('action_server.webhook', '{TRACE}')]\n"


# What is read


BLOCK = "tracing: {type: otlp, endpoint: localhost:4317}"


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("", {}, ()),
        ("tracing:", {}, ()),
        ("[a, list]", {}, ()),
        (BLOCK, {}, (Collector(endpoint="localhost:4317"),)),
        (BLOCK, {"OTEL_SDK_DISABLED": "TRUE"}, ()),
        (BLOCK, {"OTEL_TRACES_EXPORTER": "none"}, ()),
        (BLOCK, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://other"}, (Collector(endpoint="localhost:4317"),)),
        ("tracing: {type: otlp, endpoint: '${HOST}:1'}", {"HOST": "h"}, (Collector(endpoint="h:1"),)),
        ("tracing: {type: otlp, endpoint: a, new_key_of_the_engine: 1}", {}, (Collector(endpoint="a"),)),
        ("tracing: {type: jaeger}", {}, (Collector(endpoint="http://localhost:4317", insecure=True),)),
        ("tracing: [{type: langfuse, host: x}, {type: otlp, endpoint: a}]", {}, (Collector(endpoint="a"),)),
        ("tracing: {type: langfuse}", {}, ()),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, (Collector(),)),
        ("tracing:", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, (Collector(),)),
        ("", {"OTEL_TRACES_EXPORTER": "otlp"}, (Collector(),)),
        ("", {"OTEL_TRACES_EXPORTER": "console, otlp"}, (Collector("console"), Collector())),
        ("", {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, (Collector(),)),
    ],
)
def test_where_spans_go_is_read_from_the_block_then_from_the_variables(
    tmp_path: Path, text: str, environment: dict[str, str], expected: tuple[Collector, ...]
) -> None:
    assert collectors_of(endpoints(tmp_path, text), environment) == expected


def test_a_file_that_is_not_there_has_no_block(tmp_path: Path) -> None:
    assert collectors_of(tmp_path / "endpoints.yml", {}) == collectors_of(None, {}) == ()


@pytest.mark.parametrize(
    ("text", "environment", "where", "problem"),
    [
        ("tracing: otlp", {}, "FILE: tracing", "must hold `type"),
        ("tracing: {}", {}, "FILE: tracing.type", "must be jaeger or otlp"),
        ("tracing: {type: zipkin}", {}, "FILE: tracing.type", "must be jaeger or otlp"),
        ("tracing: {type: [a]}", {}, "FILE: tracing.type", "must be jaeger or otlp"),
        ("tracing: {type: otlp}", {}, "FILE: tracing.endpoint", "Field required"),
        ("tracing: {type: otlp, endpoint: }", {}, "FILE: tracing.endpoint", "valid string"),
        ("tracing: {type: otlp, endpoint: a, insecure: sEcReT}", {}, "FILE: tracing.insecure", "valid boolean"),
        ("tracing: {type: otlp, endpoint: '${NOT}'}", {}, "FILE: tracing.endpoint", "NOT is not set"),
        (
            "tracing: {type: otlp, endpoint: a, root_certificates: no.pem}",
            {},
            "FILE: tracing.root_cert",
            "No such file",
        ),
        (
            'tracing: {type: otlp, endpoint: a, root_certificates: "\\0"}',
            {},
            "FILE: tracing.root_cert",
            "cannot be read",
        ),
        ("tracing: {type: jaeger, port: 0}", {}, "FILE: tracing.port", "greater than"),
        ("tracing: {type: jaeger, password: {a: sEcReT}}", {}, "FILE: tracing.password", "valid"),
        ("tracing: [{type: langfuse}, {type: otlp}]", {}, "FILE: tracing[1].endpoint", "Field required"),
        ("tracing: {", {}, "FILE", "cannot be read as YAML"),
        ("", {"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER", "must be otlp, console or none"),
        (
            "",
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "must be grpc or",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(
    tmp_path: Path, text: str, environment: dict[str, str], where: str, problem: str
) -> None:
    """File and key, and nothing of the file: it may hold credentials."""
    path = endpoints(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        collectors_of(path, environment)
    message = str(caught.value)
    assert where.replace("FILE", str(path)) in message
    assert problem in message
    assert "\n" not in message
    assert "sEcReT" not in message


def test_variables_that_opentelemetry_refuses_are_a_setting_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", SECRET)
    with pytest.raises(SettingsError, match="OTEL_") as caught:
        Tracing.to([Collector()])
    assert SECRET not in str(caught.value)


def test_a_collectors_credentials_are_not_in_its_repr() -> None:
    assert SECRET not in repr(Collector(authorization=SECRET))
