"""An event loop that a person may interrupt."""

from __future__ import annotations

import asyncio
import signal

import pytest

from action_server.flows.session.loop import run_interruptibly


def test_the_result_of_the_coroutine_is_returned() -> None:
    """As `asyncio.run` does it."""

    async def add() -> int:
        await asyncio.sleep(0)
        return 3

    assert run_interruptibly(add()) == 3


@pytest.mark.parametrize("in_its_own_code", [True, False], ids=["in its code", "while it waits"])
def test_ctrl_c_ends_a_coroutine_and_closes_what_it_opened(in_its_own_code: bool) -> None:
    """At once, not when what it waits for comes."""
    closed = []

    async def wait() -> None:
        try:
            if in_its_own_code:
                signal.raise_signal(signal.SIGINT)
            asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(wait())
    assert closed == [True]


def test_an_error_of_the_coroutine_is_raised() -> None:
    """Its generators and threads are closed all the same."""
    closed = []

    async def numbers() -> object:
        try:
            yield 1
        finally:
            closed.append(True)

    async def fail() -> None:
        async for _ in numbers():  # type: ignore[attr-defined]
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run_interruptibly(fail())
    assert closed == [True]
