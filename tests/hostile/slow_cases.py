"""Clients that are slow, go away, or do not read."""

from __future__ import annotations

from tests.hostile.case import HEALTH, REFUSED, Case, Play, body_of, call, chunked, get, request
from tests.hostile.peer import Peer


def slowly(data: bytes, pause: float = 0.1) -> Play:
    async def play(peer: Peer) -> None:
        await peer.drip(data, pause)

    return play


async def slow_body(peer: Peer) -> None:
    head, _, body = request().partition(b"\r\n\r\n")
    await peer.send(head + b"\r\n\r\n")
    await peer.drip(body, 0.1)


async def slow_chunks(peer: Peer) -> None:
    await peer.send(chunked(b""))
    await peer.drip(b"1\r\n \r\n" * 100, 0.1)


async def half_a_body_then_half_closed(peer: Peer) -> None:
    await peer.send(request()[:-10])
    peer.half_close()


async def half_closed(peer: Peer) -> None:
    await peer.send(request())
    peer.half_close()


async def gone_in_the_body(peer: Peer) -> None:
    for _ in range(50):
        other = await peer.another()
        await other.send(request()[:-10])
        other.abort()
    await peer.send(HEALTH)


async def gone_before_the_answer(peer: Peer) -> None:
    for _ in range(50):
        other = await peer.another()
        await other.send(request(body_of(call("action_wait"))))
        other.abort()
    await peer.send(HEALTH)


async def hundreds_idle(peer: Peer) -> None:
    # Who has asked for something is kept; the others are cut off soon, and may be so already.
    await peer.send(HEALTH)
    for _ in range(300):
        await peer.another()
    await peer.send(HEALTH)


async def hundreds_of_half_headers(peer: Peer) -> None:
    for _ in range(200):
        await (await peer.another()).send(b"POST /webhook HTTP/1.1\r\nX: ")
    await peer.send(HEALTH)


async def answers_unread(peer: Peer) -> None:
    for _ in range(20):
        other = await peer.another()
        await other.send(request(body_of(call("action_large"))) * 5)
    await peer.send(HEALTH)


SLOW = [
    Case("headers byte by byte", slowly(HEALTH), (), closed=True),
    Case("headers that never end", b"POST /webhook HTTP/1.1\r\nHost: x\r\n", (REFUSED,), closed=True),
    Case("a body byte by byte", slow_body, (408,), closed=True),
    Case("a body that never comes", request(b"", length=100), (408,), closed=True),
    Case("a body that stops in the middle", request()[:-10], (408,), closed=True),
    Case("chunks one by one for ever", slow_chunks, (408,), closed=True),
    Case(
        "a body that stops, without a credential",
        request(authorization=None)[:-10],
        (401,),
        closed=True,
    ),
    Case("a body that stops, for a path without one", get(b"/health", "Content-Length: 5"), (200,), closed=True),
    Case(
        "a body that never comes after an Expect",
        request(b"", "Expect: 100-continue", length=100),
        (100, 408),
        closed=True,
    ),
    Case("half a body and a half-closed socket", half_a_body_then_half_closed, (), closed=True),
    # Sanic closes on the end of the input: whether the answer was out by then is chance.
    Case("a half-closed socket", half_closed, (200,), closed=True, answer_may_be_lost=True),
    Case("fifty clients that go in the middle of the body", gone_in_the_body, (200,)),
    Case("fifty clients that go before the answer", gone_before_the_answer, (200,)),
    Case("three hundred idle connections", hundreds_idle, (200, 200)),
    Case("two hundred halves of headers", hundreds_of_half_headers, (200,)),
    Case("a hundred answers nobody reads", answers_unread, (200,)),
]
