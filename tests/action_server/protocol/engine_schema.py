"""What the schemas of real engines accept, written down a second time.

The module under test must not be its own witness: these rules are typed from PROTOCOL.md, section 2, and from Rasa's
own files.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

OPEN_SOURCE = "3.6.21"
PRO = "3.21.0"

OPEN_SOURCE_NAMES = (
    *("user", "action", "slot", "entities", "user_featurization", "cancel_reminder", "reminder"),
    *("action_execution_rejected", "form_validation", "loop_interrupted", "form", "active_loop", "reset_slots"),
    *("resume", "pause", "followup", "export", "restart", "undo", "rewind", "bot", "session_started", "agent"),
)
PRO_NAMES = (
    *("session_ended", "inactive", "stack", "routing_session_ended", "error", "memory_set", "memory_cleared"),
    *("flow_started", "flow_interrupted", "flow_resumed", "flow_completed", "flow_cancelled"),
    *("agent_started", "agent_completed", "agent_interrupted", "agent_resumed", "agent_cancelled"),
)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value: object) -> bool:
    return is_number(value) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_true_or_false(value: object) -> bool:
    return isinstance(value, bool)


def is_text_or_null(value: object) -> bool:
    return value is None or is_text(value)


def is_number_or_null(value: object) -> bool:
    return value is None or is_number(value)


def is_object_or_null(value: object) -> bool:
    return value is None or isinstance(value, dict)


Rules = dict[str, Callable[[object], bool]]


def obeys(value: dict[str, Any], rules: Rules, *required: str) -> bool:
    return all(key in value for key in required) and all(rules[key](value[key]) for key in rules.keys() & value.keys())


def object_of(rules: Rules) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and obeys(value, rules)


def list_of(rules: Rules, *required: str) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, list) and all(isinstance(item, dict) and obeys(item, rules, *required) for item in value)
    )


INTENT: Rules = {"name": is_text, "confidence": is_number}
ENTITY: Rules = {
    "entity": is_text,
    "start": is_integer,
    "end": is_integer,
    "confidence": is_number,
    "extractor": is_text_or_null,
    "role": is_text_or_null,
    "group": is_text_or_null,
}
are_entities = list_of(ENTITY, "entity", "value")
PARSE_DATA: Rules = {
    "text": is_text_or_null,
    "intent": object_of(INTENT),
    "intent_ranking": list_of(INTENT),
    "entities": are_entities,
}
COMMON: Rules = {"event": is_text, "timestamp": is_number_or_null, "metadata": is_object_or_null}
SHAPES: dict[str, Rules] = {
    "user": {
        "text": is_text_or_null,
        "input_channel": is_text_or_null,
        "message_id": is_text_or_null,
        "parse_data": object_of(PARSE_DATA),
    },
    "action": {
        "policy": is_text_or_null,
        "confidence": is_number_or_null,
        "name": is_text_or_null,
        "hide_rule_turn": is_true_or_false,
        "action_text": is_text_or_null,
    },
    "slot": {"name": is_text},
    "entities": {"entities": are_entities},
    "stack": {"update": is_text},
    **dict.fromkeys(
        [name for name in PRO_NAMES if name.startswith(("flow_", "agent_"))],
        dict.fromkeys(["flow_id", "step_id", "agent_id", "status", "reason"], is_text),
    ),
}
REQUIRED = {"slot": ("name", "value"), "entities": ("entities",)}


def is_accepted(event: dict[str, Any], version: str) -> bool:
    """Tell whether the schema of an engine of this version takes an event (rasa/shared/utils/schemas/events.py)."""
    name = str(event.get("event"))
    known = OPEN_SOURCE_NAMES if version == OPEN_SOURCE else OPEN_SOURCE_NAMES + PRO_NAMES
    return name in known and obeys(event, {**COMMON, **SHAPES.get(name, {})}, *REQUIRED.get(name, ()))


def is_applied(event: dict[str, Any]) -> bool:
    """Tell whether the engine makes an object of its own of an accepted event (rasa/shared/core/events.py of 3.6.21).

    Otherwise it raises, and the user's turn is lost as with an event the schema refuses.
    """
    if event["event"] == "user":
        # UserUttered._from_parse_data() calls parse_data.get(), whether there is one or not.
        return "parse_data" in event
    if event["event"] == "action":
        # ActionExecuted.__init__() insists on one of the two.
        return event.get("name") is not None or event.get("action_text") is not None
    if event["event"] == "reminder":
        # dateutil's parser gets it, which raises for what is no date.
        return re.match(r"\d{4}-?\d\d-?\d\d", str(event.get("date_time"))) is not None
    return True
