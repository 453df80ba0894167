"""The verb `stubs`: makes stubs of actions from recorded calls, and checks them against the code."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, print_json
from action_server.cli.flags import access_of, add_action_flags, add_json_flag, add_url_flags, refuse_useless
from action_server.cli.values import parse_path
from action_server.config import settings
from action_server.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.testing.recordings import RecordedCall
    from action_server.testing.stubs import CheckedStub, MadeStub

DESCRIPTION = """\
Make `stub_custom_actions` of end-to-end tests from recorded calls: of each action what it answered last. Calls are
recorded by `action-server run --record DIR` and by `pytest --record-actions DIR`.

With --check the recorded calls of all actions that have a stub run again, on the actions in place or at --url.

Exit code 0: they are made, or all that could be checked hold; 1: an action no longer answers what its stub says;
2: there is nothing to make or to check."""
EXAMPLES = """\
examples:
  action-server stubs recordings
  action-server stubs recordings --write tests/e2e/booking.yml --only action_book
  action-server stubs recordings --check tests/e2e"""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and flags of the verb."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "folder", metavar="DIR", type=parse_path, nargs="?", default=Path("recordings"),
        help="the folder with the recorded calls (default: recordings)",
    )  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--write", metavar="FILE", type=parse_path, help="put the stubs into this file of tests (default: print them)"
    )
    what.add_argument(
        "--check",
        metavar="PATH",
        type=parse_path,
        help="write nothing; do actions still answer what the stubs there say?",
    )
    parser.add_argument("--only", metavar="NAME", action="append", help="this action only; may be repeated")
    add_url_flags(parser, or_grpc=True)
    add_action_flags(parser)
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Make or check the stubs. Returns 1 if one does not hold.

    Raises:
        StartupError: recordings, stubs or settings are wrong, or the actions cannot be opened.
        UnreachableError: nothing answers at the address.
    """
    from action_server.testing.recordings import read_recordings

    if args.url and args.check is None:
        raise SettingsError("--url", "does nothing without --check: no action is called")
    refuse_useless(args)
    access_of(args, args.url)
    calls = [call for call in read_recordings(args.folder) if not args.only or call.action in args.only]
    return _make(args, calls) if args.check is None else _check(args, calls, environment)


def _make(args: argparse.Namespace, calls: Sequence[RecordedCall]) -> int:
    from action_server.testing.stub_file import put_stubs, write_stubs
    from action_server.testing.stubs import make_stubs, stub_as_json

    made, left_out = make_stubs(calls)
    if not made:
        raise SettingsError(str(args.folder), "has no call that a stub can be made of: none was answered 200")
    stubs = {action: made[action].stub for action in sorted(made)}
    if args.write is not None:
        write_stubs(args.write, stubs)
    if args.json:
        print_json(
            {
                "file": args.write,
                "stub_custom_actions": {action: stub_as_json(stub) for action, stub in stubs.items()},
                "answers": {action: made[action].answers for action in stubs},
                "left_out": left_out,
                "lost": {action: made[action].lost for action in stubs if made[action].lost},
            }
        )
        return 0
    if args.write is None:
        # As it is, for a file: a console would wrap it.
        sys.stdout.write(put_stubs("", stubs, Path("stdout")))
    show_made(make_console(sys.stderr if args.write is None else None), args.write, made, left_out)
    return 0


def show_made(console: Console, file: Path | None, made: Mapping[str, MadeStub], left_out: Mapping[str, str]) -> None:
    """Print what a file got, of which actions only one of several answers, and what has no stub."""
    from action_server.findings.output import print_line

    if file is not None:
        print_line(console, f"{file}: {len(made)} stubs: {', '.join(sorted(made))}")
    for action, one in sorted(made.items()):
        if one.answers > 1:
            print_line(console, f"{action}: {one.answers} different answers; the last one counts ({one.file.name})")
        if one.lost:
            print_line(console, f"{action}: left out, as stubs have no word for it: {', '.join(one.lost)}")
    for action, why in sorted(left_out.items()):
        print_line(console, f"{action or '(no action)'}: no stub: {why}")


def _check(args: argparse.Namespace, calls: Sequence[RecordedCall], environment: Mapping[str, str]) -> int:
    from action_server.telemetry import logs
    from action_server.testing.stubs import CHANGED, UNCHECKED

    read = settings.read(vars(args), environment)
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    with contextlib.redirect_stdout(sys.stderr):
        found = asyncio.run(_run_calls(args, calls, read))
    if all(one.outcome == UNCHECKED for one in found):
        raise SettingsError(str(args.folder), f"no call of an action with a stub in {args.check} was recorded there")
    if args.json:
        print_json([one.as_json() for one in found])
    else:
        show_checked(make_console(), found)
    return 1 if any(one.outcome == CHANGED for one in found) else 0


async def _run_calls(
    args: argparse.Namespace, calls: Sequence[RecordedCall], read: settings.Settings
) -> list[CheckedStub]:
    from action_server.flows.e2e.stubs import action_of
    from action_server.testing import replay
    from action_server.testing.stub_file import find_stubs
    from action_server.testing.stubs import check_stubs

    files = {
        file: {key: stub for key, stub in stubs.items() if not args.only or action_of(key) in args.only}
        for file, stubs in find_stubs(args.check).items()
    }
    opening = replay.there(args.url, access_of(args, args.url)) if args.url else replay.here(read)
    async with opening as send:
        return await check_stubs(files, calls, send)


def show_checked(console: Console, found: Sequence[CheckedStub]) -> None:
    """Print a line for each stub, and below one that does not hold what its action answers now."""
    from action_server.findings.output import print_line
    from action_server.testing.stubs import CHANGED, SAME, UNCHECKED

    for one in found:
        why = f": {one.problem}" if one.problem else ""
        mark = f"{one.outcome:11}"
        print_line(console, f"{mark}  {one.key}  {one.file}{why}", "bold" if one.outcome == CHANGED else "")
        for line in one.changes:
            style = {"+": "green", "-": "red"}.get(line[:1], "")
            print_line(console, f"    {line}", style, indent=6)
    counts = {outcome: sum(1 for one in found if one.outcome == outcome) for outcome in (SAME, CHANGED, UNCHECKED)}
    print_line(console, f"{len(found)} stubs: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
