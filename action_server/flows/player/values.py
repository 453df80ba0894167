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
class Fitted:
    """A value as the slot holds it; ``refused`` tells that the slot cannot hold it, and it is as it was given."""

    value: Any
    refused: bool = False


def fit(slot: Slot, value: Any) -> Fitted:
    """Make a value one of the slot's type, if that is possible."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING and slot.type != "text"):
        return Fitted(None)
    if slot.is_categorical:
        return _category(slot, value)
    if slot.type == "bool":
        return _truth(value)
    if slot.type == "float":
        return _number(slot, value)
    if slot.type == "list":
        return Fitted(value, refused=not isinstance(value, list))
    if slot.type == "text":
        return _text(value)
    return Fitted(value)


def _text(value: Any) -> Fitted:
    if isinstance(value, str) and value.strip() in _NO_TEXT:
        return Fitted(None)
    return Fitted(value if isinstance(value, str) else str(value))


def _category(slot: Slot, value: Any) -> Fitted:
    wanted = str(value).strip().lower()
    known = next((v for v in slot.values if str(v).lower() == wanted), None)
    return Fitted(value, refused=True) if known is None else Fitted(known)


def _truth(value: Any) -> Fitted:
    if isinstance(value, bool):
        return Fitted(value)
    text = str(value).strip().lower()
    if text in ("true", "false"):
        return Fitted(text == "true")
    number = _float(text)
    return Fitted(bool(number)) if number in (0.0, 1.0) else Fitted(value, refused=True)


def _number(slot: Slot, value: Any) -> Fitted:
    number = None if isinstance(value, bool) else _float(value)
    return Fitted(value, refused=True) if number is None else Fitted(number)


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
