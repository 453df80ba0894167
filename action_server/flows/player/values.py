"""What a slot makes of a value that a user or a language model gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from action_server.project.domain import Slot

_NOTHING = ("", "null", "none", "undefined")
# In a text only these spellings: "none" is an answer, as the pattern for interrupted flows has it.
_NO_TEXT = ("null", "None", "undefined")
# The response with which engines refuse a value, by the slot's type.
REFUSALS = {
    "bool": "utter_boolean_slot_rejection",
    "float": "utter_float_slot_rejection",
    "categorical": "utter_categorical_slot_rejection",
    "strict_categorical": "utter_categorical_slot_rejection",
}


@dataclass(frozen=True)
class CoercedValue:
    """A value as the slot holds it; ``refused`` tells that the slot cannot hold it, and it is as it was given."""

    value: Any
    refused: bool = False


def coerce_value(slot: Slot, value: Any) -> CoercedValue:
    """Make a value one of the slot's type, if that is possible."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING and slot.type != "text"):
        return CoercedValue(None)
    if slot.is_categorical:
        return _coerce_category(slot, value)
    if slot.type == "bool":
        return _coerce_bool(value)
    if slot.type == "float":
        return _coerce_float(slot, value)
    if slot.type == "list":
        return CoercedValue(value, refused=not isinstance(value, list))
    if slot.type == "text":
        return _coerce_text(value)
    return CoercedValue(value)


def _coerce_text(value: Any) -> CoercedValue:
    if isinstance(value, str) and value.strip() in _NO_TEXT:
        return CoercedValue(None)
    return CoercedValue(value if isinstance(value, str) else str(value))


def _coerce_category(slot: Slot, value: Any) -> CoercedValue:
    wanted = str(value).strip().lower()
    known = next((v for v in slot.values if str(v).lower() == wanted), None)
    return CoercedValue(value, refused=True) if known is None else CoercedValue(known)


def _coerce_bool(value: Any) -> CoercedValue:
    if isinstance(value, bool):
        return CoercedValue(value)
    text = str(value).strip().lower()
    if text in ("true", "false"):
        return CoercedValue(text == "true")
    number = _to_float(text)
    return CoercedValue(bool(number)) if number in (0.0, 1.0) else CoercedValue(value, refused=True)


def _coerce_float(slot: Slot, value: Any) -> CoercedValue:
    number = None if isinstance(value, bool) else _to_float(value)
    if number is None:
        return CoercedValue(value, refused=True)
    is_below = slot.min_value is not None and number < slot.min_value
    is_above = slot.max_value is not None and number > slot.max_value
    return CoercedValue(number, refused=is_below or is_above)


def _to_float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
