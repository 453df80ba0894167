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
    one = asyncio.run(_find(args, environment))
    if args.json:
        print_json(asdict(one))
        return 0
    table = make_table("", "")
    for name, value in asdict(one).items():
        if value not in (None, ""):
            table.add_row(name, length(value) if name in ("age", "due_in", "deadline_in") else str(value))
    if one.is_behind:
        table.add_row("due", "after another one of the same ordering key")
    make_console().print(table)
    return 0


async def _find(args: argparse.Namespace, environment: Mapping[str, str]) -> JobShown:
    async with open_queue(args, environment) as queue:
        return await find_job(queue, args.job_id)
