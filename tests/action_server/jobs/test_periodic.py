"""Periodic jobs: one row for ever, run by one worker at a time, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from action_server import job
from action_server.jobs.periodic import id_of
from action_server.jobs.queue import JobQueue
from tests.action_server.jobs.job_fixtures import state_of
from tests.action_server.jobs.running_jobs import opened_queue, running

pytest_plugins = ["tests.databases"]


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[JobQueue]:
    """A queue by the real clock, whose leases are short."""
    async with opened_queue(database_url) as found:
        yield found


async def test_a_periodic_job_runs_by_itself(queue: JobQueue) -> None:
    """Nobody asks for it; it has one row, whatever it comes to."""
    runs: asyncio.Queue[int] = asyncio.Queue()

    @job(name="clinic.sweep", every=0.01, backoff=0.01, retries=0)
    async def sweep() -> None:
        runs.put_nowait(1)
        if runs.qsize() % 2:
            raise ValueError

    async with running(queue, sweep):
        for _ in range(6):
            await asyncio.wait_for(runs.get(), 20)

    row = await state_of(queue, id_of("clinic.sweep"))
    assert row["state"] == "waiting"
