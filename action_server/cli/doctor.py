"""The verb `doctor`: finds what will fail at run time between an engine and this server."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, make_table, print_json
from action_server.cli.flags import add_json_flag
from action_server.config import settings

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.doctor.doctor import Finding

DESCRIPTION = """\
Compare action_endpoint of Rasa's endpoints file with this server's settings, and show what will fail.

Give it the flags you give to run. Exit code 1: calls will fail; 2: the settings cannot be read."""
_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb, and those of `run`."""
    parser.add_argument("--url", metavar="URL", help="the url the engine calls, instead of the one of action_endpoint")
    parser.add_argument("--engine", metavar="URL", help="ask a running engine for its version and its clock")
    parser.add_argument("--online", action="store_true", help="call the running server, and open the services")
    add_json_flag(parser)
    settings.add_flags(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Examine settings and endpoints. Returns 1 if there are errors.

    Raises:
        StartupError: the settings cannot be read.
    """
    from action_server.doctor import doctor
    from action_server.telemetry import logs

    read = settings.read(vars(args), environment)
    # Tracebacks of services may hold secrets; the findings say what is wrong.
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    # What the actions' modules print when they are imported is none of the report.
    with contextlib.redirect_stdout(sys.stderr):
        findings = doctor.examine(read, environment, url=args.url, engine=args.engine, online=args.online)
    errors = sum(finding.severity == "error" for finding in findings)
    if args.json:
        print_json({"errors": errors, "findings": [vars(finding) for finding in findings]})
    else:
        show_findings(make_console(), findings)
    return 1 if errors else 0


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print a table of what the doctor found, and how many of each severity."""
    from rich.text import Text

    if findings:
        table = make_table("severity", "rule", "where; what is wrong; what to do")
        for finding in findings:
            texts = "\n".join((finding.where, finding.problem, finding.remedy))
            severity = Text(finding.severity, f"bold {_COLOURS[finding.severity]}")
            table.add_row(severity, finding.rule, Text(texts))
        console.print(table)
    counts = Counter(finding.severity for finding in findings)
    parts = [f"{n} {severity}{'s' if n > 1 else ''}" for severity, n in counts.items()]
    console.print(", ".join(parts) or "nothing found", highlight=False)
