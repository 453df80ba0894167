"""What a test may claim of a turn: each check looks for the event that proves it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from action_server.source import Place

Event = Mapping[str, Any]
# Where in the events the proof stands; None if it stands nowhere, -1 if it is that something is absent.
Find = Callable[[Sequence[Event]], int | None]
ABSENT = -1
ANY_VALUE = object()


@dataclass(frozen=True)
class Check:
    """One claim: how it is written, where, and what proves it."""

    what: str
    at: Place
    find: Find

    def __str__(self) -> str:
        return self.what


def flow_event(kind: str, flow_ids: Sequence[str], step_id: str = "", *, any_of_them: bool = False) -> Find:
    """Look for ``flow_started``, ``flow_completed`` or ``flow_cancelled`` of all the flows, or of any of them.

    ``step_id``: the step that the flow had come to. The runner puts it into the event as ``last_step``.
    """

    def matches(event: Event, flow_id: str) -> bool:
        is_it = event["event"] == kind and event.get("flow_id") == flow_id
        return is_it and step_id in ("", event.get("step_id"), event.get("last_step"))

    def find(events: Sequence[Event]) -> int | None:
        found = [index_of(events, partial(matches, flow_id=flow_id)) for flow_id in flow_ids]
        return _combine(found, any_of_them=any_of_them)

    return find


def clarification(names: Sequence[str], *, any_of_them: bool = False) -> Find:
    """Look for pattern_clarification that offers all of these flows, by id or name, and no others; or any of them."""

    def matches(event: Event) -> bool:
        if event["event"] != "flow_started" or event.get("flow_id") != "pattern_clarification":
            return False
        offered = set(event.get("offered") or (event.get("metadata") or {}).get("names") or ())
        named = {name for name in names if name in offered or name in (event.get("offered_ids") or ())}
        return bool(named) if any_of_them else len(named) == len(set(names)) == len(offered)

    return lambda events: index_of(events, matches)


def action_executed(name: str) -> Find:
    """Look for an action that ran, a response or one of the engine's own among them."""
    return lambda events: index_of(events, lambda e: e["event"] == "action" and e.get("name") == name)


def slot_was_set(slots: Sequence[tuple[str, Any]]) -> Find:
    """Look for events that set all these slots, each to its value or, for ANY_VALUE, to one that is not null."""

    def matches(event: Event, name: str, value: Any) -> bool:
        if event["event"] != "slot" or event.get("name") != name:
            return False
        found = event.get("value")
        return found is not None if value is ANY_VALUE else is_same_value(found, value)

    def find(events: Sequence[Event]) -> int | None:
        return _combine([index_of(events, partial(matches, name=n, value=v)) for n, v in slots], any_of_them=False)

    return find


def slot_was_not_set(slots: Sequence[tuple[str, Any]]) -> Find:
    """Look whether none of these slots was set: to the value that is given, or to anything but null."""
    return lambda events: None if any(slot_was_set([pair])(events) is not None for pair in slots) else ABSENT


@dataclass(frozen=True)
class Uttered:
    """What a message has to be: the response it comes from, a regular expression for its text, its buttons."""

    response: str = ""
    pattern: re.Pattern[str] | None = None
    text: str | None = None
    buttons: Sequence[Mapping[str, str]] = ()

    def fits(self, event: Event) -> bool:
        """Tell whether an event is such a message."""
        if event["event"] != "bot":
            return False
        text = str(event.get("text") or "")
        if self.response and (event.get("metadata") or {}).get("utter_action") != self.response:
            return False
        if self.pattern is not None and not self.pattern.search(text):
            return False
        if self.text is not None and text.strip() != self.text.strip():
            return False
        buttons = (event.get("data") or {}).get("buttons") or ()
        return not self.buttons or _are_same_buttons(self.buttons, buttons)


def bot_uttered(wanted: Uttered) -> Find:
    """Look for a message."""
    return lambda events: index_of(events, wanted.fits)


def bot_did_not_utter(wanted: Uttered) -> Find:
    """Look whether there is no such message."""
    return lambda events: ABSENT if index_of(events, wanted.fits) is None else None


def index_of(events: Sequence[Event], matches: Callable[[Event], bool]) -> int | None:
    """Return the place of the first event that matches."""
    return next((i for i, event in enumerate(events) if matches(event)), None)


def is_same_value(found: Any, wanted: Any) -> bool:
    """Tell whether two values are one: 1 and 1.0 are, 1 and true are not, and neither are 1 and "1"."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def format_value(value: Any) -> str:
    """Return a value as it stands in a test."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _combine(found: Sequence[int | None], *, any_of_them: bool) -> int | None:
    there = [index for index in found if index is not None]
    if any_of_them:
        return min(there, default=None)
    return max(there, default=None) if len(there) == len(found) else None


def _are_same_buttons(wanted: Sequence[Mapping[str, str]], buttons: Sequence[Mapping[str, Any]]) -> bool:
    if len(wanted) != len(buttons):
        return False
    pairs = zip(wanted, buttons, strict=True)
    return all(all(have.get(key) == text for key, text in want.items()) for want, have in pairs)
