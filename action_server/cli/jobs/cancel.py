"""The verb `jobs cancel`: cancels a job."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping

from action_server.cli.console import make_console
from action_server.cli.jobs.queue import find_job, open_queue
from action_server.cli.store import add_store_flags
from action_server.errors import JobError
from action_server.findings.escaping import escape_controls

DESCRIPTION = """\
Cancel a job. One that waits or is parked never runs; one that runs is told within seconds by its worker: a coroutine is
cancelled, synchronous code has to look for it."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument("job_id", metavar="ID", help="the job, or the first digits of it")
    add_store_flags(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Cancel the job.

    Raises:
        StartupError: the settings are wrong.
        JobError: there is no such job, or it has ended.
        DatabaseError: the database does not answer.
    """
    make_console().print(escape_controls(asyncio.run(_cancel(args, environment))))
    return 0


async def _cancel(args: argparse.Namespace, environment: Mapping[str, str]) -> str:
    async with open_queue(args, environment) as queue:
        one = await find_job(queue, args.job_id)
        before = await queue.cancel(one.id) if queue else None
        if before == "running":
            return f"{one.name} is told that it is cancelled"
        if before in ("waiting", "parked"):
            return f"{one.name} is cancelled"
        raise JobError(f"job {one.name} is {before}; there is nothing to cancel")
