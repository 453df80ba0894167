"""The verb `doctor`: finds what will fail at run time between an engine and this server."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

from action_server import __version__
from action_server.cli.console import make_console, print_json
from action_server.cli.flags import add_json_flag
from action_server.cli.services import show_descriptions
from action_server.config import settings
from action_server.extras import packages_for

DESCRIPTION = """\
Compare action_endpoint of Rasa's endpoints file with this server's settings, and show what will fail.

Give it the flags you give to run. Exit code 1: calls will fail; 2: the settings cannot be read.

With --from-rasa-sdk it reads a bot that runs under `python -m rasa_sdk` today, and says what changes for it here."""
_MOVE = "--from-rasa-sdk"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb, and those of `run`."""
    parser.add_argument("--url", metavar="URL", help="the url the engine calls, instead of the one of action_endpoint")
    parser.add_argument("--engine", metavar="URL", help="ask a running engine for its version and its clock")
    parser.add_argument("--online", action="store_true", help="call the running server, and open the services")
    parser.add_argument(
        _MOVE, nargs="?", const=".", metavar="DIR", help="read this bot (default: here), and say what changes for it"
    )
    form = parser.add_mutually_exclusive_group()
    add_json_flag(form)
    form.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    settings.add_flags(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Examine settings and endpoints. Returns 1 if there are errors.

    Raises:
        StartupError: the settings cannot be read.
    """
    if args.from_rasa_sdk is not None:
        return _survey(args)
    from action_server.doctor import report, rules
    from action_server.doctor.examine import examine
    from action_server.findings import output, sarif
    from action_server.telemetry import logs

    read = settings.read(vars(args), environment)
    # Tracebacks of services may hold secrets; the findings say what is wrong.
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    # What the actions' modules print when they are imported is none of the report.
    with contextlib.redirect_stdout(sys.stderr):
        examined = examine(read, environment, url=args.url, engine=args.engine, online=args.online)
    if args.json:
        print_json(report.as_json(examined))
    elif args.sarif:
        print_json(sarif.as_sarif(examined.findings, rules.RULES.values(), __version__, otherwise=str(read.endpoints)))
    else:
        console = make_console()
        output.show_findings(console, examined.findings)
        show_descriptions(console, examined.descriptions)
    return 1 if any(finding.severity == "error" for finding in examined.findings) else 0


def _survey(args: argparse.Namespace) -> int:
    """Say what changes for a bot of rasa-sdk's server. Returns 1 if something has to be changed before it starts.

    Raises:
        SettingsError: there is no such bot, or a package is missing.
    """
    with packages_for(_MOVE):
        from action_server.doctor.from_rasa_sdk.survey import survey
    from action_server.doctor import rules
    from action_server.findings import output, sarif

    found = survey(Path(args.from_rasa_sdk))
    if args.json:
        print_json(output.as_json(found))
    elif args.sarif:
        print_json(sarif.as_sarif(found, rules.RULES.values(), __version__, otherwise=args.from_rasa_sdk))
    else:
        output.show_findings(make_console(), found, checked=f"what changes for {args.from_rasa_sdk}")
    return 1 if any(finding.severity == "error" for finding in found) else 0
