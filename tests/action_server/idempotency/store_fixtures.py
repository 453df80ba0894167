"""Stores on one database, each for a worker of its own, and what they are asked to run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from action_server.idempotency.store import IdempotencyStore
from action_server.protocol.answers import Answer

KEY = "a" * 64
BOOKED = Answer([{"event": "slot", "name": "reference", "value": "APT-1", "timestamp": None}], [{"text": "Booked."}])


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = time.time()

    def __call__(self) -> float:
        return self.time


class Job:
    """An action that counts its runs. While it is held, a run waits in the middle."""

    def __init__(self, *outcomes: Answer | Exception) -> None:
        self.outcomes = outcomes or (BOOKED,)
        self.runs = 0
        self.running = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()

    @classmethod
    def held(cls, *outcomes: Answer | Exception) -> Job:
        job = cls(*outcomes)
        job.released.clear()
        return job

    async def __call__(self) -> Answer:
        outcome = self.outcomes[min(self.runs, len(self.outcomes) - 1)]
        self.runs += 1
        self.running.set()
        await self.released.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


Opening = Callable[..., Awaitable[IdempotencyStore]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def opened(database_url: str, clock: Clock) -> AsyncIterator[Opening]:
    """Opens stores on one database: each stands for a worker of its own."""
    stores = []

    async def open_store(**options: Any) -> IdempotencyStore:
        stores.append(await IdempotencyStore.open(database_url, **{"clock": clock, **options}))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close(grace=0)


@pytest.fixture
async def store(opened: Opening) -> IdempotencyStore:
    return await opened()


async def call(store: IdempotencyStore, job: Job, key: str = KEY, **options: Any) -> tuple[Answer, bool]:
    return await store.run_once(key, job, **{"ttl": 60, "wait": 30, "action": "action_book", **options})


async def rows(database_url: str) -> list[tuple[Any, ...]]:
    async with connected(database_url) as connection:
        found = await connection.execute(text("SELECT key, state, answer FROM action_server_once ORDER BY key"))
        return [tuple(row) for row in found]


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Any]:
    """A plain connection next to the store's."""
    url = database_url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def locked(database_url: str) -> AsyncIterator[None]:
    """Let the database answer nobody within the block."""
    async with connected(database_url) as connection:
        lock = "LOCK TABLE action_server_once IN ACCESS EXCLUSIVE MODE"
        await connection.execute(
            text("DELETE FROM action_server_once WHERE 1 = 0" if "sqlite" in database_url else lock)
        )
        yield
