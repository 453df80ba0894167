"""A call is one trace from the engine to the services its action asks, and tracing that is off costs nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from action_server.telemetry.collectors import Collector
from action_server.telemetry.spans import NO_SPAN
from action_server.telemetry.tracing import Tracing, aiohttp_trace_config, outbound_headers, trace_id
from tests.action_server.telemetry.recorded_spans import (
    CALL,
    SECRET,
    TRACE,
    TRACEPARENT,
    Recorded,
    attributes_of,
    id_of,
    parent_of,
)
from tests.processes import PATIENCE


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
        from action_server.endpoints import Block
        from action_server.telemetry import collectors, tracing
        off = tracing.Tracing.to(collectors.collectors_of(Block()))
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
