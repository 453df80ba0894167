"""The protocol in front of Sanic's answers usual calls as the plain route does, and leaves everything else to that."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from sanic import HTTPResponse, Request

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from action_server.security.auth import AuthSettings
from action_server.serving.http.app import create_app
from action_server.serving.http.fast_webhook import WebhookProtocol, fast_protocol
from action_server.serving.http.slow_requests import ImpatientHttpProtocol
from tests.action_server.serving.http.raw_calls import (
    GOOD,
    LIMIT,
    PLAIN,
    body_of,
    connected,
    exchange,
    gate,
    request,
    serving,
)

CALLS = {
    "a reply": (GOOD, []),
    "a reply with everything": (body_of(name="Zo\u00eb \ud83d", number=2**70, none=None), []),
    "a request id": (GOOD, ["X-Request-ID: abc"]),
    "a request id that is none": (GOOD, ["X-Request-ID: " + "a" * 200]),
    "the last one": (GOOD, ["Connection: close"]),
    "a rejection": (body_of("action_reject"), ["X-Request-ID: abc"]),
    "a failure": (body_of("action_fail"), []),
    "a failure of the last one": (body_of("action_fail"), ["connection: Close"]),
    "an unknown action": (body_of("action_nobody"), []),
    "a domain to be sent": (body_of("action_fail")[:-1] + b', "domain_digest": "d"}', []),
    "no JSON": (b"{", []),
    "no call": (b"[]", []),
}
DEFLATE, GZIP = "Content-Encoding: deflate", "Content-Encoding: gzip"
CALLS |= {
    "a deflated reply": (zlib.compress(GOOD), [DEFLATE]),
    "a raw deflated reply": (zlib.compress(GOOD)[2:-4], [DEFLATE]),
    "a gzipped reply": (gzip.compress(GOOD), ["content-encoding: GZIP", "X-Request-ID: abc"]),
    "another name of gzip": (gzip.compress(GOOD), ["Content-Encoding: x-gzip"]),
    "a name for nothing": (GOOD, ["Content-Encoding: identity"]),
    "an encoding without a name": (GOOD, ["Content-Encoding:"]),
    "a deflated failure of the last one": (zlib.compress(body_of("action_fail")), [DEFLATE, "Connection: close"]),
    "a deflated body that is none": (GOOD, [DEFLATE]),
    "a gzipped body that is cut": (gzip.compress(GOOD)[:-3], [GZIP]),
    "a gzipped body with a tail": (gzip.compress(GOOD) + b"{}", [GZIP]),
    "no JSON in a gzipped body": (gzip.compress(b"{"), [GZIP]),
    "a deflated body that grows too large": (zlib.compress(bytes(LIMIT + 1)), [DEFLATE]),
    "a deflated body of another size": (zlib.compress(body_of(text="x" * 3_000_000)), [DEFLATE]),
}


def lines_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    """The lines since the last time, without what differs between two calls."""
    told = ("action", "bytes", "client", "outcome", "problem", "status", "transport")
    lines = [(r.msg, {name: vars(r)[name] for name in told if name in vars(r)}) for r in caplog.records]
    caplog.clear()
    return lines


@pytest.mark.parametrize("case", CALLS)
async def test_both_routes_answer_the_same(
    port: int, case: str, answered: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Status, headers, body and lines of the log, but for ids that are made anew and an empty header of Sanic's."""
    caplog.set_level(logging.INFO, "action_server")
    body, headers = CALLS[case]

    mine = await exchange(port, request(body, *headers))
    my_lines = lines_of(caplog)
    plain = await exchange(port, request(body, *headers, PLAIN))
    assert lines_of(caplog) == my_lines

    assert answered == [body]
    given = any(header.startswith("X-Request-ID: abc") for header in headers)
    for _, found, answer in (mine, plain):
        found.pop("alt-svc", None)
        assert len(found.pop("content-length")) > 0
        if not given and "x-request-id" in found:
            assert len(found.pop("x-request-id")) == 16
        answer.pop("error_id", None)
    assert mine == plain


async def test_calls_follow_each_other_on_a_connection(port: int, answered: list[bytes]) -> None:
    """Errors in between do not end it; another request goes to Sanic, the calls after it come back."""
    async with connected(port) as connection:
        for _ in range(3):
            for body, status in [(GOOD, "200 OK"), (b"{", "400 Bad Request"), (GOOD, "200 OK")]:
                connection.send(request(body))
                assert (await connection.answer())[0] == f"HTTP/1.1 {status}"
            connection.send(request(b"", line="GET /health HTTP/1.1", framed=False))
            assert (await connection.answer())[2] == {"status": "ok"}
    assert len(answered) == 9


async def test_packed_calls_follow_each_other_on_a_connection(port: int, answered: list[bytes]) -> None:
    """And plain ones between them are not inflated: each has its own encoding."""
    async with connected(port) as connection:
        for body, headers in [(zlib.compress(GOOD), [DEFLATE]), (GOOD, []), (gzip.compress(GOOD), [GZIP]), (GOOD, [])]:
            connection.send(request(body, *headers))
            assert (await connection.answer())[0] == "HTTP/1.1 200 OK"
    assert len(answered) == 4


async def test_a_packed_body_may_come_in_pieces(port: int, answered: list[bytes]) -> None:
    """Its headers first, as aiohttp sends them."""
    packed = zlib.compress(GOOD)
    async with connected(port) as connection:
        for piece in (request(b"", DEFLATE, f"Content-Length: {len(packed)}", framed=False), packed[:20], packed[20:]):
            connection.send(piece)
            await connection.writer.drain()
            await asyncio.sleep(0.001)
        assert (await connection.answer())[0] == "HTTP/1.1 200 OK"
    assert answered == [packed]


@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
async def test_a_body_may_come_in_pieces(port: int, size: int, answered: list[bytes]) -> None:
    """As any body of some length does."""
    data = request(body_of(text="x" * size))
    async with connected(port) as connection:
        for _ in range(2):
            for start in range(0, len(data), len(data) // 3):
                connection.send(data[start : start + len(data) // 3])
                await connection.writer.drain()
                await asyncio.sleep(0.001)
            _, _, answer = await connection.answer()
            assert len(answer["events"][0]["value"]["text"]) == size
    assert len(answered) == 2


UNUSUAL: dict[str, tuple[bytes, str]] = {
    "chunks": (
        request(b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD), "Transfer-Encoding: chunked", framed=False),
        "200 OK",
    ),
    "another path": (request(line="POST /webhooks HTTP/1.1"), "404 Not Found"),
    "a header twice": (request(GOOD, "A: b", "A: c"), "200 OK"),
    "a header that is not ASCII": (request(GOOD, "A: \xe9"), "200 OK"),
    "another connection": (request(GOOD, "Connection: keep-alive, TE"), "200 OK"),
    "no length": (request(b"", framed=False), "400 Bad Request"),
    "an empty body": (request(b""), "400 Bad Request"),
    "too much": (request(b"", f"Content-Length: {LIMIT + 1}", framed=False), "413 Request Entity Too Large"),
    "another encoding": (request(GOOD, "Content-Encoding: br"), "415 Unsupported Media Type"),
    "two encodings": (request(GOOD, "Content-Encoding: deflate, gzip"), "415 Unsupported Media Type"),
    "an encoding twice": (request(GOOD, GZIP, DEFLATE), "415 Unsupported Media Type"),
    "a packed body that is empty": (request(b"", GZIP), "400 Bad Request"),
    "too much that is packed": (request(b"", GZIP, f"Content-Length: {LIMIT + 1}", framed=False), "413 Request Entity"),
}


@pytest.mark.parametrize("case", UNUSUAL)
async def test_an_unusual_request_is_left_to_the_plain_route(port: int, case: str, answered: list[bytes]) -> None:
    """With every byte of it."""
    data, status = UNUSUAL[case]

    assert (await exchange(port, data))[0].startswith(f"HTTP/1.1 {status}")
    assert answered == []


@pytest.mark.parametrize("cut", [1, 20, 40])
async def test_a_head_in_pieces_is_left_to_the_plain_route(port: int, cut: int, answered: list[bytes]) -> None:
    """Wherever it is cut."""
    async with connected(port) as connection:
        connection.send(request()[:cut])
        await asyncio.sleep(0.01)
        connection.send(request()[cut:])
        assert (await connection.answer())[0] == "HTTP/1.1 200 OK"
    assert answered == []


async def test_requests_that_come_too_early_are_answered_in_their_order(port: int, answered: list[bytes]) -> None:
    """Sent at once, or while the call before them runs."""
    async with connected(port) as connection:
        connection.send(request() + request(b"{") + request(body_of("action_nobody")))
        assert [(await connection.answer())[0][9:12] for _ in range(3)] == ["200", "400", "404"]
    async with connected(port) as connection:
        connection.send(request(body_of("action_wait")))
        await gate.started.wait()
        for _ in range(50):
            connection.send(request(body_of(text="x" * 20_000)))
        await asyncio.sleep(0.01)
        gate.released.set()
        statuses = [(await connection.answer())[0][9:12] for _ in range(51)]
    assert statuses == ["200"] * 51
    assert len(answered) == 1


async def test_a_body_that_stops_is_left_to_the_plain_route() -> None:
    """Which answers 408; a client that is late with the rest of it is not cut by us before."""
    async with serving(header_timeout=0.2, body_timeout=0.2) as port, connected(port) as connection:
        connection.send(request()[:-5])
        assert (await connection.answer())[0] == "HTTP/1.1 408 Request Timeout"
        assert await connection.is_closed()


async def test_a_client_that_goes_away_ends_its_call(caplog: pytest.LogCaptureFixture) -> None:
    """Where that is chosen. The action is cancelled, and the log says so, as on the plain route."""
    lines = []
    async with serving(on_disconnect="cancel") as port:
        for header in ([], [PLAIN]):
            caplog.clear()
            gate.started.clear()
            async with connected(port) as connection:
                connection.send(request(body_of("action_wait"), *header))
                await gate.started.wait()
            for _ in range(500):
                await asyncio.sleep(0.01)
                if "call.refused" in caplog.messages:
                    break
            lines.append([(r.msg, vars(r).get("status")) for r in caplog.records if r.msg == "call.refused"])
    assert lines == [[("call.refused", 499)]] * 2


async def test_an_answer_nobody_fetches_holds_up_its_own_client_only(port: int, answered: list[bytes]) -> None:
    """And is there when the client comes for it."""
    async with connected(port) as slow:
        for _ in range(20):
            slow.send(request(body_of("action_large")))
            await asyncio.sleep(0.005)
        assert (await exchange(port, request()))[0] == "HTTP/1.1 200 OK"
        for _ in range(20):
            assert len((await slow.answer())[2]["responses"][0]["text"]) == 500_000


async def test_only_those_with_a_credential_are_answered(answered: list[bytes]) -> None:
    """The others hear what they hear on the plain route."""
    async with serving(auth=AuthSettings.model_validate({"tokens": ["right-token-0815"]})) as port:
        status, headers, _ = await exchange(port, request(GOOD, "Authorization: Bearer wrong"))
        assert (status, "www-authenticate" in headers) == ("HTTP/1.1 401 Unauthorized", True)
        assert (await exchange(port, request()))[0] == "HTTP/1.1 401 Unauthorized"
        assert answered == []
        right = request(GOOD, "Authorization: Bearer right-token-0815")
        assert (await exchange(port, right))[0] == "HTTP/1.1 200 OK"
    assert answered == [GOOD]


async def test_cors_needs_the_plain_route(answered: list[bytes]) -> None:
    """Its headers are added by a middleware of Sanic's."""
    async with serving(cors=("https://clinic.example",)) as port:
        _, headers, _ = await exchange(port, request(GOOD, "Origin: https://clinic.example"))

    assert headers["access-control-allow-origin"] == "https://clinic.example"
    assert answered == []


def change_requests(app: Any) -> None:
    async def middleware(request: Request) -> None: ...

    app.register_middleware(middleware, "request")


def change_answers(app: Any) -> None:
    async def middleware(request: Request, response: HTTPResponse) -> None: ...

    app.register_middleware(middleware, "response")


def listen_to_signals(app: Any) -> None:
    async def handler(**_: Any) -> None: ...

    app.signal("http.lifecycle.request")(handler)


def nothing(app: Any) -> None: ...


@pytest.mark.parametrize("plug_in", [change_requests, change_answers, listen_to_signals, nothing])
def test_what_a_plug_in_wants_to_see_it_sees(plug_in: Callable[[Any], None]) -> None:
    """Whoever hooks into Sanic's handling of requests gets all of them."""
    assembly = Assembly(Settings(), Executor(Registry()), Readiness())
    app = create_app(assembly, name=f"test-{uuid4().hex}")
    plug_in(app)

    is_plain = fast_protocol(assembly, app, ImpatientHttpProtocol) is ImpatientHttpProtocol

    assembly.executor.close()
    assert is_plain == (plug_in is not nothing)


class Wire:
    """A transport that remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.is_closing = lambda: not {"close", "abort"}.isdisjoint(self.done)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self.done.append(name)


async def test_the_clock_is_looked_at_for_all_connections() -> None:
    """An idle one is closed after the keep-alive time, one that never sent anything before, an endless call is cut."""
    assembly = Assembly(Settings(), Executor(Registry()), Readiness())
    app = create_app(assembly, name=f"test-{uuid4().hex}")
    loop = asyncio.get_running_loop()
    connections: set[Any] = set()
    make = fast_protocol(assembly, app, ImpatientHttpProtocol)
    silent, idle, running = (make(loop=loop, connections=connections, app=app) for _ in range(3))
    for connection in (silent, idle, running):
        assert isinstance(connection, WebhookProtocol)
        connection.connection_made(Wire())
    running.data_received(request())
    idle.data_received(b"\r\n")
    now = loop.time()
    silent.check_timeouts(now + 14)
    assert "close" not in silent._transport.done
    silent.check_timeouts(now + 16)
    assert "close" in silent._transport.done
    for connection in (idle, running):
        connection.check_timeouts(now + 119)
        assert not {"close", "abort"} & set(connection._transport.done)
        connection.check_timeouts(now + 331)
    assert "close" in idle._transport.done
    assert "abort" in running._transport.done
    assert idle.close_if_idle()
    assert not running.close_if_idle()
    for connection in (silent, idle, running):
        connection.connection_lost(None)
    assert connections == set()
    assembly.executor.close()
