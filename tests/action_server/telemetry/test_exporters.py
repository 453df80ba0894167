"""Spans arrive at collectors, over real sockets."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from action_server.endpoints import Block
from action_server.errors import SettingsError
from action_server.telemetry.collectors import Collector, collectors_of
from action_server.telemetry.tracing import Tracing
from tests.action_server.telemetry.recorded_spans import (
    CALL,
    PARENT,
    SECRET,
    TRACE,
    TRACEPARENT,
)


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


@pytest.mark.parametrize("kind", ["otlp", "jaeger", "variables", "http"])
def test_the_spans_of_a_call_arrive_at_a_collector(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over real sockets, from each way to name a collector, with the engine's span as parent."""
    environment = {}
    block: dict[str, object] | None = None
    with collector() as (fake, port), over_http(fake) as http_port:
        if kind == "otlp":
            block = {"type": "otlp", "endpoint": f"127.0.0.1:{port}", "insecure": True, "service_name": "clinic"}
        elif kind == "jaeger":
            block = {"type": "jaeger", "host": "127.0.0.1", "port": port, "username": "u", "password": "p"}
        elif kind == "variables":
            environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_SERVICE_NAME": "by_name"}
        else:
            environment = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{http_port}",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        traced = Tracing.to(collectors_of(Block("endpoints.yml: tracing", block, environment)))
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


def test_variables_that_opentelemetry_refuses_are_a_setting_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", SECRET)
    with pytest.raises(SettingsError, match="OTEL_") as caught:
        Tracing.to([Collector()])
    assert SECRET not in str(caught.value)
