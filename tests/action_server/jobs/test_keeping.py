"""Jobs that a package keeps in a database of its own: written with its data, and run like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import svcs
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, job, keep_jobs, later, services
from action_server.jobs.asking import cancel
from action_server.jobs.keeping import kept_here
from action_server.jobs.opening import running_jobs
from action_server.runtime.threads import ThreadPool
from tests.action_server.jobs.running_jobs import ended

pytest_plugins = ["tests.databases"]


@job
async def tell(number: int) -> int:
    """Tell somebody."""
    return number


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A package's own database."""
    opened = await Database.open(database_url, lambda _: None)
    yield opened
    await opened.close()


@asynccontextmanager
async def opened_services() -> AsyncIterator[services.Services]:
    """Open the services of a package without a server."""
    async with svcs.Registry() as registry:
        with services.activate(registry) as opened:
            yield opened


async def test_jobs_are_kept_with_the_data_of_a_package(database: Database) -> None:
    """In its transaction or not at all, and run in a worker that has no other jobs."""
    async with opened_services() as opened:
        assert opened.registry is not None
        await keep_jobs(opened.registry, database, [tell])

        async def write(connection: AsyncConnection) -> str:
            return (await later(tell.having(connection=connection), number=3)).id

        job_id = await database.write(write)

        [kept] = kept_here(opened)
        async with running_jobs("no_such_package", opened, ThreadPool(1), 1):
            assert (await ended(kept.queue, job_id))["result"] == "3"
            assert not await cancel(job_id)
