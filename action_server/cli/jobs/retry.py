"""The verb `jobs retry`: lets jobs that were given up be run again."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping

from action_server.cli.console import make_console
from action_server.cli.jobs.queue import find_job, open_queue
from action_server.cli.store import add_store_flags
from action_server.errors import JobError, SettingsError
from action_server.findings.escaping import escape_controls

DESCRIPTION = """\
Let a job that is parked or was cancelled be run again, as if it were asked for now: with all its tries, and with as
much time for them as it had then (a day, unless its deadline says otherwise). With --job, all parked ones of a name,
those first that were asked for first. One with an ordering key joins the end of its line."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument("job_id", metavar="ID", nargs="?", help="the job, or the first digits of it")
    parser.add_argument("--job", metavar="NAME", help="all parked jobs of this name")
    add_store_flags(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Let the job, or those of the name, wait again.

    Raises:
        StartupError: the settings are wrong, or it is not said which jobs.
        JobError: there is no such job, or it waits, runs or is done.
        DatabaseError: the database does not answer.
    """
    if (args.job_id is None) == (args.job is None):
        raise SettingsError("--job", "takes a name for all parked jobs of it; for one job give its ID, and not both")
    again = asyncio.run(_retry(args, environment) if args.job is None else _retry_all(args, environment))
    make_console().print(f"{escape_controls(again)} run again")
    return 0


async def _retry(args: argparse.Namespace, environment: Mapping[str, str]) -> str:
    from action_server.jobs.overview import retry_job

    async with open_queue(args, environment) as queue:
        one = await find_job(queue, args.job_id)
        if queue is None or not await retry_job(queue.database, one.id):
            raise JobError(f"job {one.name} is {one.state}; only what is parked or cancelled can be run again")
        return f"{one.name} is"


async def _retry_all(args: argparse.Namespace, environment: Mapping[str, str]) -> str:
    from action_server.jobs.overview import retry_parked

    async with open_queue(args, environment) as queue:
        count = await retry_parked(queue.database, args.job) if queue is not None else 0
    if count == 0:
        raise JobError(f"no job {args.job} is parked; `action-server jobs list` shows those that there are")
    return f"1 job {args.job} is" if count == 1 else f"{count} jobs {args.job} are"
