"""Slots with types: a class of fields read from a tracker, and the events for what was changed in it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core.core_schema import ErrorType
from rasa_sdk.events import EventType, SlotSet

from action_server.errors import SlotValueError
from action_server.protocol.jsonable import Missing, jsonable

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

logger = logging.getLogger(__name__)

_SlotsT = TypeVar("_SlotsT", bound="Slots")

# A field of one of these names would hide the method; an alias gives the slot another one in Python.
_RESERVED = frozenset({"read", "new", "changed", "known"})
# Errors whose text says what was expected. Those of an author's validator, and one that names what was found, can
# repeat the value.
_TELLING = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error", "union_tag_invalid"}


class HasSlots(Protocol):
    """What is read: a tracker of rasa-sdk, or anything else with the conversation's slots by name."""

    slots: Any


class Slots(BaseModel):
    """Declare slots as fields, with pydantic's types, defaults and validators::

        class BookingSlots(Slots):
            appointment_type: Literal["general", "urgent"] | None = None
            party_size: int = Field(1, alias="party-size")

        slots = BookingSlots.read(tracker)
        slots.appointment_type = "urgent"
        return slots.changed()

    A slot that is null, or that the assistant does not have, gets the field's default. A field without one is required.
    An alias is the slot's name where that is no name in Python. Values set later are checked as those that are read.
    A field with ``exclude=True`` is read and never written.
    """

    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        validate_assignment=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    _before: dict[str, Any] = PrivateAttr(default_factory=dict)
    _slot_names: frozenset[str] | None = PrivateAttr(default=None)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a class that could not work: with a field that hides a method, or two fields for one slot."""
        super().__pydantic_init_subclass__(**kwargs)
        hidden = sorted(_RESERVED & cls.model_fields.keys())
        if hidden:
            raise TypeError(f"{cls.__qualname__}.{hidden[0]} hides a method of Slots; rename it and use an alias")
        names = [name for _, name, _ in _fields(cls)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TypeError(f"{cls.__qualname__} has two fields for the slot {twice[0]!r}")

    @classmethod
    def read(cls: type[_SlotsT], tracker: HasSlots) -> _SlotsT:
        """Return the tracker's slots as an object of this class.

        Raises:
            SlotValueError: slots hold something else than their fields say. It names all of them and no value.
        """
        slots: Mapping[str, Any] = tracker.slots
        values = {name: slots[name] for _, name, _ in _fields(cls) if slots.get(name) is not None}
        try:
            # By the slots' names alone: a field's name may be the name of another slot.
            read = cls.model_validate(values, by_alias=True, by_name=False)
        except ValidationError as exc:
            raise SlotValueError(_problems(cls, exc.errors())) from None
        read._slot_names = _slot_names(cls, slots)
        read._before = read._plain()
        return read

    @classmethod
    def new(cls: type[_SlotsT], tracker: HasSlots, **values: Any) -> _SlotsT:
        """Return an object that read nothing: every value in it that is not None counts as changed.

        For what an action finds out and has to say even if the slot holds the same already. Values are by field name.
        Raises `SlotValueError`.
        """
        try:
            made = cls.model_validate(values, by_alias=False, by_name=True)
        except ValidationError as exc:
            raise SlotValueError(_problems(cls, exc.errors())) from None
        made._slot_names = _slot_names(cls, tracker.slots)
        return made

    @property
    def known(self) -> frozenset[str]:
        """The names of those slots that the assistant has; all of them for an object that came from no tracker."""
        return self._slot_names if self._slot_names is not None else _slot_names(type(self), None)

    def changed(self) -> list[EventType]:
        """Return a `SlotSet` for each value that is not as it was read, in the order of the fields; None clears.

        A slot that the assistant does not have is left out: the engine logs an error for every one of those.
        Values are made of what JSON knows: dates are ISO 8601, enums their values, models and dataclasses objects, and
        NaN is null.

        Raises:
            NotJsonableError: a value has no JSON form (a `ValueError`).
        """
        known = self.known
        missing: list[tuple[str, str]] = []
        changes = [
            SlotSet(name, value)
            for name, value in self._plain(lambda *found: missing.append(found)).items()
            if name in known and not _same(value, self._before.get(name))
        ]
        names = tuple(change["name"] for change in changes)
        for field, found in [m for m in missing if m[0].startswith(names)][:1]:
            logger.warning("slot.repaired", extra={"field": field, "found": found})
        return changes

    def _plain(self, missing: Missing | None = None) -> dict[str, Any]:
        dumped = self.model_dump(by_alias=True, warnings=False)
        return {
            name: jsonable(dumped[key], name, missing=missing)
            for field, name, info in _fields(type(self))
            if (key := info.serialization_alias or field) in dumped
        }

    if not TYPE_CHECKING:  # or type checkers would let anything be set

        def __setattr__(self, name: str, value: object) -> None:
            try:
                super().__setattr__(name, value)
            except ValidationError as exc:
                raise SlotValueError(_problems(type(self), exc.errors())) from None


def _fields(cls: type[Slots]) -> Iterator[tuple[str, str, FieldInfo]]:
    """Yield each field's name, its slot's name, and the field."""
    for name, info in cls.model_fields.items():
        alias = info.validation_alias
        if alias is not None and not isinstance(alias, str):
            raise TypeError(f"{cls.__qualname__}.{name}: the alias of a slot is a text, its name")
        yield name, alias or name, info


def _slot_names(cls: type[Slots], slots: Mapping[str, Any] | None) -> frozenset[str]:
    return frozenset(name for _, name, _ in _fields(cls) if slots is None or name in slots)


def _same(one: object, other: object) -> bool:
    # In Python 1, 1.0 and True are equal; slots tell them apart.
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _problems(cls: type[Slots], errors: Iterable[ErrorDetails]) -> dict[str, str]:
    """Say for each slot what it should be, in words that hold nothing of its value."""
    slot_of = {field: name for field, name, _ in _fields(cls)}
    found: dict[str, list[str]] = {}
    for error in errors:
        # Below the slot's name stand keys, which may be a value's.
        place = str(error["loc"][0]) if error["loc"] else ""
        slot = slot_of.get(place, place)
        sentence = _expectation(error, nested=len(error["loc"]) > 1)
        if sentence not in found.setdefault(slot, []):
            found[slot].append(sentence)
    return {slot: ", or ".join(sentences) for slot, sentences in found.items()}


def _expectation(error: ErrorDetails, *, nested: bool) -> str:
    kind, text = error["type"], error["msg"]
    if kind == "missing":
        return "lacks a part" if nested else "must be set"
    if kind not in _TELLING:
        return f"is not accepted by its validator ({kind})"
    # What stands here is about the value: "invalid character: expected ..., found `s` at 1".
    detail = error.get("ctx", {}).get("error")
    if isinstance(detail, str):
        text = text.removesuffix(detail).rstrip(" ,:")
    return f"should{text.removeprefix('Input should')}" if text.startswith("Input should") else f"is wrong: {text}"
