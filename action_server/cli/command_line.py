"""The command line: verbs and exit codes.

0 is fine, 1 is a failed call or one that will fail, 2 is wrong usage or settings.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server import __version__
from action_server.cli import flow_verbs
from action_server.config import settings
from action_server.errors import ActionServerError, SettingsError, StartupError

if TYPE_CHECKING:
    from action_server.runtime.health import ServicePinged

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

_RUN_VERBS = ("run", "start")
_DESCRIPTION = """\
A custom action server for Rasa assistants. Without a verb it runs, with the flags of `python -m rasa_sdk`.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "run")
    # As `python -m` does it: the console script's own folder would come first, and the project beside us not at all.
    if sys.path[0] != os.getcwd():
        sys.path.insert(0, os.getcwd())
    try:
        args = _parser(given).parse_args(given)
        code: int = args.verb(args)
    except StartupError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201
        return 2
    except ActionServerError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201
        return 1
    return code


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("action-server", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"action-server {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    for add in (_add_run, _add_list, _add_call, _add_services, _add_doctor):
        add(verbs)
    flow_verbs.add(verbs, given)
    return parser


def _add_run(verbs: Verbs) -> None:
    for name in _RUN_VERBS:
        text = "serve the actions" if name == "run" else "the same as run; what the official image's users type"
        run = verbs.add_parser(name, help=text, description="Serve the actions of a package to dialogue engines.")
        settings.add_flags(run)
        run.set_defaults(verb=_run)


def _add_list(verbs: Verbs) -> None:
    listing = verbs.add_parser("list", help="list the actions", description="List the actions of a package.")
    _add_common_flags(listing)
    listing.set_defaults(verb=_list)


def _add_call(verbs: Verbs) -> None:
    call = verbs.add_parser("call", help="call one action", description=_CALL, epilog=_CALL_EXAMPLES)
    call.formatter_class = argparse.RawDescriptionHelpFormatter
    call.add_argument("action", metavar="NAME", help="the action's name, such as action_create_appointment")
    call.add_argument(
        "slots", metavar="slot=value", nargs="*", help="a slot of the conversation; value is JSON or text"
    )
    call.add_argument("--message", metavar="TEXT", help="what the user said last")
    call.add_argument("--sender", metavar="ID", default="default", help="the conversation (default: default)")
    call.add_argument(
        "--url", metavar="URL", help="call a running server's webhook instead of starting one for the call"
    )
    call.add_argument(
        "--header",
        metavar="NAME:VALUE",
        action="append",
        default=[],
        help="with --url: send this header, a credential say",
    )
    call.add_argument("--domain", metavar="FILE", type=Path, help="the domain to send along; forms need it")
    _add_common_flags(call)
    call.set_defaults(verb=_call)


def _add_services(verbs: Verbs) -> None:
    services = verbs.add_parser("services", help="ask every service whether it works", description=_SERVICES)
    services.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=10.0, help="how long each may take (default: 10)"
    )
    _add_common_flags(services)
    services.set_defaults(verb=_services)


def _add_doctor(verbs: Verbs) -> None:
    doctor = verbs.add_parser("doctor", help="find what will fail at run time", description=_DOCTOR)
    doctor.formatter_class = argparse.RawDescriptionHelpFormatter
    doctor.add_argument("--url", metavar="URL", help="the url the engine calls, instead of the one of action_endpoint")
    doctor.add_argument("--engine", metavar="URL", help="ask a running engine for its version and its clock")
    doctor.add_argument("--online", action="store_true", help="call the running server, and open the services")
    doctor.add_argument("--json", action="store_true", help="print JSON for machines")
    settings.add_flags(doctor)
    doctor.set_defaults(verb=_doctor)


_CALL = """\
Send one webhook request, as an engine would, and show what it changed.

Without --url a server for this one call is started on a free port of this machine."""
_CALL_EXAMPLES = """\
examples:
  action-server call action_check_urgent_slots appointment_type=urgent
  action-server call action_create_appointment appointment_type=general preferred_date="tomorrow at 10"
  action-server call validate_party_form party_size=4 --domain domain.yml --url http://localhost:5055/webhook"""

# How long each service may take to say how it understands its own data, in seconds: a week of some calendars.
_SAYING = 60.0
_SERVICES = """\
Open the services of the actions (databases, calendars, CRMs) as a worker does, ask each whether it works, and say in
words what is wrong. Those that can say how they understand their own data do so: a calendar shows the coming week.
Exit code 1: one of them does not work; 2: they cannot be opened."""

_DOCTOR = """\
Compare action_endpoint of Rasa's endpoints file with this server's settings, and show what will fail.

Give it the flags you give to run. Exit code 1: calls will fail; 2: the settings cannot be read."""


def _add_common_flags(parser: argparse.ArgumentParser) -> None:
    for name in ("actions", "endpoints", "strict", "log_level"):
        settings.add_flag(parser, name)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def _run(args: argparse.Namespace) -> int:
    from action_server.serving import server

    read = settings.read(vars(args), os.environ)
    server.serve(read, on_code=partial(flow_verbs.check_in_background, read) if read.dev else None)
    return 0


def _list(args: argparse.Namespace) -> int:
    from action_server.cli import terminal
    from action_server.runtime import loader
    from action_server.telemetry import logs

    read = settings.read(vars(args), os.environ)
    logs.configure(read.logs)
    actions = list(loader.load(read.actions, strict=read.strict).registry)
    if args.json:
        rows = [{k: v for k, v in vars(action).items() if k != "run"} for action in actions]
        _print_json(rows)
    else:
        terminal.show_actions(_console(), actions)
    return 0


def _call(args: argparse.Namespace) -> int:
    from action_server.telemetry import logs

    # A person looks at the outcome of one call, not at a server's log; what goes wrong is still shown.
    read = settings.read({"log_level": "WARNING", **{k: v for k, v in vars(args).items() if v is not None}}, os.environ)
    logs.configure(read.logs)
    return asyncio.run(_call_and_show(args, read))


async def _call_and_show(args: argparse.Namespace, read: settings.Settings) -> int:
    from action_server.cli import client, terminal

    slots = parse_slots(args.slots)
    options = {"message": args.message, "sender_id": args.sender, "domain": _domain(args.domain)}
    if args.url:
        headers = dict(_header(pair) for pair in args.header)
        reply = await client.call_action(args.url, args.action, slots, headers=headers, **options)
    else:
        async with client.own_server(read) as url:
            reply = await client.call_action(url, args.action, slots, **options)
    if args.json:
        _print_json({"status": reply.status, "milliseconds": reply.milliseconds, "body": reply.body})
    else:
        terminal.show_reply(_console(), args.action, slots, reply)
    return 0 if reply.status == 200 else 1


def _services(args: argparse.Namespace) -> int:
    from action_server.cli import terminal
    from action_server.telemetry import logs

    read = settings.read(vars(args), os.environ)
    # The table says what is wrong; the log would say it a second time, with tracebacks.
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    with contextlib.redirect_stdout(sys.stderr):
        pinged, said = asyncio.run(_ping_services(read, args.timeout))
    if args.json:
        rows = [
            {"name": p.name, "ok": p.works, "milliseconds": p.milliseconds, "problem": p.problem}
            | ({"says": list(said[p.name])} if p.name in said else {})
            for p in pinged
        ]
        _print_json(rows)
    else:
        terminal.show_services(_console(), pinged, said)
    return 0 if all(service.works for service in pinged) else 1


async def _ping_services(
    read: settings.Settings, timeout: float
) -> tuple[Sequence[ServicePinged], Mapping[str, Sequence[str]]]:
    from action_server.runtime import health, loader
    from action_server.serving import worker

    package = loader.load(read.actions, strict=read.strict)
    async with contextlib.AsyncExitStack() as stack:
        opened = await worker.open_services(stack, package, read.services)
        pinged = await health.ping_all(opened, timeout)
        works = {service.name for service in pinged if service.works}
        return pinged, await health.describe_all(opened, works, _SAYING)


def _doctor(args: argparse.Namespace) -> int:
    from action_server.cli import terminal
    from action_server.doctor import doctor
    from action_server.telemetry import logs

    read = settings.read(vars(args), os.environ)
    # Tracebacks of services may hold secrets; the findings say what is wrong.
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    # What the actions' modules print when they are imported is none of the report.
    with contextlib.redirect_stdout(sys.stderr):
        findings = doctor.examine(read, os.environ, url=args.url, engine=args.engine, online=args.online)
    errors = sum(finding.severity == "error" for finding in findings)
    if args.json:
        _print_json({"errors": errors, "findings": [vars(finding) for finding in findings]})
    else:
        terminal.show_findings(_console(), findings)
    return 1 if errors else 0


def parse_slots(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``slot=value`` pairs; a value is JSON if it reads as such, otherwise text: ``n=4``, ``name=Ann``.

    Raises:
        SettingsError: a pair has no ``=`` or no name.
    """
    slots = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise SettingsError(repr(pair), "is not slot=value")
        try:
            slots[name] = json.loads(value)
        except ValueError:
            slots[name] = value
    return slots


def _header(pair: str) -> tuple[str, str]:
    name, colon, value = pair.partition(":")
    if not colon or not name.strip() or not pair.isprintable():
        # The value may be a credential.
        raise SettingsError("--header", "is not NAME:VALUE")
    return name.strip(), value.strip()


def _domain(path: Path | None) -> Mapping[str, Any] | None:
    if path is None:
        return None
    from action_server.yaml_file import read_yaml

    domain = read_yaml(path, "--domain")
    if not isinstance(domain, dict):
        raise SettingsError("--domain", f"{path} is not a domain")
    return domain


def _console() -> Any:
    from rich.console import Console

    # Through a pipe nothing is wrapped to a guessed width.
    return Console() if sys.stdout.isatty() else Console(width=200)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))  # noqa: T201
