"""From what an action returned to an answer the engine accepts.

An engine validates the whole reply against a schema, and one bad event costs the user the turn: nothing of the reply is
applied. So each event is checked here first, by the engine's own rules, and repaired or dropped with a line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from action_server.jsonable import NotJsonableError, jsonable

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]

# The event schema of Rasa Open Source 3.6 (rasa/shared/utils/schemas/events.py).
OPEN_SOURCE_EVENTS = frozenset(
    {
        *("user", "action", "slot", "entities", "user_featurization", "bot", "agent", "session_started", "followup"),
        *("reminder", "cancel_reminder", "active_loop", "form", "form_validation", "loop_interrupted", "reset_slots"),
        *("action_execution_rejected", "pause", "resume", "restart", "undo", "rewind", "export"),
    }
)
# What Rasa Pro takes on top of it. It keeps adding events to these families, hence the prefixes.
PRO_EVENTS = OPEN_SOURCE_EVENTS | {"session_ended", "inactive", "stack", "routing_session_ended", "error"}
_PRO_FAMILIES = ("flow_", "agent_", "skill_", "memory_")

# Rasa Open Source ended with 3.6; every later version is Rasa Pro.
_LAST_OPEN_SOURCE = (3, 6)

_NULL = type(None)
_NUMBER = (int, float)
# Fields whose type the engine checks: what it takes. A field that may be null becomes null when it is wrong, the others
# are left out.
_FIELD_TYPES: dict[str, dict[str, tuple[type, ...]]] = {
    "user": {"text": (str, _NULL), "input_channel": (str, _NULL), "message_id": (str, _NULL), "parse_data": (dict,)},
    "action": {
        "policy": (str, _NULL),
        "confidence": (*_NUMBER, _NULL),
        "name": (str, _NULL),
        "hide_rule_turn": (bool,),
        "action_text": (str, _NULL),
    },
}
_COMMON_TYPES: dict[str, tuple[type, ...]] = {"timestamp": (*_NUMBER, _NULL), "metadata": (dict, _NULL)}


@dataclass(frozen=True)
class Answer:
    """What goes back to the engine: events to apply and responses to send, all of it plain JSON values."""

    events: list[JsonObject]
    responses: list[JsonObject]


def answer_of(action: str, returned: object, messages: Iterable[object], version: str | None) -> Answer:
    """Build the answer from what an action returned and what it told its dispatcher.

    ``returned`` may be a list, a tuple or another iterable of events, one event, or None. ``version`` is the engine's.
    """
    known = is_known_to(version)
    events = []
    for item in _as_events(action, returned):
        event = _event(action, item, known)
        if event is not None:
            events.append(event)
    return Answer(events, [r for message in messages if (r := _response(action, message)) is not None])


def is_known_to(version: str | None) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the event names, and the prefixes of event names, an engine of this version accepts.

    A version that is missing or unreadable means an old engine: the events all of them know.
    """
    try:
        major, minor = (int(part) for part in (version or "").split(".")[:2])
    except ValueError:
        return OPEN_SOURCE_EVENTS, ()
    if (major, minor) > _LAST_OPEN_SOURCE:
        return PRO_EVENTS, _PRO_FAMILIES
    return OPEN_SOURCE_EVENTS, ()


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


def _event(action: str, item: object, known: tuple[frozenset[str], tuple[str, ...]]) -> JsonObject | None:
    """Return the event in a form the engine accepts, or None after saying why there is none."""
    if not isinstance(item, Mapping):
        _dropped(action, "?", f"it is a {type(item).__name__}, not an event of rasa_sdk.events")
        return None
    name = item.get("event")
    if not isinstance(name, str) or not name:
        _dropped(action, "?", "it has no 'event' that names its kind")
        return None
    names, families = known
    if name not in names and not name.startswith(families or ("\0",)):
        _dropped(action, name, "this engine does not know such an event")
        return None
    try:
        event = jsonable(_with_timestamp(item))
    except NotJsonableError as exc:
        _dropped(action, name, str(exc))
        return None
    _repair(action, name, event)
    return event if _is_complete(action, name, event) else None


def _with_timestamp(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event with a datetime timestamp as the number of seconds engines take."""
    timestamp = item.get("timestamp")
    return {**item, "timestamp": timestamp.timestamp()} if isinstance(timestamp, datetime) else item


def _repair(action: str, name: str, event: JsonObject) -> None:
    """Make fields of a wrong type null, or leave them out where null is wrong too."""
    for field, types in {**_COMMON_TYPES, **_FIELD_TYPES.get(name, {})}.items():
        if field not in event or _is_a(event[field], types):
            continue
        # UserUttered of rasa_sdk.events writes `parse_data: null` itself; that one is no mistake of the author's.
        level = logging.DEBUG if event[field] is None else logging.WARNING
        facts = {"action": action, "event": name, "field": field, "found": type(event[field]).__name__}
        logger.log(level, "event.repaired", extra=facts)
        if _NULL in types:
            event[field] = None
        else:
            del event[field]
    if name == "slot" and "value" not in event:
        logger.warning("event.repaired", extra={"action": action, "event": name, "field": "value", "found": "nothing"})
        event["value"] = None


def _is_complete(action: str, name: str, event: JsonObject) -> bool:
    """Check what cannot be repaired, because there is no telling what the author meant."""
    if name == "slot" and not isinstance(event.get("name"), str):
        _dropped(action, name, "its 'name' is not a string")
        return False
    if name == "entities" and not _are_entities(event.get("entities")):
        _dropped(action, name, "its 'entities' are not a list of objects with 'entity' and 'value'")
        return False
    return True


def _are_entities(found: object) -> bool:
    return isinstance(found, list) and all(
        isinstance(e, dict) and isinstance(e.get("entity"), str) and "value" in e for e in found
    )


def _is_a(value: object, types: tuple[type, ...]) -> bool:
    # For JSON schema true is not a number, for Python it is.
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def _response(action: str, message: object) -> JsonObject | None:
    if not isinstance(message, Mapping):
        logger.warning("response.dropped", extra={"action": action, "found": type(message).__name__})
        return None
    try:
        plain: JsonObject = jsonable(message)
    except NotJsonableError as exc:
        logger.warning("response.dropped", extra={"action": action, "problem": str(exc)})
        return None
    return plain


def _dropped(action: str, event: str, problem: str) -> None:
    logger.warning("event.dropped", extra={"action": action, "event": event, "problem": problem})
