"""The verb `replay`: runs recorded calls again and shows what changed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, print_json, write_file
from action_server.cli.flags import access_of, add_action_flags, add_json_flag, add_url_flags
from action_server.cli.values import parse_path, parse_server
from action_server.config import settings
from action_server.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.testing.recordings import RecordedCall
    from action_server.testing.replay import Replayed, Send

DESCRIPTION = """\
Run recorded calls again, on the actions in place or at --url, and show what changed as a diff: events,
responses, status. `action-server run --record DIR` records them.

Exit code 0: nothing changed, or it was accepted; 1: something changed; 2: nothing could be run."""
EXAMPLES = """\
examples:
  action-server replay recordings
  action-server replay recordings --update
  action-server replay recordings --url http://old:5055/webhook --against http://new:5055/webhook
  action-server replay recordings --url grpc://localhost:5055
  action-server replay recordings --as-test tests/test_recorded.py"""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and flags of the verb."""
    parser.epilog = EXAMPLES
    parser.add_argument("folder", metavar="DIR", type=parse_path, help="the folder with the recorded calls")
    add_url_flags(parser, or_grpc=True)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--against",
        metavar="URL",
        type=partial(parse_server, where="--against"),
        help="call this server as well, and show where the two differ",
    )
    what.add_argument("--update", action="store_true", help="accept what changed: write the new answers down")
    what.add_argument(
        "--as-test", metavar="FILE", type=parse_path, help="run nothing; write the calls as tests for pytest"
    )
    add_action_flags(parser)
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run the calls. Returns 1 if an answer is another one.

    Raises:
        StartupError: settings or recordings are wrong, or the actions cannot be opened.
        UnreachableError: nothing answers at an address.
    """
    from action_server.telemetry import logs
    from action_server.testing.recordings import read_recordings

    calls = read_recordings(args.folder)
    if args.as_test is not None:
        return _write_tests(args.as_test, calls)
    read = settings.read(vars(args), environment)
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    with contextlib.redirect_stdout(sys.stderr):
        found = asyncio.run(_replay(args, calls, read))
    if args.update:
        for one in found:
            if one.changes:
                _save(one)
    if args.json:
        print_json([one.as_json() for one in found])
    else:
        show_replayed(make_console(), found, is_accepted=args.update)
    return 1 if any(one.changes for one in found) and not args.update else 0


def _save(one: Replayed) -> None:
    try:
        one.call.save(one.after.status, one.after.body, one.after.milliseconds)
    except OSError as exc:
        raise SettingsError("--update", f"{one.call.file} cannot be written: {exc.strerror}") from exc


def _write_tests(file: Path, calls: Sequence[RecordedCall]) -> int:
    from action_server.findings.output import print_line
    from action_server.testing.written_tests import tests_of, why_untestable

    if file.exists():
        raise SettingsError("--as-test", f"{file} exists; name another file")
    console, left_out = make_console(), {call.file.name: why for call in calls if (why := why_untestable(call))}
    if len(left_out) == len(calls):
        raise SettingsError("--as-test", f"{calls[0].file} and all others make no test: {why_untestable(calls[0])}")
    write_file(file, tests_of(calls))
    print_line(console, f"wrote {file}")
    for name, why in left_out.items():
        print_line(console, f"left out {name}: {why}")
    return 0


async def _replay(args: argparse.Namespace, calls: Sequence[RecordedCall], read: settings.Settings) -> list[Replayed]:
    from action_server.testing import replay
    from action_server.testing.server_access import is_grpc

    async with contextlib.AsyncExitStack() as stack:
        access = access_of(args, args.url, args.against)
        opening = replay.there(args.url, access) if args.url else replay.here(read)
        send: Send = await stack.enter_async_context(opening)
        against = await stack.enter_async_context(replay.there(args.against, access)) if args.against else None
        over_grpc = any(is_grpc(url) for url in (args.url, args.against) if url)
        return await replay.replay(calls, send, against, over_grpc=over_grpc)


def show_replayed(console: Console, found: Sequence[Replayed], *, is_accepted: bool) -> None:
    """Print a line for each call, and below one that changed what did."""
    from action_server.findings.output import print_line

    for one in found:
        mark = "changed" if one.changes else "same   "
        time = f"{one.before.milliseconds:g} -> {one.after.milliseconds:g} ms"
        print_line(
            console,
            f"{mark}  {one.call.action or '(no action)'}  {time}  {one.call.file.name}",
            "bold" if one.changes else "",
        )
        for line in one.changes:
            style = {"+": "green", "-": "red"}.get(line[:1], "")
            print_line(console, f"    {line}", style, indent=6)
    changed = sum(1 for one in found if one.changes)
    accepted = ", accepted" if is_accepted and changed else ""
    print_line(console, f"{len(found)} calls, {changed} changed{accepted}")
