"""What the verbs of `jobs` share: the queue of the settings, and a job by the first digits of its id."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from action_server.cli.store import SHOWN, open_store
from action_server.errors import JobError

if TYPE_CHECKING:
    from action_server.jobs.overview import JobShown
    from action_server.jobs.queue import JobQueue


@asynccontextmanager
async def open_queue(args: argparse.Namespace, environment: Mapping[str, str]) -> AsyncIterator[JobQueue | None]:
    """Open the queue in the database of the settings; None if that is a file that no server has made yet.

    Raises:
        StartupError: the settings are wrong.
        DatabaseError: the database does not answer.
    """
    from action_server.idempotency.host_clock import host_clock_as_agreed
    from action_server.jobs.queue import JobQueue
    from action_server.jobs.table import metadata

    async with open_store(args, environment, metadata) as database:
        yield JobQueue(database, clock=await host_clock_as_agreed(database)) if database else None


async def find_job(queue: JobQueue | None, start: str) -> JobShown:
    """Return the one job whose id begins so. Raises :class:`JobError` if there is none, or more than one."""
    from action_server.jobs.overview import find_jobs_by_start

    found = await find_jobs_by_start(queue.database, start) if queue and start else []
    if not found:
        raise JobError(f"there is no job {start}; `action-server jobs list` shows those that there are")
    if len(found) > 1:
        raise JobError(f"more than one job begins with {start}; give it more digits")
    return found[0]


def short(job_id: str) -> str:
    """Return the first digits of an id, as tables show them."""
    return job_id[:SHOWN]
