"""The calls of a soak, and between them the faults."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.soak.behaviours import BEHAVIOURS
from benchmarks.soak.books import Books
from benchmarks.soak.client import Client
from benchmarks.soak.faults import FAULTS, inflict, problems_of
from benchmarks.soak.server import Server
from benchmarks.soak.vitals import vitals_of


@dataclass(frozen=True)
class Plan:
    """What the command line asked for; ``faults`` of each kind."""

    seconds: float
    workers: int
    faults: int
    max_blocked: float
    clients: int
    rate: float
    seed: int


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command's output


async def traffic(server: Server, plan: Plan, books: Books) -> None:
    """Send calls until the time is up and every fault is over."""
    over = asyncio.Event()
    tasks = [asyncio.create_task(_client(number, server, plan, books, over)) for number in range(plan.clients)]
    tasks.append(asyncio.create_task(_progress(server, books, over)))
    await asyncio.gather(asyncio.sleep(plan.seconds), _faults(server, plan, books))
    over.set()
    await asyncio.gather(*tasks)


async def _client(number: int, server: Server, plan: Plan, books: Books, over: asyncio.Event) -> None:
    client = Client(server.port, books, random.Random(plan.seed * 1000 + number), limit=4)  # noqa: S311
    behaviours, weights = zip(*BEHAVIOURS, strict=True)
    pause = plan.clients / plan.rate
    while not over.is_set():
        await client.chance.choices(behaviours, weights)[0](client)
        await asyncio.sleep(client.chance.random() * 2 * pause)


async def _faults(server: Server, plan: Plan, books: Books) -> None:
    """Kill, block and stop workers by turns, spread over the time; one that is not replaced is the last."""
    started = time.monotonic()
    chance = random.Random(plan.seed)  # noqa: S311 - which one is all the same
    kinds = list(FAULTS) * plan.faults
    for number, kind in enumerate(kinds):
        await asyncio.sleep(started + plan.seconds * (number + 0.5) / len(kinds) - time.monotonic())
        fault = await inflict(kind, server, books, chance)
        problems = ", ".join(problems_of(fault))
        say(f"{time.monotonic() - started:5.0f} s  {kind} {fault.pid}, replaced by {fault.replaced_by} {problems}")
        if fault.replaced_by is None:
            return


async def _progress(server: Server, books: Books, over: asyncio.Event) -> None:
    started = time.monotonic()
    while not over.is_set():
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(over.wait(), 10.0)
        vitals = [vitals_of(pid) for pid in server.alive()]
        seen = ", ".join(f"{v.memory_kb // 1024} MB {v.threads} threads {v.files} files" for v in vitals if v)
        calls = f"{len(books.outcomes)} calls, {books.hostile.total()} attacks"
        say(f"{time.monotonic() - started:5.0f} s  {calls}; {seen}")
