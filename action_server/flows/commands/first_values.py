"""What a message that starts a flow, or belongs to it, says beyond that: values for the slots the flow asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from action_server.flows.commands.generator import SlotView
from action_server.flows.commands.numbers import Number, find_numbers
from action_server.flows.commands.slot_kinds import Kind, is_money, kind_of, prepositions_of, slot_words, speaks_of
from action_server.flows.commands.spans import Span, find_spans
from action_server.flows.commands.values import CATEGORIES, category_words, read_category
from action_server.flows.commands.words import STOP_WORDS, alike, words

_MEASURES = ("second", "minute", "hour", "day", "night", "week", "month", "year", "percent", "mile", "kilometre", "km")
_NEXT_WORDS = re.compile(r"\s*(?:\w+\s+)?\w+")


def read_values(slots: Sequence[SlotView], message: str) -> dict[str, object]:
    """Return values for slots by name, where the message leaves no doubt which slot one is meant for."""
    with_time = not any(slot.type == "text" and kind_of(slot) is Kind.TIME for slot in slots)
    spans = find_spans(message, with_time=with_time)
    if any(slot.type == "float" for slot in slots):
        # A long number is one, then.
        spans = tuple(span for span in spans if not span.text.isdigit())
    found: dict[str, object] = dict(_categories(slots, message))
    found.update(_texts([slot for slot in slots if slot.type == "text"], spans))
    numbers = [n for n in find_numbers(message) if not any(span.overlaps(n.start, n.end) for span in spans)]
    found.update(_numbers([slot for slot in slots if slot.type == "float"], numbers, message))
    return {slot.name: found[slot.name] for slot in slots if slot.name in found}


def _categories(slots: Sequence[SlotView], message: str) -> Iterator[tuple[str, object]]:
    read = [(slot, read_category(slot, message)) for slot in slots if slot.type in CATEGORIES]
    named = [(slot, value) for slot, value in read if value is not None]
    # One word is no value of two slots.
    said = Counter(category_words(value) for _, value in named)
    yield from ((slot.name, value) for slot, value in named if said[category_words(value)] == 1)


def _texts(slots: Sequence[SlotView], spans: Sequence[Span]) -> Iterator[tuple[str, object]]:
    taken: dict[str, list[str]] = {}
    for span in spans:
        wanting = [slot for slot in slots if _takes(slot, span)]
        if span.preposition and len(wanting) > 1:
            # "from" is meant for the slot that takes nothing else.
            fewest = min(len(prepositions_of(slot)) for slot in wanting)
            wanting = [slot for slot in wanting if len(prepositions_of(slot)) == fewest]
        if len(wanting) == 1:
            taken.setdefault(wanting[0].name, []).append(span.text)
    yield from ((name, texts[0]) for name, texts in taken.items() if len(texts) == 1)


def _takes(slot: SlotView, span: Span) -> bool:
    kind = kind_of(slot)
    if span.kind is Kind.PERSON:
        return kind in (Kind.PERSON, Kind.PLACE) and span.preposition in prepositions_of(slot)
    return kind is span.kind


def _numbers(slots: Sequence[SlotView], numbers: Sequence[Number], message: str) -> Iterator[tuple[str, object]]:
    taken: dict[str, list[Number]] = {}
    for number in numbers:
        counted = _counted(number, message)
        if message[number.start : number.end].casefold() == "one" and not _slots_of_measure(slots, counted):
            continue
        meant = _meant(slots, number, counted)
        if meant is not None:
            taken.setdefault(meant.name, []).append(number)
    yield from ((name, found[0].value) for name, found in taken.items() if len(found) == 1)


def _counted(number: Number, message: str) -> list[str]:
    """Return the next words, one of which may be what is counted."""
    match = _NEXT_WORDS.match(message, number.end)
    return [word for word in words(match[0]) if word not in STOP_WORDS] if match else []


def _slots_of_measure(slots: Sequence[SlotView], counted: Sequence[str]) -> list[SlotView]:
    return [slot for slot in slots if any(speaks_of(slot, word) for word in counted)]


def _meant(slots: Sequence[SlotView], number: Number, counted: Sequence[str]) -> SlotView | None:
    if number.is_money:
        fitting = [slot for slot in slots if is_money(slot)]
    else:
        fitting = _slots_of_measure(slots, counted) or [s for s in slots if not _measures_something_else(s, counted)]
    return fitting[0] if len(fitting) == 1 else None


def _measures_something_else(slot: SlotView, counted: Sequence[str]) -> bool:
    """Tell whether the first counted word is a measure that the slot does not speak of: weeks are no passengers."""
    is_measure = (
        any(alike(counted[0], measure) or counted[0] == f"{measure}s" for measure in _MEASURES) if counted else False
    )
    return is_measure and not any(alike(counted[0], word) for word in slot_words(slot))
