"""From what an action returned to an answer the engine accepts.

An engine validates the whole reply against a schema, and one bad event costs the user the turn: nothing of the reply is
applied. So each event is checked here first, by the engine's own rules, and repaired or dropped with a line in the log.
Responses are looked at in :mod:`action_server.protocol.responses`, for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import GeneratorType
from typing import Any

from rasa_sdk import events as sdk_events

from action_server.errors import CallError, NotJsonableError
from action_server.protocol.events import KnownEvents, fits, known_to, repair, usual_slot
from action_server.protocol.jsonable import JsonObject, jsonable, plain_copy
from action_server.protocol.many_events import LEAST, leading_slots, usual_events
from action_server.protocol.notes import Count, Notes, ignore
from action_server.protocol.responses import normalise_response

# Lists in lists deeper than this contain themselves.
_MAX_NESTING = 20


@dataclass(frozen=True, init=False)
class Answer:
    """What goes back to the engine: events to apply and responses to send, all of it plain JSON values.

    ``failure`` is set where a failure policy answers for an action that failed: engines see no failure then.
    """

    events: list[JsonObject]
    responses: list[JsonObject]
    failure: CallError | None = field(default=None, compare=False, repr=False)

    def __init__(self, events: list[JsonObject], responses: list[JsonObject], failure: CallError | None = None) -> None:
        # What a frozen dataclass makes itself takes three times as long, and every call makes one.
        fields = self.__dict__
        fields["events"] = events
        fields["responses"] = responses
        fields["failure"] = failure


def answer_of(
    action: str, returned: object, messages: Iterable[object], version: str | None, count: Count = ignore
) -> Answer:
    """Build the answer from what an action returned and what it told its dispatcher.

    ``returned`` may be a list, a tuple or another iterable of events, also of lists of them, one event, or None.
    ``version`` is the engine's.
    """
    if returned == [] and not messages:
        return Answer([], [])
    known = known_to(version)
    notes = Notes(action, count)
    events = _events(notes, returned, known)
    responses = [r for message in messages if (r := normalise_response(notes, message)) is not None]
    return Answer(events, responses)


def _events(notes: Notes, returned: object, known: KnownEvents) -> list[JsonObject]:
    items = _items(notes, returned)
    if type(items) is not list or len(items) < LEAST:
        return [event for item in items if (event := _event(notes, item, known)) is not None]
    # Every engine knows slots.
    events = leading_slots(items)
    rest = items[len(events) :]
    usual = usual_events(rest, known, notes.event_repaired) if len(rest) >= LEAST else None
    if usual is not None:
        return events + usual
    return events + [event for item in rest if (event := _event(notes, item, known)) is not None]


def _items(notes: Notes, returned: object) -> Iterable[object]:
    if returned is None:
        return ()
    if isinstance(returned, Mapping):
        # `return SlotSet(...)` without the list around it, the commonest slip of all.
        return (returned,) if returned else ()
    if isinstance(returned, (str, bytes)) or not isinstance(returned, Iterable):
        notes.event_dropped("?", f"run() returned {type(returned).__name__}, not a list of events")
        return ()
    if isinstance(returned, list) and set(map(type, returned)) <= {dict}:
        return returned
    return _flatten(notes, returned)


def _flatten(notes: Notes, items: Iterable[object], depth: int = 0) -> Iterator[object]:
    """Yield the items of a list of events; those of lists inside of it in their places."""
    for item in items:
        if isinstance(item, (list, tuple, ValuesView, GeneratorType)) and depth < _MAX_NESTING:
            # `events.append(self.more_events())`, where `extend` was meant.
            notes.event_repaired("?", "events", type(item).__name__)
            yield from _flatten(notes, item, depth + 1)
        else:
            yield item


def _event(notes: Notes, item: object, known: KnownEvents) -> JsonObject | None:
    """Return the event in a form the engine accepts, or None after saying why there is none."""
    if type(item) is dict:
        event: JsonObject | None = usual_slot(item)
        # Every engine knows slots.
        if event is not None:
            return event
        event = plain_copy(item)
        if event is not None:
            if fits(event) and event["event"] in known:
                return event
            return _repaired(notes, event, known, [])
    return _unusual_event(notes, item, known)


def _unusual_event(notes: Notes, item: object, known: KnownEvents) -> JsonObject | None:
    if not isinstance(item, Mapping):
        item = _call_if_forgotten(notes, item)
    if not isinstance(item, Mapping):
        notes.event_dropped("?", f"it is a {type(item).__name__}, not an event of rasa_sdk.events")
        return None
    missing: list[tuple[str, str]] = []
    try:
        event: JsonObject = jsonable(_with_timestamp(item), missing=lambda *found: missing.append(found))
    except NotJsonableError as exc:
        notes.event_dropped(_name_of(item), str(exc))
        return None
    return _repaired(notes, event, known, missing)


def _repaired(
    notes: Notes, event: JsonObject, known: KnownEvents, missing: Sequence[tuple[str, str]]
) -> JsonObject | None:
    """Return an event of plain JSON as the engine takes it, put right if need be, or None after saying why not."""
    name = event.get("event")
    if not isinstance(name, str) or not name:
        notes.event_dropped("?", "it has no 'event' that names its kind")
        return None
    if name not in known:
        notes.event_dropped(name, "this engine does not know such an event")
        return None
    problem = repair(event, partial(notes.event_repaired, name))
    if problem is not None:
        notes.event_dropped(name, problem)
        return None
    if missing:
        # One line, however many there are: a table of measurements may hold thousands.
        notes.event_repaired(name, *missing[0])
    return event


def _call_if_forgotten(notes: Notes, item: object) -> object:
    """Return what `AllSlotsReset` without its parentheses was meant to be; anything else as it is."""
    if not callable(item) or getattr(item, "__module__", None) != sdk_events.__name__:
        return item
    try:
        event: object = item()
    except TypeError:
        # It needs arguments, and nobody knows which.
        return item
    notes.event_repaired(_name_of(event) if isinstance(event, Mapping) else "?", "event", type(item).__name__)
    return event


def _name_of(item: Mapping[Any, Any]) -> str:
    name = item.get("event")
    return name if isinstance(name, str) else "?"


def _with_timestamp(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event with a datetime timestamp as the number of seconds engines take."""
    timestamp = item.get("timestamp")
    if not isinstance(timestamp, datetime):
        return item
    try:
        return {**item, "timestamp": timestamp.timestamp()}
    except (ValueError, OverflowError):
        # datetime.min and its like are before all time a computer knows.
        return {**item, "timestamp": None}
