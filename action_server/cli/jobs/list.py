"""The verb `jobs list`: lists jobs, those that need somebody first."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, make_table, print_json
from action_server.cli.flags import add_json_flag
from action_server.cli.jobs.queue import open_queue, short
from action_server.cli.store import add_store_flags
from action_server.telemetry.durations import length

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.jobs.overview import JobShown

DESCRIPTION = """\
List the jobs of the queue: those that were given up (`parked`) first, then those that run and that wait. What jobs were
given and what they returned is not shown.

Exit code 1: some are parked."""

_STATES = ("waiting", "running", "parked", "cancelled", "done")
_WITHOUT_ENDED = ("waiting", "running", "parked")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    add_store_flags(parser)
    parser.add_argument("--state", action="append", choices=_STATES, help="only jobs in this state; may be repeated")
    parser.add_argument("--job", metavar="NAME", help="only jobs of this name")
    parser.add_argument("--all", action="store_true", help="those that are done or cancelled, too")
    parser.add_argument("--limit", type=_count, default=100, metavar="N", help="at most so many (100)")
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the jobs. Returns 1 if one of them is parked.

    Raises:
        StartupError: the settings are wrong.
        DatabaseError: the database does not answer.
    """
    jobs = asyncio.run(_list_jobs(args, environment))
    if args.json:
        print_json([asdict(one) for one in jobs])
    else:
        show_jobs(make_console(), jobs)
    return 1 if any(one.state == "parked" for one in jobs) else 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


async def _list_jobs(args: argparse.Namespace, environment: Mapping[str, str]) -> Sequence[JobShown]:
    from action_server.jobs.overview import list_jobs

    states = args.state or (_STATES if args.all else _WITHOUT_ENDED)
    async with open_queue(args, environment) as queue:
        return await list_jobs(queue.database, states, args.job, args.limit) if queue else []


def show_jobs(console: Console, jobs: Sequence[JobShown]) -> None:
    """Print a table of jobs: the first digits of the id, the name, the state, tries, age, and what is to be known."""
    if not jobs:
        console.print("there is no such job; --all shows those that are done, too")
        return
    table = make_table("id", "job", "state", "tries", "age", "")
    for one in jobs:
        table.add_row(short(one.id), one.name, one.state, str(one.attempt), length(one.age), _note(one))
    console.print(table)


def _note(one: JobShown) -> str:
    if one.is_behind:
        return "after another one"
    if one.state == "waiting":
        if one.deadline_in <= 0:
            # A worker that knows it would have given it up.
            return "no worker took it in time"
        when = "due" if one.due_in is None or one.due_in <= 0 else f"in {length(one.due_in)}"
        return f"{when}; {_kind(one)}" if one.problem else when
    if one.state == "running":
        if one.due_in is not None and one.due_in <= 0:
            return f"silent for {length(-one.due_in)}"
        part = "" if one.progress is None else f"{one.progress:.0%}"
        return " ".join(text for text in (part, one.said) if text)
    return _kind(one)


def _kind(one: JobShown) -> str:
    """Return what went wrong in a word, as far as that can be: `jobs show` has all of it."""
    kind, _, more = one.problem_parts
    return kind + more
