"""What a test may claim of a turn: each check looks for the event that proves it.

What engines do here was read in rasa-pro 3.21.0.
"""

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
    """One claim: how it is written, where, and what proves it.

    ``sees_opening``: in a test's first step it also looks at what came before the first message, as engines do for
    slots, messages and actions. ``cannot_be_judged`` is why this runner cannot tell whether it holds.
    """

    what: str
    at: Place
    find: Find
    sees_opening: bool = False
    cannot_be_judged: str = ""

    def __str__(self) -> str:
        return self.what


# Which event proves what was read in rasa-pro 3.21.0 (rasa/e2e_test/assertions.py and e2e_test_case.py).


def flow_event(kind: str, flow_ids: Sequence[str], step_id: str = "", *, any_of_them: bool = False) -> Find:
    """Look for ``flow_started``, ``flow_completed`` or ``flow_cancelled`` of the first flow, or of any of them.

    ``step_id``: the step that the flow had come to; only the first event of the flow is asked for it. The runner puts
    it into the event as ``last_step``.
    """

    def find(events: Sequence[Event]) -> int | None:
        for flow_id in flow_ids if any_of_them else flow_ids[:1]:
            index = index_of(events, partial(_is_about, kind=kind, flow_id=flow_id))
            if index is not None:
                # The step of this one counts, whatever later ones say.
                steps = ("", events[index].get("step_id"), events[index].get("last_step"))
                return index if step_id in steps else None
        return None

    return find


def clarification(wanted: Sequence[str], *, by_id: bool = False, any_of_them: bool = False) -> Find:
    """Look for pattern_clarification that offers these flows and no others, by name or by id; or any of these ids."""

    def find(events: Sequence[Event]) -> int | None:
        index = index_of(events, partial(_is_about, kind="flow_started", flow_id="pattern_clarification"))
        if index is None:
            return None
        offered = set(events[index].get("offered_ids" if by_id else "offered") or ())
        fits = bool(offered & set(wanted)) if any_of_them else offered == set(wanted)
        return index if fits else None

    return find


def _is_about(event: Event, kind: str, flow_id: str) -> bool:
    return bool(event["event"] == kind and event.get("flow_id") == flow_id)


def action_executed(name: str) -> Find:
    """Look for an action that ran, a response or one of the engine's own among them."""
    return lambda events: index_of(events, lambda e: e["event"] == "action" and e.get("name") == name)


def slot_was_set(slots: Sequence[tuple[str, Any]]) -> Find:
    """Look for events that set all these slots, each to its value or, for ANY_VALUE, to anything, null included.

    What proves it is the event of the slot that is listed last.
    """

    def find(events: Sequence[Event]) -> int | None:
        found = [index_of(events, partial(_sets_slot, name=n, value=v)) for n, v in slots]
        return found[-1] if found and None not in found else None

    return find


def slot_was_not_set(slots: Sequence[tuple[str, Any]]) -> Find:
    """Look whether none of these slots ends the turn with the value that is given, or with anything but null.

    Only a slot's last event counts. It proves the claim; without any event nothing does.
    """

    def find(events: Sequence[Event]) -> int | None:
        proof = ABSENT
        for name, value in slots:
            known = [i for i, event in enumerate(events) if _sets_slot(event, name, ANY_VALUE)]
            if not known:
                continue
            proof = known[-1]
            last = events[proof].get("value")
            if last is not None if value is ANY_VALUE else last == value:
                return None
        return proof

    return find


def no_slot_event(name: str, value: Any) -> Find:
    """Look whether no event at all sets a slot, to the value that is given or to anything, null included."""
    return lambda events: ABSENT if index_of(events, partial(_sets_slot, name=name, value=value)) is None else None


def _sets_slot(event: Event, name: str, value: Any) -> bool:
    # As Python compares: true is 1 there, and for engines.
    is_it = event["event"] == "slot" and event.get("name") == name
    return is_it and (value is ANY_VALUE or bool(event.get("value") == value))


@dataclass(frozen=True)
class Uttered:
    """What a message has to be: the response it comes from, a regular expression for its text, its buttons."""

    response: str = ""
    pattern: re.Pattern[str] | None = None
    text: str | None = None
    buttons: Sequence[Mapping[str, str]] = ()

    @property
    def parts(self) -> list[Uttered]:
        """Return a claim for each part, in the order in which engines look for them."""
        each = (
            (self.response, Uttered(response=self.response)),
            (self.pattern, Uttered(pattern=self.pattern)),
            (self.text, Uttered(text=self.text)),
            (self.buttons, Uttered(buttons=self.buttons)),
        )
        return [part for is_asked, part in each if is_asked]

    def fits(self, event: Event) -> bool:
        """Tell whether an event is such a message; buttons are compared as far as both lists go."""
        if event["event"] != "bot":
            return False
        if self.response and (event.get("metadata") or {}).get("utter_action") != self.response:
            return False
        if self.pattern is not None and not (event.get("text") and self.pattern.search(str(event["text"]))):
            return False
        if self.text is not None and event.get("text") != self.text:
            return False
        buttons = _buttons_of(event)
        return not self.buttons or (bool(buttons) and all(map(_is_same_button, self.buttons, buttons)))

    def is_forbidden(self, event: Event) -> bool:
        """Tell whether a part fits; of the buttons, one is enough.

        Engines cannot look for a pattern in a message without a text, and fail.
        """
        if event["event"] != "bot":
            return False
        if self.buttons:
            return any(_is_same_button(one, other) for one in self.buttons for other in _buttons_of(event))
        return self.fits(event) or (self.pattern is not None and event.get("text") is None)


def bot_uttered(wanted: Uttered) -> Find:
    """Look for messages that fit each part; these may be different ones. The last part's proves it."""

    def find(events: Sequence[Event]) -> int | None:
        found = [index_of(events, part.fits) for part in wanted.parts]
        return found[-1] if found and None not in found else None

    return find


def bot_did_not_utter(wanted: Uttered) -> Find:
    """Look whether there is no message that any part fits."""

    def is_forbidden(event: Event) -> bool:
        return any(part.is_forbidden(event) for part in wanted.parts)

    return lambda events: ABSENT if index_of(events, is_forbidden) is None else None


def index_of(events: Sequence[Event], matches: Callable[[Event], bool]) -> int | None:
    """Return the place of the first event that matches."""
    return next((i for i, event in enumerate(events) if matches(event)), None)


def format_value(value: Any) -> str:
    """Return a value as it stands in a test."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _buttons_of(event: Event) -> Sequence[Mapping[str, Any]]:
    return (event.get("data") or {}).get("buttons") or ()


def _is_same_button(wanted: Mapping[str, str], button: Mapping[str, Any]) -> bool:
    # A title or payload that is left out stands for a button without one.
    return all(button.get(key) == wanted.get(key) for key in ("title", "payload"))
