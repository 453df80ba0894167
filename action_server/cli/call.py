"""The verb `call`: calls one action, as an engine would."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server.cli.console import make_console, make_table, print_error, print_json
from action_server.cli.flags import (
    access_of,
    add_action_flags,
    add_json_flag,
    add_log_flag,
    add_url_flags,
    refuse_useless,
)
from action_server.cli.known_slots import refuse_unknown_slots
from action_server.cli.values import parse_path, parse_slots
from action_server.config import settings

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.testing.server_access import Access
    from action_server.webhook_client import Reply

DESCRIPTION = """\
Send one webhook request, as an engine would, and show what it changed.

Without --url the actions in place answer, in this process."""
EXAMPLES = """\
examples:
  action-server call action_check_urgent_slots appointment_type=urgent
  action-server call action_create_appointment appointment_type=general preferred_date="tomorrow at 10"
  action-server call validate_party_form party_size=4 --domain domain.yml --url http://localhost:5055/webhook"""
_UNSET = object()


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and flags of the verb."""
    parser.epilog = EXAMPLES
    parser.add_argument("action", metavar="NAME", help="the action's name, such as action_create_appointment")
    parser.add_argument(
        "slots", metavar="slot=value", nargs="*", help="a slot of the conversation; value is JSON or text"
    )
    parser.add_argument("--message", metavar="TEXT", help="what the user said last")
    parser.add_argument("--sender", metavar="ID", default="default", help="the conversation (default: default)")
    add_url_flags(parser)
    parser.add_argument(
        "--domain", metavar="PATH", type=parse_path, help="the domain to send along, a file or folder; forms need it"
    )
    add_action_flags(parser)
    add_log_flag(parser, "WARNING")
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Call the action and show what it did. Returns 1 for another status than 200.

    Raises:
        StartupError: settings, slots or the domain are wrong, or the actions cannot be opened.
        UnreachableError: nothing answers at the URL.
    """
    from action_server.telemetry import logs

    # A person looks at the outcome of one call, not at a server's log; what goes wrong is still shown.
    # `--domain` is sent along here; the setting of that name is about tools.
    given = {name: value for name, value in vars(args).items() if value is not None and name != "domain"}
    read = settings.read({"log_level": "WARNING", **given}, environment)
    logs.configure(read.logs)
    refuse_useless(args, actions="--actions", strict="--strict")
    access = access_of(args, args.url)
    slots = parse_slots(args.slots)
    domain = _read_domain(args.domain)
    # The project here need not be that of a server elsewhere.
    knows_slots = bool(slots) and (domain is not None or not args.url) and refuse_unknown_slots(slots, domain)
    reply, hint = asyncio.run(_call(args, access, slots, domain, read, knows_slots=knows_slots))
    if args.json:
        print_json({"status": reply.status, "milliseconds": reply.milliseconds, "body": reply.body})
    else:
        show_reply(make_console(), args.action, slots, reply)
    if hint:
        print_error(hint)
    return 0 if reply.status == 200 else 1


async def _call(
    args: argparse.Namespace,
    access: Access,
    slots: Mapping[str, Any],
    domain: Mapping[str, Any] | None,
    read: settings.Settings,
    *,
    knows_slots: bool,
) -> tuple[Reply, str]:
    """Return the reply, and what may have been meant where it is none of an action."""
    from action_server.cli import client

    if not args.url:
        return await client.call_in_process(
            read,
            args.action,
            slots,
            message=args.message,
            sender_id=args.sender,
            domain=domain,
            knows_slots=knows_slots,
        )
    headers, tls = access.headers, access.context()
    reply = await client.call_action(
        args.url,
        args.action,
        slots,
        message=args.message,
        sender_id=args.sender,
        domain=domain,
        headers=headers,
        tls=tls,
    )
    if reply.status not in (404, 405):
        return reply, ""
    return reply, await client.explain_not_found(args.url, args.action, headers, tls)


def _read_domain(path: Path | None) -> Mapping[str, Any] | None:
    if path is None:
        return None
    from action_server.tools.domain import read_domain

    return read_domain(path, "--domain")


def show_reply(console: Console, action: str, slots: Mapping[str, Any], reply: Reply) -> None:
    """Print what a call did: status and time, messages, slots before and after, other events, or the error."""
    from action_server.findings.output import print_line

    print_line(console, f"{action}  {reply.status}  {reply.milliseconds:g} ms", "bold")
    if reply.status != 200:
        _show_error(console, reply)
        return
    for response in reply.responses:
        _show_message(console, response)
    changes = [event for event in reply.events if event.get("event") == "slot"]
    if changes:
        table = make_table("slot", "before", "after")
        for event in changes:
            name = event.get("name", "?")
            table.add_row(str(name), _format(slots.get(name, _UNSET)), _format(event.get("value")))
        console.print(table)
    for event in reply.events:
        if event.get("event") != "slot":
            rest = {k: v for k, v in event.items() if k != "event" and v is not None}
            print_line(console, f"  event {event.get('event')} {json.dumps(rest) if rest else ''}")
    if not reply.responses and not reply.events:
        console.print("  no messages, no events")


def _show_message(console: Console, response: Mapping[str, Any]) -> None:
    """Print one response: its text or the name of its template, then whatever else is not empty."""
    from action_server.findings.output import print_line

    text = response.get("text") or (f"response {response['response']}" if response.get("response") else "")
    first = "  bot: "
    for line in str(text).splitlines():
        print_line(console, f"{first}{line}", indent=7)
        first = " " * 7
    for button in response.get("buttons") or []:
        print_line(console, f"       [{button.get('title')}] {button.get('payload')}", indent=7)
    hidden = {"text", "buttons", "response", "template"}
    for key, value in response.items():
        if value and key not in hidden:
            print_line(console, f"       {key}: {_format(value)}", indent=7)


def _show_error(console: Console, reply: Reply) -> None:
    from action_server.findings.output import print_line

    if not isinstance(reply.body, dict):
        console.print("  the reply is not JSON: is this the URL of an action server's webhook?")
        return
    for key, value in reply.body.items():
        if key != "action_name":
            print_line(console, f"  {key}: {value}")


def _format(value: object) -> str:
    return "-" if value is _UNSET else json.dumps(value, ensure_ascii=False)
