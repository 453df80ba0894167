"""The verb `services`: asks every service of the actions whether it works."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, make_table, print_json
from action_server.cli.flags import add_action_flags, add_json_flag
from action_server.config import settings

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.runtime.health import ServicePinged

DESCRIPTION = """\
Open the services of the actions (databases, calendars, CRMs) as a worker does, ask each whether it works, and say in
words what is wrong.

Exit code 1: one of them does not work; 2: they cannot be opened."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=10.0, help="how long each may take (default: 10)"
    )
    add_action_flags(parser)
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Ask the services. Returns 1 if one of them does not work.

    Raises:
        StartupError: the settings are wrong, or the services cannot be opened.
    """
    from action_server.telemetry import logs

    read = settings.read(vars(args), environment)
    # The table says what is wrong; the log would say it a second time, with tracebacks.
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    with contextlib.redirect_stdout(sys.stderr):
        pinged, descriptions = asyncio.run(_ask_services(read, args.timeout))
    if args.json:
        print_json(
            [
                {"name": p.name, "ok": p.works, "milliseconds": p.milliseconds, "problem": p.problem}
                | ({"description": descriptions[p.name]} if p.name in descriptions else {})
                for p in pinged
            ]
        )
    else:
        show_services(make_console(), pinged, descriptions)
    return 0 if all(service.works for service in pinged) else 1


async def _ask_services(
    read: settings.Settings, timeout: float
) -> tuple[Sequence[ServicePinged], Mapping[str, Sequence[str]]]:
    from action_server import assembly
    from action_server.runtime import health, loader

    package = loader.load(read.actions, strict=read.strict)
    async with contextlib.AsyncExitStack() as stack:
        opened = await assembly.open_services(stack, package, read.services)
        return await health.ping_all(opened, timeout), await health.describe_all(opened, timeout)


def show_services(
    console: Console, services: Sequence[ServicePinged], descriptions: Mapping[str, Sequence[str]]
) -> None:
    """Print a table of services: name, whether it works, how long that took to know, and what is wrong.

    Below it stands what services say of themselves, by name, in lines.
    """
    from rich.text import Text

    if not services:
        console.print("no service was registered with a ping")
        return
    table = make_table("service", "works", "ms", "what is wrong")
    for service in services:
        works = Text("yes", "green") if service.works else Text("no", "bold red")
        table.add_row(service.name, works, f"{service.milliseconds:g}", service.problem)
    console.print(table)
    show_descriptions(console, descriptions)


def show_descriptions(console: Console, descriptions: Mapping[str, Sequence[str]]) -> None:
    """Print what services say of themselves, by name, in lines."""
    from action_server.findings.output import print_line

    for name, lines in descriptions.items():
        console.print()
        print_line(console, name)
        for line in lines:
            print_line(console, f"  {line}")
