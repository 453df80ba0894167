"""Real conversations, counted: how often an intent was understood, and how often a form began.

A file holds JSON, as a whole or line by line: trackers (objects with `events`), events (objects with `event`, as
`rasa export` publishes them), or lists of these.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.source import shorten


@dataclass(frozen=True)
class Traffic:
    """What was counted. ``unread`` are lines that are no JSON, or neither trackers nor events."""

    intents: Counter[str] = field(default_factory=Counter)
    loops: Counter[str] = field(default_factory=Counter)
    conversations: int = 0
    events: int = 0
    unread: int = 0


def read_traffic(path: Path) -> Traffic:
    """Count the events of a file.

    Raises:
        SettingsError: it cannot be read, or there is no event in it.
    """
    where = shorten(str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise SettingsError("--conversations", f"{where} cannot be read: {exc.strerror}") from None
    except ValueError:
        raise SettingsError("--conversations", f"{where} cannot be read as UTF-8 text") from None
    counter = _TrafficCounter()
    try:
        counter.add(json.loads(text), "")
    except (ValueError, RecursionError):
        for line in filter(str.strip, text.splitlines()):
            try:
                counter.add(json.loads(line), "")
            except (ValueError, RecursionError):
                counter.unread += 1
    if not counter.events:
        raise SettingsError("--conversations", f"{where} holds no events; see `action-server help migrate-to-calm`")
    return counter.traffic()


class _TrafficCounter:
    def __init__(self) -> None:
        self.intents: Counter[str] = Counter()
        self.loops: Counter[str] = Counter()
        self.senders: set[str] = set()
        self.trackers = 0
        self.events = 0
        self.unread = 0

    def traffic(self) -> Traffic:
        conversations = max(len(self.senders), self.trackers)
        return Traffic(self.intents, self.loops, conversations, self.events, self.unread)

    def add(self, found: Any, sender: str) -> None:
        if isinstance(found, list):
            for element in found:
                self.add(element, sender)
        elif isinstance(found, dict) and isinstance(found.get("events"), list):
            self.trackers += 1
            self.add(found["events"], str(found.get("sender_id") or ""))
        elif isinstance(found, dict) and isinstance(found.get("event"), str):
            self._add_event(found, sender)
        else:
            self.unread += 1

    def _add_event(self, event: dict[str, Any], sender: str) -> None:
        self.events += 1
        self.senders.update(filter(None, [sender or str(event.get("sender_id") or "")]))
        if event["event"] == "user":
            self.intents.update(_intent(event))
        elif event["event"] in ("active_loop", "form") and isinstance(event.get("name"), str):
            self.loops[event["name"]] += 1


def _intent(event: dict[str, Any]) -> Iterator[str]:
    parsed = event.get("parse_data")
    intent = parsed.get("intent") if isinstance(parsed, dict) else None
    name = intent.get("name") if isinstance(intent, dict) else None
    if isinstance(name, str) and name:
        yield name
