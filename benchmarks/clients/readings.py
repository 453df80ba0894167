"""What became of the tools in a client: schemas as they arrived, beside those that were offered, and answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.clients.formats import Json
from benchmarks.clients.provider import Kept, name_of

BOOK, PROBE = "action_create_appointment", "action_probe"
_SEEN = re.compile(r"word=(.*?)\|kind=(.*?)\|flag=(.*?)\|count=(.*?)\|items=(.*?)\|thing=([^\"\\|]*)")
_REFERENCE = re.compile(r"APT-[A-Z0-9]+")
_ORDER = ("type", "values", "null", "description", "the tool's description")
_OF_ARGUMENT = _ORDER[:4]
# What arrives in the place of each call's arguments; a whole number stands for a fraction, and back.
_VALUES = ("Ulm", "small", "True", "5", "a+b", "7")
_NOTHING = ("nothing",) * 6
# A text keeps what it is given: whether it means nothing is the matter of its author.
_EMPTY = ("", "nothing", "nothing", "nothing", "nothing", "nothing")
TOLD = "told"
WRONG = {"kind": "huge", "count": "many"}


def plan_of(email: str, day: str) -> list[tuple[str, Json]]:
    """Return what a client's model asks for: a booking, the same again, then each kind of value."""
    names = ("word", "kind", "flag", "count", "items", "thing")
    wish = {"appointment_type": "general", "preferred_date": day, "patient_email": email, "urgent_slot": None}
    values = dict(zip(names, ("Ulm", "small", True, 5, ["a", "b"], 7), strict=True))
    return [
        (BOOK, wish),
        (BOOK, wish),
        (PROBE, values),
        (PROBE, dict.fromkeys(names)),
        (PROBE, dict.fromkeys(names, "")),
        (PROBE, dict(WRONG)),
    ]


@dataclass(frozen=True)
class Row:
    """A line of the matrix. ``tools`` of those ``offered`` arrived, and ``lost`` is what of their arguments did not.

    Cells hold "ok" or what came instead.
    """

    tools: int
    offered: int
    lost: tuple[str, ...] = ()
    value: str = ""
    null: str = ""
    empty: str = ""
    wrong: str = ""
    shown: str = ""
    bookings: int = 0
    problem: str = ""


def row_of(offered: Mapping[str, Json], kept: Kept, bookings: int) -> Row:
    """Hold what a client sent against what it was offered: schemas by tool, answers to the six calls of the plan."""
    names = {tool: name_of(tool, kept.schemas) for tool in offered}
    arrived = {tool: kept.schemas[name] for tool, name in names.items() if name is not None}
    lost = {what for name, schema in arrived.items() for what in _lost(offered[name], schema, kept.has_nullable)}
    told = [*kept.answers, *[""] * (6 - len(kept.answers))]
    first, second = (_REFERENCE.findall(text) for text in told[:2])
    shown = "ok" if first and second and {*first} == {*second} else "no reference" if not first else "two references"
    return Row(
        tools=len(arrived),
        offered=len(offered),
        lost=tuple(what for what in _ORDER if what in lost),
        value=_cell(told[2], _VALUES),
        null=TOLD if _is_told(told[3], ("word", "null")) else _cell(told[3], _NOTHING),
        empty=TOLD if _is_told(told[4], ("flag", "count")) else _cell(told[4], _EMPTY),
        wrong="ok" if _is_told(told[5], WRONG) else told[5][:80] or "nothing",
        shown=shown,
        bookings=bookings,
    )


def _is_told(text: str, names: Iterable[str]) -> bool:
    """Tell whether the model was told which arguments do not fit, in place of an answer."""
    return all(name in text for name in names) and not _SEEN.search(text)


def _cell(text: str, expected: Sequence[str]) -> str:
    found = _SEEN.search(text)
    if found is None:
        return text[:80] or "nothing"
    seen = [re.sub(r"^(\d+)\.0$", r"\1", part) for part in found.groups()]
    return "ok" if seen == list(expected) else "|".join(seen)


def _lost(offered: Json, arrived: Json, has_nullable: bool) -> Iterator[str]:
    if offered.get("description", "") not in (arrived.get("description") or ""):
        yield _ORDER[-1]
    parts = arrived.get("properties", {})
    for name, schema in offered["properties"].items():
        found = parts.get(name)
        if found is None:
            yield from _OF_ARGUMENT
            continue
        before, after = _Reading.of(schema, has_nullable), _Reading.of(found, has_nullable)
        if not before.types <= after.types:
            yield "type"
        if before.values - after.values:
            yield "values"
        if before.null and not after.null:
            yield "null"
        if schema["description"] not in after.words:
            yield "description"


@dataclass(frozen=True)
class _Reading:
    """What a schema of an argument says, however it is spelled."""

    types: frozenset[str]
    values: frozenset[str]
    null: bool
    words: str

    @classmethod
    def of(cls, schema: Json, has_nullable: bool) -> _Reading:
        options = list(_options(schema))
        types = {str(t).lower() for option in options for t in _as_list(option.get("type"))}
        values = {str(value) for option in options for value in option.get("enum") or [] if value is not None}
        null = "null" in types or (has_nullable and any(o.get("nullable") for o in options))
        words = " ".join(str(option.get("description", "")) for option in options)
        return cls(frozenset(types - {"null"}), frozenset(values), null, words)


def _options(schema: Json) -> Iterator[Json]:
    yield schema
    for key in ("anyOf", "any_of", "oneOf"):
        for option in schema.get(key) or []:
            yield from _options(option)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
