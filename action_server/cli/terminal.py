"""What a person sees: tables of actions and of what a call changed. Readable without colour and through a pipe."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from action_server.cli.client import Reply
from action_server.doctor.doctor import Finding
from action_server.runtime.health import ServicePinged
from action_server.runtime.registry import RegisteredAction

_UNSET = object()


def show_actions(console: Console, actions: Iterable[RegisteredAction]) -> None:
    """Print a table of actions: name, how it runs, class or function, place."""
    table = _table("action", "runs on", "code", "place")
    for action in sorted(actions, key=lambda a: a.name):
        table.add_row(action.name, "event loop" if action.is_async else "thread", action.source, action.place)
    console.print(table)


def show_reply(console: Console, action: str, slots: Mapping[str, Any], reply: Reply) -> None:
    """Print what a call did: status and time, messages, slots before and after, other events, or the error."""
    console.print(f"[bold]{escape(action)}[/bold]  {reply.status}  {reply.milliseconds:g} ms", highlight=False)
    if reply.status != 200:
        _show_error(console, reply)
        return
    for response in reply.responses:
        _show_message(console, response)
    changes = [event for event in reply.events if event.get("event") == "slot"]
    if changes:
        table = _table("slot", "before", "after")
        for event in changes:
            name = event.get("name", "?")
            table.add_row(str(name), _value(slots.get(name, _UNSET)), _value(event.get("value")))
        console.print(table)
    for event in reply.events:
        if event.get("event") != "slot":
            rest = {k: v for k, v in event.items() if k != "event" and v is not None}
            console.print(f"  event {event.get('event')} {json.dumps(rest) if rest else ''}", markup=False)
    if not reply.responses and not reply.events:
        console.print("  no messages, no events")


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print a table of what the doctor found, and how many of each severity."""
    if findings:
        table = _table("severity", "rule", "where; what is wrong; what to do")
        for finding in findings:
            color = {"error": "red", "warning": "yellow", "note": "blue"}[finding.severity]
            texts = "\n".join((finding.where, finding.problem, finding.remedy))
            table.add_row(Text(finding.severity, f"bold {color}"), finding.rule, Text(texts))
        console.print(table)
    counts = Counter(finding.severity for finding in findings)
    said = [f"{n} {severity}{'s' if n > 1 else ''}" for severity, n in counts.items()]
    console.print(", ".join(said) or "nothing found", highlight=False)


def show_services(
    console: Console, services: Sequence[ServicePinged], said: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Print a table of services: name, whether it works, how long that took to know, and what is wrong.

    Below it stands what some of them `said`, by name: how they understand their own data.
    """
    if not services:
        console.print("no service was registered with a ping")
        return
    table = _table("service", "works", "ms", "what is wrong")
    for service in services:
        works = Text("yes", "green") if service.works else Text("no", "bold red")
        table.add_row(Text(service.name), works, f"{service.milliseconds:g}", Text(service.problem))
    console.print(table)
    for name, lines in (said or {}).items():
        console.print(Text("\n".join(("", name, *(f"  {line}" for line in lines)))), soft_wrap=True)


def _show_message(console: Console, response: Mapping[str, Any]) -> None:
    """Print one response: its text or the name of its template, then whatever else is not empty."""
    said = response.get("text") or (f"response {response['response']}" if response.get("response") else "")
    if said:
        console.print("  bot: " + str(said).replace("\n", "\n       "), markup=False, highlight=False, soft_wrap=True)
    for button in response.get("buttons") or []:
        console.print(f"       [{button.get('title')}] {button.get('payload')}", markup=False, highlight=False)
    hidden = {"text", "buttons", "response", "template"}
    for key, value in response.items():
        if value and key not in hidden:
            console.print(f"       {key}: {_value(value)}", markup=False, highlight=False, soft_wrap=True)


def _show_error(console: Console, reply: Reply) -> None:
    if not isinstance(reply.body, dict):
        console.print("  the reply is not JSON: is this the URL of an action server's webhook?")
        return
    for key, value in reply.body.items():
        if key != "action_name":
            console.print(f"  {key}: {value}", markup=False, highlight=False, soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _value(value: object) -> str:
    return "-" if value is _UNSET else json.dumps(value, ensure_ascii=False)
