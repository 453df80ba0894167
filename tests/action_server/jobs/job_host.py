"""A host: workers that ask for jobs and run them, kill themselves at their steps, and are replaced as often.

``python -m tests.action_server.jobs.job_host URL ENGINE LEDGER NAME STEPS STEPS...`` has a worker for each ``STEPS``:
where its first life ends, its second one, and so on, with commas between. The life after that goes on until the host is
killed. When all have come to that it prints a line. The ledger has a line for what was asked for, run (and when) or
killed. Every second job of a worker has the worker's name as its ordering key.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import current_job, job, later
from action_server.database import Database
from action_server.delivery.deliverer import Deliverer
from action_server.delivery.engine import Engine
from action_server.delivery.store import DeliveryStore
from action_server.errors import DatabaseError
from action_server.jobs import outcomes, runner
from action_server.jobs.endings import End
from action_server.jobs.engine_settings import DeliverySettings
from action_server.jobs.handover import DELIVER
from action_server.jobs.queue import Claimed, JobQueue, Order, Ordered
from action_server.jobs.table import metadata
from action_server.runtime.services import Services, use_services
from action_server.runtime.threads import ThreadPool

T = TypeVar("T")

# Before and after the commit of each of the three writes, and in between, with that of a job that others wait behind;
# and on the way of a result to the engine: when it is handed over, before the engine is asked to say it, and when it
# has answered.
STEPS = (
    *("enqueue", "enqueued", "claim", "claimed", "running", "ran", "handed_over", "done", "done_written"),
    *("ordered_done", "ordered_done_written", "asking", "said"),
)
LEASE = 1.0
# The conversation in which results are said.
CONVERSATION = "ann"
# So many jobs a worker asks for in the life that goes on, and how long it waits before each, in seconds.
_LAST, _PAUSE = 3, 0.02

_writing: ContextVar[str] = ContextVar("writing", default="")


def die() -> None:
    """End as a killed process does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Ledger:
    """A file of lines that survives whoever writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, *words: object) -> None:
        """Add a line."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
        os.close(descriptor)

    def read(self, kind: str) -> list[list[str]]:
        """Return the lines that begin so, in words."""
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        return [words for words in map(str.split, text.splitlines()) if words[0] == kind]


class DyingDatabase(Database):
    """A database whose process dies before a commit."""

    dies_at = ""

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        step = _writing.get()

        async def work_and_die(connection: AsyncConnection) -> T:
            result = await work(connection)
            if step and step == self.dies_at and result:
                die()
            return result

        return await super().write(work_and_die)

    async def autocommit(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        # A statement by itself has the same two moments, and no place in between to die at.
        is_next = bool(self.dies_at) and _writing.get() == self.dies_at
        return await (self.write(work) if is_next else super().autocommit(work))


class DyingQueue(JobQueue):
    """A queue whose process dies at one of its steps."""

    dies_at = ""

    async def enqueue(self, order: Order, connection: object = None) -> Ordered:
        if order.name == DELIVER:
            ordered = await super().enqueue(order)
            if self.dies_at == "handed_over":
                die()
            return ordered
        ordered = await self._at("enqueue", super().enqueue(order))
        if self.dies_at == "enqueued":
            die()
        return ordered

    async def claim(self, names: Collection[str], limit: int) -> Sequence[Claimed]:
        claimed = await self._at("claim", super().claim(names, limit))
        if claimed and self.dies_at == "claimed":
            die()
        return claimed

    async def done(self, claimed: Claimed, result: str, *, forget: bool = False) -> bool:
        if claimed.line is None:
            return await super().done(claimed, result, forget=forget)
        written = await self._at("ordered_done", super().done(claimed, result, forget=forget))
        if written and self.dies_at == "ordered_done_written":
            die()
        return written

    async def _write_done(self, ends: Sequence[End]) -> Collection[tuple[str, int]]:
        if self.dies_at == "ran":
            die()
        written = await self._at("done", super()._write_done(ends))
        if written and self.dies_at == "done_written":
            die()
        return written

    async def _at(self, step: str, work: Awaitable[T]) -> T:
        token = _writing.set(step)
        try:
            return await work
        finally:
            _writing.reset(token)


class DyingEngine(Engine):
    """What speaks with the engine, whose process dies before it does, or when it has."""

    dies_at = ""

    async def append(self, conversation: str, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        if self.dies_at == "asking":
            die()
        slots = await super().append(conversation, events)
        if self.dies_at == "said":
            die()
        return slots


async def work_on(
    url: str, engine: str, ledger: Ledger, worker: str, step: str, say_idle: Callable[[], object]
) -> None:
    """Ask for jobs and run whatever there is, until it dies at the step or is killed."""

    @job
    async def work(key: str) -> int:
        ledger.note("run", key, time.time())
        if step == "running":
            die()
        current_job().delivers(key, to=CONVERSATION)
        return current_job().fence

    database = await _open(url)
    database.dies_at = step
    queue = DyingQueue(database, lease=LEASE)
    queue.dies_at = step
    opened = Services(None, asyncio.get_running_loop())
    opened.jobs = queue
    DyingEngine.dies_at = step
    settings = DeliverySettings(engine=engine, lock_life=0.1, timeout=5)
    async with aiohttp.ClientSession() as session:
        deliver = Deliverer(settings, await DeliveryStore.open(database), {"": DyingEngine(settings, session)}).job
        with use_services(opened):
            async with runner.JobRunner(queue, {"work": work, DELIVER: deliver}, ThreadPool(1), opened, poll=0.05):
                number = sum(words[1].startswith(f"{worker}.") for words in ledger.read("asked"))
                last = sys.maxsize if step else number + _LAST
                while number < last:
                    if await _ask(work, ledger, worker, number):
                        number += 1
                    await asyncio.sleep(_PAUSE)
                say_idle()
                await asyncio.Event().wait()


async def _open(url: str) -> DyingDatabase:
    while True:
        try:
            found: Any = await DyingDatabase.open(url if "://" in url else Path(url), metadata.create_all)
        except DatabaseError:
            await asyncio.sleep(_PAUSE)
        else:
            database: DyingDatabase = found
            return database


def is_ordered(number: int) -> bool:
    """Tell whether the job of a worker with this number is behind its other ones with such a number."""
    return number % 2 == 1


async def _ask(work: Any, ledger: Ledger, worker: str, number: int) -> bool:
    """Ask for a job, as an action does that is repeated until it is answered."""
    key = f"{worker}.{number}"
    try:
        await later(work.having(key=key, ordering_key=worker if is_ordered(number) else None), key=key)
    except DatabaseError:
        return False
    ledger.note("asked", key)
    return True


def main(url: str, engine: str, path: str, name: str, *schedules: str) -> None:
    """Fork a worker for each schedule, and another one for each that dies, until killed."""
    # A job whose process keeps dying is parked, since it may be the reason; here it is not, and there are many steps.
    outcomes.MOST_LOSSES = sys.maxsize
    ledger = Ledger(Path(path))
    waiting = {f"{name}-{index}": [step for step in steps.split(",") if step] for index, steps in enumerate(schedules)}
    workers: dict[int, tuple[str, str]] = {}
    said, saying = os.pipe()

    def start(worker: str) -> None:
        steps = waiting[worker]
        step = steps.pop(0) if steps else ""
        child = os.fork()
        if not child:
            asyncio.run(work_on(url, engine, ledger, worker, step, lambda: os.write(saying, b".")))
        workers[child] = worker, step

    for worker in list(waiting):
        start(worker)
    _say_when_idle(said, len(waiting))
    while True:
        child, _ = os.waitpid(-1, 0)
        if child in workers:
            worker, step = workers.pop(child)
            ledger.note("died", step or "killed", worker)
            start(worker)


def _say_when_idle(said: int, count: int) -> None:
    """Print a line, from a process of its own, when so many workers have come to the life that goes on."""
    if not os.fork():
        seen = 0
        while seen < count:
            seen += len(os.read(said, count))
        print("idle", flush=True)  # noqa: T201 - for who started the host
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
