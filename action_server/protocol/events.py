"""Which events an engine accepts, by its version, and what their fields must be.

The rules are those of Rasa's own schema (rasa/shared/utils/schemas/events.py of 3.6 and later), plus what the engine
needs to make an event of it: an event that passes the schema and then raises costs the user the turn as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from action_server.protocol.jsonable import JsonObject, is_plain_atom, plain_copy

# Told of each repair: the path of a field, and the type that was found there.
Repaired = Callable[[str, str], None]

OPEN_SOURCE_EVENTS = frozenset(
    {
        *("user", "action", "slot", "entities", "user_featurization", "bot", "agent", "session_started", "followup"),
        *("reminder", "cancel_reminder", "active_loop", "form", "form_validation", "loop_interrupted", "reset_slots"),
        *("action_execution_rejected", "pause", "resume", "restart", "undo", "rewind", "export"),
    }
)
PRO_EVENTS = OPEN_SOURCE_EVENTS | frozenset(
    {
        *("session_ended", "inactive", "stack", "routing_session_ended", "error", "memory_set", "memory_cleared"),
        *("flow_started", "flow_interrupted", "flow_resumed", "flow_completed", "flow_cancelled"),
        *("agent_started", "agent_interrupted", "agent_resumed", "agent_completed", "agent_cancelled"),
    }
)
# A family of events whose members are not published.
_PRO_FAMILIES = ("skill_",)
# Rasa Open Source ended with 3.6; every later version is Rasa Pro.
_LAST_OPEN_SOURCE = (3, 6)


@dataclass(frozen=True)
class KnownEvents:
    """The names of the events an engine accepts, and the beginnings of names."""

    names: frozenset[str]
    families: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.names or any(name.startswith(family) for family in self.families)


@lru_cache(maxsize=16)
def known_to(version: str | None) -> KnownEvents:
    """Return the events an engine of this version accepts.

    A version that is missing or unreadable means an old engine: the events all of them know.
    """
    try:
        major, minor = (int(part) for part in (version or "").split(".")[:2])
    except ValueError:
        return KnownEvents(OPEN_SOURCE_EVENTS)
    if (major, minor) > _LAST_OPEN_SOURCE:
        return KnownEvents(PRO_EVENTS, _PRO_FAMILIES)
    return KnownEvents(OPEN_SOURCE_EVENTS)


class _Field(NamedTuple):
    """What a field must be.

    An event whose ``required`` field is missing or wrong cannot be put right. ``fields`` are those of an object, or of
    each object of a list.
    """

    types: tuple[type, ...]
    required: bool = False
    fields: Mapping[str, _Field] = {}


_NULL = type(None)
_ANY = (object,)
_TEXT = _Field((str,))
_TEXT_OR_NULL = _Field((str, _NULL))
_NUMBER = _Field((int, float))
_DICT_OR_NULL = _Field((dict, _NULL))
_NUMBER_OR_NULL = _Field((int, float, _NULL))
_NEEDED_TEXT = _Field((str,), required=True)

_INTENT: dict[str, _Field] = {"name": _TEXT, "confidence": _NUMBER}
_ENTITY: dict[str, _Field] = {
    "entity": _NEEDED_TEXT,
    "value": _Field(_ANY, required=True),
    "start": _Field((int,)),
    "end": _Field((int,)),
    "confidence": _NUMBER,
    "extractor": _TEXT_OR_NULL,
    "role": _TEXT_OR_NULL,
    "group": _TEXT_OR_NULL,
}
_PARSE_DATA: dict[str, _Field] = {
    "text": _TEXT_OR_NULL,
    "intent": _Field((dict,), fields=_INTENT),
    "intent_ranking": _Field((list,), fields=_INTENT),
    "entities": _Field((list,), fields=_ENTITY),
}
_COMMON: dict[str, _Field] = {"timestamp": _NUMBER_OR_NULL, "metadata": _Field((dict, _NULL))}
_IN_FLOW: dict[str, _Field] = {"flow_id": _NEEDED_TEXT, "step_id": _NEEDED_TEXT}
_OF_AGENT: dict[str, _Field] = {"agent_id": _NEEDED_TEXT, "flow_id": _NEEDED_TEXT}
_FIELDS: dict[str, dict[str, _Field]] = {
    "user": {
        "text": _TEXT_OR_NULL,
        "input_channel": _TEXT_OR_NULL,
        "message_id": _TEXT_OR_NULL,
        "parse_data": _Field((dict,), fields=_PARSE_DATA),
    },
    "action": {
        "policy": _TEXT_OR_NULL,
        "confidence": _NUMBER_OR_NULL,
        "name": _TEXT_OR_NULL,
        "hide_rule_turn": _Field((bool,)),
        "action_text": _TEXT_OR_NULL,
    },
    "slot": {"name": _NEEDED_TEXT},
    "entities": {"entities": _Field((list,), required=True, fields=_ENTITY)},
    "stack": {"update": _NEEDED_TEXT},
    "flow_started": {"flow_id": _NEEDED_TEXT},
    "flow_interrupted": _IN_FLOW,
    "flow_resumed": _IN_FLOW,
    "flow_completed": _IN_FLOW,
    "flow_cancelled": _IN_FLOW,
    "agent_started": _OF_AGENT,
    "agent_completed": {**_OF_AGENT, "status": _TEXT},
    "agent_interrupted": _OF_AGENT,
    "agent_resumed": _OF_AGENT,
    "agent_cancelled": {**_OF_AGENT, "reason": _TEXT},
}


_MOMENT = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"([T ](?P<hour>\d{1,2}):(?P<minute>\d\d)(:(?P<second>\d\d)(\.\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d))?)?",
    re.ASCII,
)
# As `isoformat` writes them: to the second or the microsecond, each of them with an offset and without.
_LENGTHS_OF_MOMENTS = frozenset({19, 26, 25, 32})


# Of these more has to be looked at than the types of their own fields.
NOT_FLAT = frozenset({"user", "entities", "reminder"})
_FIELDS_OF = {name: {**_COMMON, **_FIELDS.get(name, {})} for name in OPEN_SOURCE_EVENTS | PRO_EVENTS}


def usual_slot(event: Mapping[Any, Any]) -> JsonObject | None:
    """Return a copy of what ``SlotSet`` makes, if its value is a plain one and the engine takes it; otherwise None."""
    if len(event) != 4 or event.get("event") != "slot":
        return None
    try:
        timestamp, name, value = event["timestamp"], event["name"], event["value"]
    except KeyError:
        return None
    if timestamp is not None or type(name) is not str:
        return None
    if not is_plain_atom(value):
        value = plain_copy(value) if type(value) in (list, dict) else None
        if value is None:
            return None
    return {"event": "slot", "timestamp": None, "name": name, "value": value}


def fits(event: JsonObject) -> bool:
    """Tell whether an engine takes an event of plain JSON as it is; False also where only :func:`repair` can tell."""
    name = event.get("event")
    if not isinstance(name, str) or name in NOT_FLAT or (name == "slot" and "value" not in event):
        return False
    if name == "action" and event.get("name") is None and event.get("action_text") is None:
        return False
    for key, field in _FIELDS_OF.get(name, _COMMON).items():
        if key in event:
            if field.fields or type(event[key]) not in field.types:
                return False
        elif field.required:
            return False
    return True


def fits_types(name: str, types: Mapping[str, Set[type]]) -> bool:
    """Tell whether an engine takes all events of one name whose fields are of these types.

    False also where the values have to be looked at.
    """
    if name in NOT_FLAT or (name == "slot" and "value" not in types):
        return False
    if name == "action" and types.get("name") != {str} and types.get("action_text") != {str}:
        return False
    for key, field in _FIELDS_OF.get(name, _COMMON).items():
        if key in types:
            if field.fields or not types[key] <= set(field.types):
                return False
        elif field.required:
            return False
    return True


def fit_together(name: str, events: Sequence[JsonObject]) -> bool:
    """Tell whether an engine takes all of these events of one name, of plain JSON, as they are; a `parse_data` of null
    is let pass, which :func:`repair` puts right.

    What lies in their objects is looked at as well, field by field of all of them. False also where only
    :func:`repair` can tell.
    """
    fields = _FIELDS_OF.get(name, _COMMON)
    if name == "user":
        parsed = [event.get("parse_data", _ANY) for event in events]
        parsed = [one for one in parsed if one is not None]
        if not set(map(type, parsed)) <= {dict} or any("response_selector" in one for one in parsed):
            return False
        return _all_fit(events, {**fields, "parse_data": _DICT_OR_NULL}) and _all_fit(parsed, _PARSE_DATA)
    if name == "reminder" and not all(_is_written_moment(event.get("date_time")) for event in events):
        return False
    return _all_fit(events, fields)


def _all_fit(values: Sequence[JsonObject], fields: Mapping[str, _Field]) -> bool:
    for key, field in fields.items():
        found = [value[key] for value in values if key in value]
        if field.required and len(found) < len(values):
            return False
        if field.types is not _ANY and not set(map(type, found)) <= set(field.types):
            return False
        if found and field.fields:
            below = list(chain.from_iterable(found)) if list in field.types else found
            if not set(map(type, below)) <= {dict} or not _all_fit(below, field.fields):
                return False
    return True


def repair(event: JsonObject, repaired: Repaired) -> str | None:
    """Put an event right, in place; return what is wrong with it if that cannot be done, otherwise None.

    A field of a wrong type becomes null if it may be null, and is left out if it need not be there.
    """
    name = event["event"]
    if name == "slot" and "value" not in event:
        repaired("value", "nothing")
        event["value"] = None
    problem = _repair(event, _FIELDS_OF.get(name, _COMMON), "", repaired)
    if problem is None and name == "user":
        # rasa-sdk's UserUttered writes null, which the schema refuses; without the field the engine raises.
        _drop_response_selector(event.setdefault("parse_data", {}), repaired)
    return problem or _unusable(event)


def _repair(value: JsonObject, fields: Mapping[str, _Field], path: str, repaired: Repaired) -> str | None:
    for key, field in fields.items():
        place = f"{path}{key}"
        if key not in value:
            if field.required:
                return f"it has no '{place}'"
            continue
        problem = _problem(value[key], field, place, repaired)
        if problem is None:
            continue
        if field.required:
            return problem
        repaired(place, type(value[key]).__name__)
        if _NULL in field.types:
            value[key] = None
        else:
            del value[key]
    return None


def _problem(found: object, field: _Field, place: str, repaired: Repaired) -> str | None:
    # For JSON schema true is no number, for Python it is.
    wrong_bool = isinstance(found, bool) and bool not in field.types and field.types is not _ANY
    if wrong_bool or not isinstance(found, field.types):
        return f"its '{place}' is a {type(found).__name__}"
    if not field.fields:
        return None
    if isinstance(found, dict):
        return _repair(found, field.fields, f"{place}.", repaired)
    for index, item in enumerate(found if isinstance(found, list) else ()):
        if not isinstance(item, dict):
            return f"its '{place}[{index}]' is a {type(item).__name__}"
        problem = _repair(item, field.fields, f"{place}[{index}].", repaired)
        if problem is not None:
            return problem
    return None


def _unusable(event: JsonObject) -> str | None:
    if event["event"] == "action" and event.get("name") is None and event.get("action_text") is None:
        return "it has neither a 'name' nor an 'action_text'"
    if event["event"] == "reminder" and not _is_moment(event.get("date_time")):
        return "its 'date_time' is not a moment in ISO 8601"
    return None


def _drop_response_selector(parse_data: JsonObject, repaired: Repaired) -> None:
    """Leave a response selector out unless it fits the schema, whose two alternatives exclude nearly everything."""
    found = parse_data.get("response_selector", _ANY)
    fits = isinstance(found, dict) and isinstance(found.get("all_retrieval_intents"), list)
    if found is not _ANY and not fits:
        repaired("parse_data.response_selector", type(found).__name__)
        del parse_data["response_selector"]


def _is_written_moment(value: object) -> bool:
    """Tell whether it is what `datetime.isoformat` writes, to the minute in the offset: such a one is a moment."""
    if type(value) is not str or len(value) not in _LENGTHS_OF_MOMENTS:
        return False
    try:
        return datetime.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_moment(value: object) -> bool:
    """Tell whether the engine's dateutil reads it as the moment it looks like; week dates, for one, it does not."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    try:
        datetime(int(match["year"]), int(match["month"]), int(match["day"]), hour, minute, second)
    except ValueError:
        return False
    return True
