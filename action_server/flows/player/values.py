"""What a slot makes of a value that a user or a language model gives it.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from action_server.project.domain import Slot

# What a model writes for no value, and what an empty answer is (rasa-pro 3.21.0, read). Other spellings are values:
# "none" is an answer, as the pattern for interrupted flows has it.
_NOTHING = ("", "null", "None", "undefined", "[missing]", "[missing information]")
_YES, _NO = ("true", "yes"), ("false", "no")
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
    """Make a value one of the slot's type, if that is possible, as the slots of rasa-pro 3.21.0 (read) do."""
    if value is None or (isinstance(value, str) and value in _NOTHING):
        return CoercedValue(None)
    if slot.is_categorical:
        return _coerce_category(slot, value)
    if slot.type == "bool":
        return _coerce_bool(value)
    if slot.type == "float":
        return _coerce_float(slot, value)
    if slot.type == "list":
        return CoercedValue(value if isinstance(value, list) or not value else [value])
    if slot.type == "text":
        # What an engine is told is a text always: the language of its commands has no other values.
        return CoercedValue(value if isinstance(value, str) else str(value))
    return CoercedValue(value)


def _coerce_category(slot: Slot, value: Any) -> CoercedValue:
    values = [str(known) for known in slot.values]
    if not isinstance(value, str):
        return CoercedValue(value, refused=str(value) not in values)
    if value in values:
        return CoercedValue(value)
    same = next((known for known in values if known.casefold() == value.casefold()), None)
    return CoercedValue(value, refused=True) if same is None else CoercedValue(same)


def _coerce_bool(value: Any) -> CoercedValue:
    if isinstance(value, bool):
        return CoercedValue(value)
    if isinstance(value, (int, float)):
        return CoercedValue(value == 1)
    text = value.strip().lower() if isinstance(value, str) else ""
    if text in _YES or text in _NO:
        return CoercedValue(text in _YES)
    number = _to_float(value) if isinstance(value, str) and value.isnumeric() else None
    # Any number is an answer; only 1 is a yes.
    return CoercedValue(value, refused=True) if number is None else CoercedValue(number == 1)


def _coerce_float(slot: Slot, value: Any) -> CoercedValue:
    number = _to_float(value)
    if number is None:
        return CoercedValue(value, refused=True)
    has_bounds = slot.min_value is not None and slot.max_value is not None
    # One bound alone is none.
    is_out = has_bounds and not (slot.min_value or 0.0) <= number <= (slot.max_value or 0.0)
    return CoercedValue(number, refused=is_out)


def _to_float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
