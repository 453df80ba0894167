"""Bodies cost no more than the budget, on the wire and inflated, and packing one well holds nobody up."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_server.errors import RequestError
from action_server.serving.http import compression
from action_server.serving.http.byte_budget import UNCOUNTED, ByteBudget, Share
from action_server.serving.http.compression import inflate, inflate_aside
from tests.action_server.serving.http.raw_calls import PLAIN, body_of, connected, exchange, request, serving
from tests.counting import Entered

MIB = 1024 * 1024
LARGE = body_of(text="x" * 700_000)


@pytest.mark.parametrize("way", [[], [PLAIN]], ids=["fast", "plain"])
async def test_bodies_beyond_the_budget_are_asked_to_come_again(way: list[str]) -> None:
    """Small ones are answered meanwhile, and large ones once the others are done."""
    async with serving(max_bytes_in_flight=MIB, header_timeout=60, body_timeout=60) as port:
        async with connected(port) as first, connected(port) as second:
            answers = {}
            for connection in (first, second):
                connection.send(request(LARGE, *way)[:-5])
                answers[asyncio.create_task(connection.answer())] = connection
            (refused,), (other,) = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            status, headers, answer = refused.result()
            assert (status[9:12], headers["retry-after"]) == ("503", "1")
            assert "--max-bytes-in-flight" in answer["error"]
            assert (await exchange(port, request(b"{", *way)))[0][9:12] == "400"
            assert (await exchange(port, request(body_of(text="x" * 30_000), *way)))[0][9:12] == "200"
            answers[other].send(LARGE[-5:])
            assert (await other)[0][9:12] == "200"
        assert (await exchange(port, request(LARGE, *way)))[0][9:12] == "200"


@pytest.mark.parametrize("way", [[], [PLAIN]], ids=["fast", "plain"])
async def test_what_is_inflated_counts_and_is_given_back(way: list[str]) -> None:
    """A few kilobytes that become megabytes are what they become, one after the other as often as one likes."""
    packed = gzip.compress(body_of(text="x" * 3 * MIB))
    for limit, status in (2 * MIB, "503"), (4 * MIB, "200"):
        async with serving(max_bytes_in_flight=limit) as port:
            for _ in range(3):
                found = await exchange(port, request(packed, "Content-Encoding: gzip", *way))
                assert found[0][9:12] == status


async def test_a_client_that_is_gone_holds_no_bytes() -> None:
    """In the middle of its body, on both ways."""
    async with serving(max_bytes_in_flight=MIB) as port:
        for _ in range(5):
            for way in ([], [PLAIN]):
                async with connected(port) as connection:
                    connection.send(request(LARGE, *way)[:-5])
                    await connection.writer.drain()
        for _ in range(500):
            if (await exchange(port, request(LARGE)))[0][9:12] == "200":
                return
            await asyncio.sleep(0.01)
    pytest.fail("the bytes of clients that are gone are still counted")


def test_a_share_that_is_over_takes_nothing() -> None:
    """A thread that still inflates the body of a client that is gone stops there, and leaves nothing counted."""
    budget = ByteBudget(10**9)
    share = Share(budget)
    share.take(2 * UNCOUNTED)
    share.release()

    with pytest.raises(RequestError, match="went away"):
        share.take(2 * UNCOUNTED)
    assert budget.used == 0


@given(st.lists(st.integers(0, 3 * UNCOUNTED), max_size=8))
def test_a_share_gives_back_what_it_took(sizes: list[int]) -> None:
    """And takes what is beyond the first 64 KiB, in whatever pieces it comes."""
    budget = ByteBudget(10**9)
    share = Share(budget)
    for size in sizes:
        share.take(size)

    assert budget.used == max(0, sum(sizes) - UNCOUNTED)
    share.release()
    share.release()
    assert budget.used == 0


async def test_more_than_a_megabyte_is_inflated_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is to inflate it from."""
    threads: list[bool] = []

    def take(_: int) -> None:
        threads.append(threading.current_thread() is threading.main_thread())

    for size, aside in (MIB // 2, False), (8 * MIB, True):
        threads.clear()
        plain = b"x" * size
        assert await inflate_aside(gzip.compress(plain), "gzip", 32 * MIB, take) == plain
        assert (False in threads) == aside
        assert threads.count(True) <= compression._STEPS_ON_THE_LOOP


ODD: dict[str, tuple[bytes, str]] = {
    "cut short": (zlib.compress(b"x" * MIB)[:-3], "deflate"),
    "cut after the head": (gzip.compress(b"x" * MIB)[:12], "gzip"),
    "a tail": (zlib.compress(b"x" * MIB) + b"x", "deflate"),
    "empty": (b"", "gzip"),
}


@pytest.mark.parametrize("case", ODD)
async def test_what_is_no_whole_body_is_refused_in_steps_as_at_once(case: str) -> None:
    """Neither waits for more."""
    body, encoding = ODD[case]

    with pytest.raises(RequestError, match="is not valid"):
        inflate(body, encoding, 32 * MIB)
    with pytest.raises(RequestError, match="is not valid"):
        await inflate_aside(body, encoding, 32 * MIB, lambda _: None)


@pytest.mark.parametrize("size", [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 5 * 256 * 1024])
async def test_a_body_of_any_length_is_inflated_whole(size: int) -> None:
    """Also one that ends with a step."""
    plain = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    raw: Any = zlib.compressobj(wbits=-15)
    packed = raw.compress(plain) + raw.flush()

    assert await inflate_aside(packed, "deflate", size, lambda _: None) == plain


def test_a_budget_rests_once_after_it_has_held_much() -> None:
    """Not while something is counted, nor where something was since it was asked last, nor after little."""
    budget = ByteBudget(100)
    budget.take(40)
    budget.give_back(40)
    assert [budget.begins_rest(50) for _ in range(3)] == [False] * 3
    budget.take(50)
    assert [budget.begins_rest(50) for _ in range(3)] == [False] * 3
    budget.give_back(50)
    budget.take(1)
    budget.give_back(1)
    assert budget.has_held(50)
    assert [budget.begins_rest(50) for _ in range(3)] == [False, True, False]
    assert not budget.has_held(50)


async def test_memory_of_many_large_bodies_is_returned_when_they_are_over() -> None:
    """Once, some time after the last of them, though all clients have gone; not between them."""
    async with serving(header_timeout=0.4) as port, AsyncExitStack() as stack:
        with Entered() as entered:
            clients = [await stack.enter_async_context(connected(port)) for _ in range(20)]
            for client in clients:
                client.send(request(LARGE)[:-5])
            # One after the other: all of them are held when the first one is answered.
            await asyncio.gather(*(client.writer.drain() for client in clients))
            for client in clients:
                client.send(LARGE[-5:])
            for client in clients:
                assert (await client.answer())[0][9:12] == "200"
            await stack.aclose()
            for _ in range(1000):
                if entered.by_name["return_freed"]:
                    break
                await asyncio.sleep(0.01)
            assert (await exchange(port, request(body_of(text="x"))))[0][9:12] == "200"
            await asyncio.sleep(0)

        assert entered.by_name["return_freed"] == 1
