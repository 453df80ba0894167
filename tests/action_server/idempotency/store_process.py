"""Runs once: `python -m tests.action_server.idempotency.store_process MODE URL FILE`, driven by lines."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from action_server.idempotency.store import IdempotencyStore
from action_server.protocol.answers import Answer

KEY = "a" * 64
CALLS = 20


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the parent reads it)


async def hear() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def write_down(runs: Path) -> Answer:
    """Leave a line for a run, as an effect in the outside world would."""
    with runs.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return Answer([], [{"text": f"by {os.getpid()}"}])


async def race(url: str, runs: Path) -> None:
    """Make the same call many times at the word of the parent; say what came back."""

    async def run() -> Answer:
        await asyncio.sleep(0.05)  # long enough that the others come while it runs
        return write_down(runs)

    store = await IdempotencyStore.open(url)
    say("ready")
    await hear()
    came = await asyncio.gather(*(store.run_once(KEY, run, ttl=60, wait=30) for _ in range(CALLS)))
    say(json.dumps([[answer.responses[0]["text"], repeated] for answer, repeated in came]))
    await store.close()


async def create(url: str, _runs: Path) -> None:
    """Open the store, and thereby create its table, at the word of the parent."""
    say("ready")
    await hear()
    await (await IdempotencyStore.open(url)).close()
    say("created")


async def hold(url: str, runs: Path) -> None:
    """Stop in the middle of the run, its work done, until the parent says a word."""

    async def run() -> Answer:
        answer = write_down(runs)
        say("in the middle")
        await hear()
        return answer

    store = await IdempotencyStore.open(url)
    await store.run_once(KEY, run, ttl=60, wait=30)
    await store.close()
    say("ended")


if __name__ == "__main__":
    modes = {"race": race, "create": create, "hold": hold}
    asyncio.run(modes[sys.argv[1]](sys.argv[2], Path(sys.argv[3])))
