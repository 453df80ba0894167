"""The verb `contract`: does an action server keep to what engines expect of it?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, print_json
from action_server.cli.flags import access_of, add_json_flag, add_tls_flags
from action_server.cli.project_flags import add_domain_flags, given_parts
from action_server.cli.values import parse_header, parse_server, parse_slots
from action_server.config import settings

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.project.domain import Domain
    from action_server.testing.examine import Report

DESCRIPTION = """\
Examine an action server, ours or any other, requirement by requirement: what engines expect of each answer, and of
the server at its address.

Its actions are called, each at least once: name a server that is there for tests. The domain in place says which slots,
responses and actions there are; without one, names are not checked.

Exit code 0: every requirement that was checked is kept; 1: one is not; 2: nothing could be examined."""
EXAMPLES = """\
examples:
  action-server contract http://localhost:5055/webhook
  action-server contract grpc://localhost:5055
  action-server contract actions
  action-server contract http://localhost:5055/webhook --only action_book --once action_book guests=4"""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and flags of the verb."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "target",
        metavar="URL-or-package",
        help="the webhook of a server that runs, grpc://host:port, grpcs:// with TLS, or a package",
    )
    parser.add_argument("slots", metavar="slot=value", nargs="*", help="a slot of the calls; value is JSON or text")
    parser.add_argument("--only", metavar="NAME", action="append", help="call this action only; may be repeated")
    parser.add_argument(
        "--once", metavar="NAME", action="append", default=[], help="an action that runs once: ask it again"
    )
    parser.add_argument("--engine", metavar="VERSION", default="3.21.0", help="whose rules count (default: 3.21.0)")
    parser.add_argument(
        "--header", metavar="NAME:VALUE", dest="headers", type=parse_header, action="append", default=[],
        help="send this header as well, a credential say",
    )  # fmt: skip
    add_tls_flags(parser)
    add_domain_flags(parser)
    for name in ("actions", "endpoints"):
        settings.add_flag(parser, name)
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Examine the server. Returns 1 if it breaks a requirement.

    Raises:
        StartupError: settings are wrong, or the package cannot be served.
        UnreachableError: nothing answers at the address.
    """
    from action_server.telemetry import logs
    from action_server.testing.examine import Request, examine_package, examine_url
    from action_server.testing.examine_grpc import examine_grpc
    from action_server.testing.server_access import is_grpc
    from action_server.testing.tested_project import TestedProject

    is_url = "://" in args.target
    given = {**vars(args), **({} if is_url else {"actions": args.target})}
    read = settings.read(given, environment)
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    target = parse_server(args.target, "URL-or-package") if is_url else ""
    access = access_of(args, args.target)
    project = TestedProject(args.project or Path(), read, _read_domain(args))
    request = Request(project, parse_slots(args.slots), args.only, args.once, access, args.engine)
    with contextlib.redirect_stdout(sys.stderr):
        if is_grpc(target):
            examining = examine_grpc(target, request)
        else:
            examining = examine_url(target, request) if is_url else examine_package(read, request)
        report = asyncio.run(examining)
    if args.json:
        print_json(report.as_json())
    else:
        show_report(make_console(), report)
    return 1 if report.violations else 0


def _read_domain(args: argparse.Namespace) -> Domain:
    """Return the domain of the project in place, which need not have one; raises :class:`SettingsError`."""
    from action_server.project.location import project_folder
    from action_server.testing.tested_project import read_domain_in
    from action_server.tools.domain import read_domain

    if given_parts(args):
        # Named, it is to be there and readable: without it names are not checked.
        read_domain(args.domain, "--domain")
    return read_domain_in(project_folder(args.project) if args.project else Path(), args.domain)


def show_report(console: Console, report: Report) -> None:
    """Print each requirement, whether it is kept, and below it what is not."""
    from action_server.findings.output import print_line
    from action_server.testing import requirements as must

    marks = {"kept": "ok      ", "broken": "BROKEN  ", "not checked": "-       "}
    for requirement in must.ALL:
        result = report.result_of(requirement)
        print_line(
            console, f"{marks[result]}{requirement.sentence}", "bold red" if result == "broken" else "", indent=8
        )
        for violation in report.problems_of(requirement):
            who = f"{violation.action}: " if violation.action else ""
            print_line(console, f"        {requirement.id}: {who}{violation.problem}", indent=10)
    broken = len({violation.requirement for violation in report.violations})
    print_line(console, f"{broken} of {len(report.checked)} requirements broken; {len(report.called)} actions called")
    if not report.called:
        print_line(console, "no action was called: the server lists none; name one with --only NAME")
