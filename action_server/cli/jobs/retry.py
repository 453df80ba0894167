"""The verb `jobs retry`: lets a job that was given up be run again."""

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
Let a job that is parked or was cancelled be run again, as if it were asked for now: with all its tries, and with as
much time for them as it had then (a day, unless its deadline says otherwise)."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument("job_id", metavar="ID", help="the job, or the first digits of it")
    add_store_flags(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Let the job wait again.

    Raises:
        StartupError: the settings are wrong.
        JobError: there is no such job, or it waits, runs or is done.
        DatabaseError: the database does not answer.
    """
    name = asyncio.run(_retry(args, environment))
    make_console().print(f"{escape_controls(name)} is run again")
    return 0


async def _retry(args: argparse.Namespace, environment: Mapping[str, str]) -> str:
    from action_server.jobs.overview import retry_job

    async with open_queue(args, environment) as queue:
        one = await find_job(queue, args.job_id)
        if queue is None or not await retry_job(queue.database, one.id):
            raise JobError(f"job {one.name} is {one.state}; only what is parked or cancelled can be run again")
        return one.name
