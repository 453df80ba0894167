"""Queues on one database, each for a worker of its own, and a clock that stands still until it is moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.jobs.queue import Claimed, JobQueue, Order
from action_server.jobs.table import job_order, jobs, metadata
from action_server.runtime import services
from action_server.runtime.services import Services, use_services

Opening = Callable[[], Awaitable[JobQueue]]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    """The clock of every queue of a test."""
    return Clock()


@pytest.fixture
async def opened(database_url: str, clock: Clock) -> AsyncIterator[Opening]:
    """Open one more queue on the test's database, as another process would."""
    databases: list[Database] = []

    async def open_one() -> JobQueue:
        databases.append(await Database.open(database_url, metadata.create_all))
        return JobQueue(databases[-1], clock=clock)

    yield open_one
    await asyncio.gather(*(database.close() for database in databases))


@pytest.fixture
async def queue(opened: Opening) -> JobQueue:
    """An empty queue."""
    return await opened()


def order(
    name: str = "work",
    *,
    delay: float = 0.0,
    deadline: float = 3600.0,
    key: str | None = None,
    ordering_key: str | None = None,
) -> Order:
    """A job without arguments."""
    return Order(name, "{}", delay, deadline, key, ordering_key=ordering_key)


def of(key: str, name: str = "work", *, delay: float = 0.0) -> Order:
    """A job with an ordering key."""
    return order(name, ordering_key=key, delay=delay)


async def claim_one(queue: JobQueue, name: str = "work") -> Claimed:
    """Claim the one job that is due."""
    (claimed,) = await queue.claim([name], 10)
    return claimed


async def ask(queue: JobQueue, *orders: Order) -> list[str]:
    """Ask for jobs one after the other; return their ids."""
    return [(await queue.enqueue(one)).id for one in orders]


async def run_all(queue: JobQueue) -> list[str]:
    """Run what there is, one at a time; return the ids in the order in which they ran."""
    ran = []
    while claimed := await queue.claim(["work"], 1):
        assert await queue.done(claimed[0], "1")
        ran.append(claimed[0].id)
    return ran


async def rows_left(queue: JobQueue) -> int:
    """How many rows the table of the order has."""

    async def count(connection: AsyncConnection) -> int:
        return int((await connection.execute(select(func.count()).select_from(job_order))).scalar_one())

    return await queue.database.read(count)


async def state_of(queue: JobQueue, job_id: str) -> dict[str, object]:
    """The row of a job; empty if there is none."""

    async def read(connection: AsyncConnection) -> dict[str, object]:
        row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).mappings().first()
        return dict(row) if row else {}

    return await queue.database.read(read)


@contextmanager
def asking(queue: JobQueue) -> Iterator[Services]:
    """Let `later` write to the queue within the block, as within an action."""
    opened = Services(None, asyncio.get_running_loop())
    opened.jobs = queue
    with use_services(opened):
        assert services.current() is opened
        yield opened
