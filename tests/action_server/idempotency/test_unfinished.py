"""Runs without an answer are seen, and those that are dead are freed, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from action_server.database import Database
from action_server.errors import OutcomeUnknownError
from action_server.idempotency.table import metadata
from action_server.idempotency.unfinished import free_runs, list_unfinished
from tests.action_server.idempotency.store_fixtures import KEY, Clock, Job, Opening, call

pytest_plugins = ["tests.databases", "tests.action_server.idempotency.store_fixtures"]


async def test_a_run_whose_process_died_is_seen_and_freed(opened: Opening, clock: Clock, database_url: str) -> None:
    """While it lives it is `running` and is not freed; then it is unknown, and after that a repeat runs."""
    first = await opened()
    job = Job.held()
    task = asyncio.create_task(call(first, job))
    await job.running.wait()
    database = await Database.open(database_url, metadata.create_all)

    [alive] = await list_unfinished(database)
    assert (alive.key, alive.state) == (KEY, "running")
    assert await free_runs(database, [KEY]) == 0

    await first.close(grace=0)
    with pytest.raises(OutcomeUnknownError):
        await task
    later = clock.time + 30
    [dead] = await list_unfinished(database, later)
    assert (dead.key, dead.state) == (KEY, "unknown")
    assert dead.lease < 0 < dead.expires
    assert await free_runs(database, [KEY], later) == 1

    assert await list_unfinished(database, later) == []
    assert (await call(await opened(), Job()))[1] is False
    await database.close()


async def test_a_failure_that_is_kept_is_seen_and_freed(opened: Opening, database_url: str) -> None:
    """Its repeats are refused like those of a run whose outcome is unknown; an answer is never freed."""
    store = await opened()
    with pytest.raises(ValueError, match="no"):
        await call(store, Job(ValueError("no")), keep_failures=True)
    await call(store, Job(), "b" * 64)
    database = await Database.open(database_url, metadata.create_all)

    assert [(one.key, one.state) for one in await list_unfinished(database)] == [(KEY, "failed")]
    assert await free_runs(database, [KEY, "b" * 64]) == 1
    assert (await call(store, Job(), "b" * 64))[1] is True
    await database.close()
