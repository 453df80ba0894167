"""The small manners of HTTP, over a real socket: HEAD, Expect, and what the metrics say of the way calls took."""

from __future__ import annotations

import asyncio
import socket

import pytest

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from action_server.security.auth import AuthSettings
from action_server.serving import worker
from action_server.serving.server import listen
from action_server.telemetry.metrics import Metrics
from tests.action_server.serving.http.raw_calls import (
    GOOD,
    LIMIT,
    PLAIN,
    body_of,
    connected,
    exchange,
    request,
    serving,
)


@pytest.mark.parametrize("path", ["/health", "/ready", "/actions"])
async def test_head_is_answered_where_get_is(port: int, path: str) -> None:
    """With the same headers, but for the id, and no body; the connection goes on."""
    async with connected(port) as connection:
        heads = []
        for method in ("GET", "HEAD", "HEAD"):
            connection.send(request(b"", line=f"{method} {path} HTTP/1.1", framed=False))
            head = await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 30)
            status, *lines = head.decode().strip().split("\r\n")
            headers = dict(line.lower().split(": ") for line in lines)
            if method == "GET":
                await connection.reader.readexactly(int(headers["content-length"]))
            headers.pop("x-request-id")
            heads.append((status, headers))

    assert heads[0] == heads[1] == heads[2]
    assert heads[0][0] == "HTTP/1.1 200 OK"


REFUSALS: dict[str, tuple[bytes, int]] = {
    "too much": (request(b"", "Expect: 100-continue", f"Content-Length: {LIMIT + 1}", framed=False), 413),
    "another path": (
        request(b"", "Expect: 100-continue", "Content-Length: 9", line="POST /nothing HTTP/1.1", framed=False),
        404,
    ),
    "another method": (
        request(b"", "Expect: 100-continue", "Content-Length: 9", line="PUT /webhook HTTP/1.1", framed=False),
        405,
    ),
    "another encoding": (
        request(b"", "Expect: 100-continue", "Content-Length: 9", "Content-Encoding: br", framed=False),
        415,
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_who_asks_before_sending_is_refused_before_sending(port: int, case: str) -> None:
    """No 100 comes before the refusal, and the connection ends, as nobody knows what else will come."""
    data, status = REFUSALS[case]
    async with connected(port) as connection:
        connection.send(data)
        found, headers, _ = await connection.answer()
        assert (found[9:12], headers["connection"]) == (str(status), "close")
        assert await connection.is_closed()


async def test_who_may_not_call_is_not_asked_for_a_body() -> None:
    """The credential is looked at first."""
    auth = AuthSettings.model_validate({"tokens": ["right-token-0815"]})
    async with serving(auth=auth) as port, connected(port) as connection:
        connection.send(request(b"", "Expect: 100-continue", "Content-Length: 9", framed=False))
        assert (await connection.answer())[0] == "HTTP/1.1 401 Unauthorized"
        assert await connection.is_closed()


async def test_who_may_send_is_asked_to(port: int) -> None:
    """Once, and the connection goes on."""
    head, _, body = request(GOOD, "Expect: 100-continue").partition(b"\r\n\r\n")
    async with connected(port) as connection:
        for _ in range(2):
            connection.send(head + b"\r\n\r\n")
            asked = await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 30)
            assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.send(body)
            assert (await connection.answer())[0] == "HTTP/1.1 200 OK"


async def test_who_speaks_http_1_0_is_answered_without_being_asked_for_the_body(port: int) -> None:
    """RFC 9110, 10.1.1: it would take the 100 for the answer."""
    async with connected(port) as connection:
        connection.send(request(GOOD, "Expect: 100-continue", line="POST /webhook HTTP/1.0"))
        assert (await connection.answer())[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("size", ["0x5", "+5", "5 ", "-1", "5_0", "f" * 17, ""])
async def test_a_size_of_a_chunk_that_is_none_is_told(port: int, size: str) -> None:
    """In words, and the connection ends: nobody knows where the next request begins."""
    data = request(b"", "Transfer-Encoding: chunked", framed=False) + f"{size}\r\nhello\r\n0\r\n\r\n".encode()
    async with connected(port) as connection:
        connection.send(data)
        head, _, body = await connection.answer()
        assert head[9:12] == "400"
        assert body["error"].startswith("a chunk of the body does not have its size")
        assert await connection.is_closed()


_MUCH = b"x" * 2 * LIMIT
REFUSED = {
    "a body that is too large": (request(_MUCH), 413),
    "a chunk that is too large": (
        request(b"", "Transfer-Encoding: chunked", framed=False) + f"{len(_MUCH):x}\r\n".encode() + _MUCH,
        413,
    ),
    "headers that are too large": (request(b"", f"X: {'x' * 500_000}"), 431),
    "a head that is none": (b"POST /webhook HTTP/1.1\r\nA B: c\r\n\r\n" + _MUCH, 400),
    "a body that was not asked for": (request(_MUCH, "Expect: 100-continue"), 413),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
async def test_a_refusal_reaches_a_client_that_sends_all_before_it_reads(port: int, case: tuple[bytes, int]) -> None:
    """A socket that is closed with bytes in it is reset, and the client would hear of nothing but that."""
    data, status = case

    def send_and_read() -> bytes:
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(data)
            return b"".join(iter(lambda: client.recv(65536), b""))

    answer = await asyncio.to_thread(send_and_read)

    assert int(answer[9:12]) == status
    assert answer.endswith(b"}")


async def test_the_metrics_say_which_way_calls_took() -> None:
    """Within some seconds."""
    executor = Executor(Registry())
    metrics = Metrics(enabled=True)
    metrics.know((), "http")
    assembly = Assembly(Settings(grace=0), executor, Readiness(), metrics)
    sock = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    wanted = {
        b'action_server_webhook_requests_total{way="fast"} 2.0',
        b'action_server_webhook_requests_total{way="plain"} 3.0',
    }
    async with worker.serve_http(assembly, sock, "test-ways", only_one=False):
        for way in ([], [], [PLAIN], [PLAIN], [PLAIN]):
            await exchange(port, request(body_of("action_nobody"), *way))
        for _ in range(500):
            page = await asyncio.to_thread(metrics.render, None)
            if wanted <= set(page.body.splitlines()):
                break
            await asyncio.sleep(0.01)
    executor.close()
    sock.close()
    assert wanted <= set(page.body.splitlines())
