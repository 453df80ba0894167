"""From what an action returned to an answer the engine accepts.

An engine validates the whole reply against a schema, and one bad event costs the user the turn: nothing of the reply is
applied. So each event is checked here first, by the engine's own rules, and repaired or dropped with a line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from action_server.event_schema import KnownEvents, known_to, repair
from action_server.jsonable import NotJsonableError, jsonable

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What goes back to the engine: events to apply and responses to send, all of it plain JSON values."""

    events: list[JsonObject]
    responses: list[JsonObject]


def answer_of(action: str, returned: object, messages: Iterable[object], version: str | None) -> Answer:
    """Build the answer from what an action returned and what it told its dispatcher.

    ``returned`` may be a list, a tuple or another iterable of events, one event, or None. ``version`` is the engine's.
    """
    known = known_to(version)
    events = (_event(action, item, known) for item in _as_events(action, returned))
    responses = (_response(action, message) for message in messages)
    return Answer([e for e in events if e is not None], [r for r in responses if r is not None])


def _as_events(action: str, returned: object) -> Iterable[object]:
    if returned is None:
        return ()
    if isinstance(returned, Mapping):
        # `return SlotSet(...)` without the list around it, the commonest slip of all.
        return (returned,) if returned else ()
    if isinstance(returned, (str, bytes)) or not isinstance(returned, Iterable):
        _dropped(action, "?", f"run() returned {type(returned).__name__}, not a list of events")
        return ()
    return returned


def _event(action: str, item: object, known: KnownEvents) -> JsonObject | None:
    """Return the event in a form the engine accepts, or None after saying why there is none."""
    if not isinstance(item, Mapping):
        _dropped(action, "?", f"it is a {type(item).__name__}, not an event of rasa_sdk.events")
        return None
    try:
        event: JsonObject = jsonable(_with_timestamp(item))
    except NotJsonableError as exc:
        _dropped(action, _name_of(item), str(exc))
        return None
    name = event.get("event")
    if not isinstance(name, str) or not name:
        _dropped(action, "?", "it has no 'event' that names its kind")
        return None
    if name not in known:
        _dropped(action, name, "this engine does not know such an event")
        return None
    problem = repair(event, partial(_repaired, action, name))
    if problem is not None:
        _dropped(action, name, problem)
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


def _repaired(action: str, event: str, field: str, found: str) -> None:
    # UserUttered of rasa_sdk.events writes `parse_data: null` itself; that one is no mistake of the author's.
    level = logging.DEBUG if found == "NoneType" else logging.WARNING
    logger.log(level, "event.repaired", extra={"action": action, "event": event, "field": field, "found": found})


def _dropped(action: str, event: str, problem: str) -> None:
    logger.warning("event.dropped", extra={"action": action, "event": event, "problem": problem})
