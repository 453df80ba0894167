"""What is usual enough for the fast way, over a real socket: engines, balancers, and who comes after a probe."""

from __future__ import annotations

import asyncio

import pytest

from tests.action_server.serving.http.raw_calls import (
    GOOD,
    PLAIN,
    connected,
    request,
    serving,
)


async def test_a_line_break_behind_a_body_is_passed_over(port: int, answered: list[bytes]) -> None:
    """On both ways, in the same packet as in one of its own."""
    async with connected(port) as connection:
        for headers in ([], [PLAIN], []):
            for data in (request(GOOD, *headers) + b"\r\n", b"\r\n\r\n" + request(GOOD, *headers)):
                connection.send(data)
                assert (await connection.answer())[0] == "HTTP/1.1 200 OK"
            connection.send(b"\r\n")
            await asyncio.sleep(0.01)
    # But for what came in one packet with a line break behind it.
    assert len(answered) == 2


async def test_the_drain_closes_a_connection_that_came_back(answered: list[bytes]) -> None:
    """Nothing of Sanic's is left of it that would hold the server up."""
    async with serving() as port, connected(port) as connection:
        for data in (request(b"", line="GET /health HTTP/1.1", framed=False), request()) * 20:
            connection.send(data)
            assert (await connection.answer())[0] == "HTTP/1.1 200 OK"
        assert len(asyncio.all_tasks()) <= 3
    assert len(answered) == 20


USUAL: dict[str, tuple[bytes, str]] = {
    "small letters": (request(GOOD, f"content-length: {len(GOOD)}", framed=False), "keep-alive"),
    "capitals": (request(GOOD, f"CONTENT-LENGTH:{len(GOOD)}", framed=False), "keep-alive"),
    "HTTP 1.0": (request(line="POST /webhook HTTP/1.0"), "close"),
    "HTTP 1.0 without a Host": (request(line="POST /webhook HTTP/1.0").replace(b"Host: x\r\n", b""), "close"),
    "HTTP 1.0 that stays": (request(GOOD, "Connection: Keep-Alive", line="POST /webhook HTTP/1.0"), "keep-alive"),
    "HTTP 1.1 that goes": (request(GOOD, "Connection: close"), "close"),
    "two balancers": (request(GOOD, "X-Forwarded-For: 192.0.2.1", "x-forwarded-for: 192.0.2.2"), "keep-alive"),
    "a path with a slash": (request(line="POST /webhook/ HTTP/1.1"), "keep-alive"),
    "a query": (request(line="POST /webhook?token=t HTTP/1.1"), "keep-alive"),
    "a header with a tab": (request(GOOD, "A: a\tb"), "keep-alive"),
    "a length in a header's value": (request(GOOD, "X: a Content-Length: 3"), "keep-alive"),
}


@pytest.mark.parametrize("case", USUAL)
async def test_a_usual_request_may_be_spelled_in_many_ways(port: int, case: str, answered: list[bytes]) -> None:
    """As balancers write them; the connection stays where its version or its header says so."""
    data, connection_header = USUAL[case]
    async with connected(port) as connection:
        connection.send(data)
        status, headers, _ = await connection.answer()
        assert (status, headers["connection"]) == ("HTTP/1.1 200 OK", connection_header)
        if connection_header == "close":
            assert await connection.is_closed()
        else:
            connection.send(data)
            await connection.answer()
    assert len(answered) == (1 if connection_header == "close" else 2)
