"""The verb `idempotency list`: lists the runs of actions that run once which have no answer."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, make_table, print_json
from action_server.cli.flags import add_json_flag
from action_server.cli.store import SHOWN, add_store_flags, open_store

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.idempotency.unfinished import UnfinishedRun

DESCRIPTION = """\
List the runs of actions that run once (`idempotent`) of which no answer is stored: those that are running, and those
whose outcome is unknown, because their process died, or that failed and are kept. Repeats of the latter are refused
until they expire or somebody frees them: `action-server idempotency free KEY`.

Exit code 1: there are some whose repeats are refused."""

_MINUTE, _HOUR = 60, 3600


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    add_store_flags(parser)
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the runs without an answer. Returns 1 if the outcome of one is not known, or it failed.

    Raises:
        StartupError: the settings are wrong.
        DatabaseError: the database does not answer.
    """
    runs = asyncio.run(_list_runs(args, environment))
    if args.json:
        print_json([asdict(one) for one in runs])
    else:
        show_runs(make_console(), runs)
    return 1 if any(one.state != "running" for one in runs) else 0


async def _list_runs(args: argparse.Namespace, environment: Mapping[str, str]) -> Sequence[UnfinishedRun]:
    from action_server.idempotency.unfinished import list_unfinished

    async with open_store(args, environment) as database:
        return await list_unfinished(database) if database else []


def show_runs(console: Console, runs: Sequence[UnfinishedRun]) -> None:
    """Print a table of runs: the first digits of the key, the state, since when, for how long, and whose."""
    if not runs:
        console.print("every run has its answer")
        return
    table = make_table("key", "state", "process", "expires in", "owner")
    for one in runs:
        process = "alive" if one.lease > 0 else f"silent for {_length(-one.lease)}"
        table.add_row(
            one.key[:SHOWN], one.state, process if one.state != "failed" else "", _length(one.expires), one.owner
        )
    console.print(table)


def _length(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < _HOUR else f"{seconds / _HOUR:.0f} h"
