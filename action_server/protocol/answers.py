"""From what an action returned to an answer the engine accepts.

An engine validates the whole reply against a schema, and one bad event costs the user the turn: nothing of the reply is
applied. So each event is checked here first, by the engine's own rules, and repaired or dropped with a line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from action_server.errors import NotJsonableError
from action_server.protocol.events import KnownEvents, known_to, repair
from action_server.protocol.jsonable import jsonable

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What goes back to the engine: events to apply and responses to send, all of it plain JSON values."""

    events: list[JsonObject]
    responses: list[JsonObject]


# Told of each event that was ``dropped`` or ``repaired``: which of the two, the action and the event's name.
Noted = Callable[[Literal["dropped", "repaired"], str, str], None]


def _unnoted(*_: str) -> None:
    """Take no note."""


def answer_of(
    action: str, returned: object, messages: Iterable[object], version: str | None, noted: Noted = _unnoted
) -> Answer:
    """Build the answer from what an action returned and what it told its dispatcher.

    ``returned`` may be a list, a tuple or another iterable of events, one event, or None. ``version`` is the engine's.
    """
    if returned == [] and not messages:
        return Answer([], [])
    known = known_to(version)
    notes = _Notes(action, noted)
    events = (_event(notes, item, known) for item in _as_events(notes, returned))
    responses = (_response(action, message) for message in messages)
    return Answer([e for e in events if e is not None], [r for r in responses if r is not None])


@dataclass(frozen=True)
class _Notes:
    """Says in the log, and to whoever counts, what became of an action's events."""

    action: str
    noted: Noted

    def repaired(self, event: str, field: str, found: str) -> None:
        # UserUttered of rasa_sdk.events writes `parse_data: null` itself; that one is no mistake of the author's.
        level = logging.DEBUG if found == "NoneType" else logging.WARNING
        facts = {"action": self.action, "event": event, "field": field, "found": found}
        logger.log(level, "event.repaired", extra=facts)
        self.noted("repaired", self.action, event)

    def dropped(self, event: str, problem: str) -> None:
        logger.warning("event.dropped", extra={"action": self.action, "event": event, "problem": problem})
        self.noted("dropped", self.action, event)


def _as_events(notes: _Notes, returned: object) -> Iterable[object]:
    if returned is None:
        return ()
    if isinstance(returned, Mapping):
        # `return SlotSet(...)` without the list around it, the commonest slip of all.
        return (returned,) if returned else ()
    if isinstance(returned, (str, bytes)) or not isinstance(returned, Iterable):
        notes.dropped("?", f"run() returned {type(returned).__name__}, not a list of events")
        return ()
    return returned


def _event(notes: _Notes, item: object, known: KnownEvents) -> JsonObject | None:
    """Return the event in a form the engine accepts, or None after saying why there is none."""
    if not isinstance(item, Mapping):
        notes.dropped("?", f"it is a {type(item).__name__}, not an event of rasa_sdk.events")
        return None
    try:
        event: JsonObject = jsonable(_with_timestamp(item))
    except NotJsonableError as exc:
        notes.dropped(_name_of(item), str(exc))
        return None
    name = event.get("event")
    if not isinstance(name, str) or not name:
        notes.dropped("?", "it has no 'event' that names its kind")
        return None
    if name not in known:
        notes.dropped(name, "this engine does not know such an event")
        return None
    problem = repair(event, partial(notes.repaired, name))
    if problem is not None:
        notes.dropped(name, problem)
        return None
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


def _response(action: str, message: object) -> JsonObject | None:
    if not isinstance(message, Mapping):
        logger.warning("response.dropped", extra={"action": action, "problem": f"it is a {type(message).__name__}"})
        return None
    try:
        plain: JsonObject = jsonable(message)
    except NotJsonableError as exc:
        logger.warning("response.dropped", extra={"action": action, "problem": str(exc)})
        return None
    return plain
