"""What a ``validate_<slot>`` or ``extract_<slot>`` method meant by what it returned.

rasa-sdk takes a dict of slots and nothing else. Authors return what they return from actions as well; where that has
one meaning only, it is understood.
"""

from __future__ import annotations

from collections.abc import Mapping, ValuesView
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

# Lists in lists deeper than this contain themselves.
_MAX_NESTING = 20


@dataclass(frozen=True)
class SlotResult:
    """The slots a method decided, and the types or event names of what was left out."""

    slots: dict[str, Any]
    left_out: tuple[str, ...] = ()


def read_result(found: object, slot: str) -> SlotResult | None:
    """Return the slots a method of ``slot`` meant; None if that cannot be told.

    Understood: a dict of slots, ``SlotSet(...)``, ``(slot, value)``, and a list, tuple or generator of those; an empty
    list changes nothing, as an empty dict does. Other events in a list have no place in a validation.
    """
    slots: dict[str, Any] = {}
    left_out: list[str] = []
    _gather(found, slot, slots, left_out)
    return None if left_out and not slots else SlotResult(slots, tuple(left_out))


def _gather(found: object, slot: str, slots: dict[str, Any], left_out: list[str], depth: int = 0) -> None:
    if isinstance(found, Mapping):
        if _is_slot_event(found):
            slots[found["name"]] = found["value"]
        elif isinstance(found.get("event"), str) and "timestamp" in found:
            # All events of rasa_sdk.events have both; a slot that happens to be called "event" stands alone.
            left_out.append(found["event"])
        else:
            slots.update({name: _value(name, value) for name, value in found.items()})
    elif isinstance(found, tuple) and len(found) == 2 and found[0] == slot:
        slots[slot] = found[1]
    elif isinstance(found, (list, tuple, ValuesView, GeneratorType)) and depth < _MAX_NESTING:
        for item in found:
            if item is not None:
                _gather(item, slot, slots, left_out, depth + 1)
    else:
        left_out.append(type(found).__name__)


def _value(name: object, value: object) -> object:
    """Return the value of a slot; for `{"city": SlotSet("city", value)}` it is inside of the event."""
    if isinstance(value, Mapping) and _is_slot_event(value) and value["name"] == name:
        return value["value"]
    return value


def _is_slot_event(found: Mapping[Any, Any]) -> bool:
    return found.get("event") == "slot" and "name" in found and "value" in found
