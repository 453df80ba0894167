"""The verb `idempotency free`: lets calls run again whose outcome somebody has found out."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, print_error, print_json
from action_server.cli.flags import add_json_flag
from action_server.cli.store import SHOWN, add_store_flags, open_store
from action_server.errors import SettingsError
from action_server.nearest import did_you_mean

if TYPE_CHECKING:
    from action_server.idempotency.unfinished import UnfinishedRun

DESCRIPTION = """\
Free the keys of calls whose outcome is unknown, or that failed and are kept: a repeat runs the action then. Find out
first what really happened; the log line `idempotent.outcome_unknown` names the key, and `action-server idempotency
list` shows what there is. What is running now is never freed.

Exit code 1: there is no such key, it is not the only one, or its run is under way; nothing is freed then."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "keys", metavar="KEY", nargs="*", help="a key, or its first digits as long as they are no other's"
    )
    parser.add_argument("--all", action="store_true", help="every key whose outcome is unknown or that failed")
    add_store_flags(parser)
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Free the keys and say which they are. Returns 1 if one of them cannot be freed.

    Raises:
        StartupError: the settings are wrong, or no key is named.
        DatabaseError: the database does not answer.
    """
    if bool(args.keys) == args.all:
        raise SettingsError("KEY", "name the keys to be freed, or give --all")
    freed, problems = asyncio.run(_free(args, environment))
    for problem in problems:
        print_error(f"error: {problem}")
    if args.json:
        print_json({"freed": list(freed)})
    elif not problems:
        make_console().print("\n".join(f"freed {key}" for key in freed) or "nothing is to be freed")
    return 1 if problems else 0


async def _free(args: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return which keys were freed, or else what is wrong with those that were named."""
    from action_server.idempotency.unfinished import free_runs, list_unfinished

    async with open_store(args, environment) as database:
        runs = await list_unfinished(database) if database else []
        everything = [one.key for one in runs if one.state != "running"]
        keys, problems = (everything, []) if args.all else _named(args.keys, runs)
        if problems or database is None:
            return [], problems
        await free_runs(database, keys)
        left = {one.key for one in await list_unfinished(database)}
    return [key for key in keys if key not in left], [f"{key[:SHOWN]} is running again" for key in keys if key in left]


def _named(starts: Sequence[str], runs: Sequence[UnfinishedRun]) -> tuple[list[str], list[str]]:
    keys: list[str] = []
    problems: list[str] = []
    for start in starts:
        found = [run for run in runs if run.key.startswith(start.lower())]
        if len(found) == 1 and found[0].state != "running":
            keys.append(found[0].key)
        elif not found:
            known = [one.key[: max(len(start), SHOWN)] for one in runs]
            problems.append(f"there is no unfinished run {start!r}{did_you_mean(start, known)}")
        elif len(found) > 1:
            problems.append(f"{start!r} begins {len(found)} keys; write more of it")
        else:
            problems.append(f"{found[0].key[:SHOWN]} is running: its process is alive, wait for it or end it")
    return list(dict.fromkeys(keys)), problems
