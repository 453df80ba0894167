"""What takes back an earlier answer while something else is asked: "no, I meant the large one"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from action_server.flows.commands.command import SetSlot
from action_server.flows.commands.courtesy import read_text
from action_server.flows.commands.first_values import read_values
from action_server.flows.commands.generator import DialogueView, Prediction, SlotView
from action_server.flows.commands.slot_kinds import Kind, kind_of, speaks_of
from action_server.flows.commands.values import CATEGORIES, category_words, read_category, read_value
from action_server.flows.commands.words import content_words, words

_MARKERS = (
    ("actually",),
    ("i", "meant"),
    ("i", "mean"),
    ("make", "it"),
    ("make", "that"),
    ("change",),
    ("instead",),
    ("rather",),
    ("sorry",),
)
_CHANGED = re.compile(r"\b(?:change|set|update|correct)\s+(?:the|my)\s+((?:\w+\s+){1,3})to\s+(.+)", re.IGNORECASE)


def read_correction(view: DialogueView, slots: Sequence[SlotView]) -> Prediction | None:
    """Return a new value for a slot of the active flow that has another one; None if the message corrects nothing."""
    asked = next((slot for slot in slots if slot.name == view.asked_slot), None)
    if asked is not None and asked.type == "text" and kind_of(asked) is Kind.OPEN:
        return None
    filled = [slot for slot in slots if slot.value is not None and slot.name != view.asked_slot]
    if not filled:
        return None
    return _change(view, filled) or _category(view, filled) or _number(view, filled, asked)


def _change(view: DialogueView, filled: Sequence[SlotView]) -> Prediction | None:
    match = _CHANGED.search(view.message)
    if match is None:
        return None
    named = [s for s in filled if any(speaks_of(s, word) for word in content_words(match[1]))]
    value = None
    if len(named) == 1:
        value = read_text(named[0], match[2]) if named[0].type == "text" else read_value(named[0], match[2])
    return None if value is None else _corrects(named[0], value)


def _category(view: DialogueView, filled: Sequence[SlotView]) -> Prediction | None:
    """A value of another category: after a word of correction, or as the whole message."""
    for slot in filled:
        value = read_category(slot, view.message) if slot.type in CATEGORIES else None
        if value is None or value == slot.value:
            continue
        if _is_marked(view.message) or len(content_words(view.message)) <= len(category_words(value)):
            return _corrects(slot, value)
    return None


def _number(view: DialogueView, filled: Sequence[SlotView], asked: SlotView | None) -> Prediction | None:
    numbers = [slot for slot in filled if slot.type == "float"]
    if not numbers or not _is_marked(view.message):
        return None
    # A number that may as well be the answer is one.
    also = [asked] if asked is not None and asked.type == "float" else []
    found = read_values([*numbers, *also], view.message)
    return next((_corrects(s, found[s.name]) for s in numbers if s.name in found and found[s.name] != s.value), None)


def _corrects(slot: SlotView, value: object) -> Prediction:
    return Prediction([SetSlot(slot.name, value)], f"corrects {slot.name}: “{value}” is another value of it")


def _is_marked(message: str) -> bool:
    said = words(message)
    return said[0] == "no" or any(_contains(marker, said) for marker in _MARKERS)


def _contains(marker: Sequence[str], said: Sequence[str]) -> bool:
    width = len(marker)
    return any(tuple(said[start : start + width]) == tuple(marker) for start in range(len(said) - width + 1))
