"""The verb `jobs show`: shows one job."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, make_table, print_json
from action_server.cli.flags import add_json_flag
from action_server.cli.jobs.queue import find_job, open_queue
from action_server.cli.store import add_store_flags
from action_server.telemetry.durations import length

if TYPE_CHECKING:
    from action_server.jobs.overview import JobShown

DESCRIPTION = """\
Show one job, by its id or the first digits of it. What it was given and what it returned is not shown."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument("job_id", metavar="ID", help="the job, or the first digits of it")
    add_store_flags(parser)
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the job.

    Raises:
        StartupError: the settings are wrong.
        JobError: there is no such job.
        DatabaseError: the database does not answer.
    """
    one, engine = asyncio.run(_find(args, environment))
    shown = {**asdict(one), "engine": engine}
    if args.json:
        print_json(shown)
        return 0
    table = make_table("", "")
    for name, value in shown.items():
        if value not in (None, ""):
            table.add_row(name, length(value) if name in ("age", "due_in", "deadline_in") else str(value))
    if one.is_behind:
        table.add_row("due", "after another one of the same ordering key")
    make_console().print(table)
    return 0


async def _find(args: argparse.Namespace, environment: Mapping[str, str]) -> tuple[JobShown, str]:
    """Return the job, and the name of its engine."""
    from action_server.jobs.handover import engine_of
    from action_server.jobs.overview import contents_of_job

    async with open_queue(args, environment) as queue:
        one = await find_job(queue, args.job_id)
        contents = None if queue is None else await contents_of_job(queue.database, one.id)
        return one, engine_of(one.name, contents[0]) if contents else ""
