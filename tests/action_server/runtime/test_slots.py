"""Slots with types: read from a tracker, changed, and written back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel
from rasa_sdk import Tracker

from action_server import ActionServerError, Slots
from action_server.errors import NotJsonableError, SlotValueError
from action_server.protocol.tracker import tracker_of
from action_server.testing import make_tracker
from tests.engine_calls import decoded_call

SECRET = "s3cret-value"


class Urgency(Enum):
    HIGH = "high"
    LOW = "low"


class Address(BaseModel):
    street: str
    zip: Annotated[str, Field(pattern=r"^\d+$")] = "0"


class BookingSlots(Slots):
    appointment_type: Literal["general", "urgent"] | None = None
    day: date | None = None
    at: datetime | None = None
    urgency: Urgency | None = None
    party_size: int = Field(1, alias="party-size", ge=1)
    address: Address | None = None
    tags: Annotated[list[str], Field(default_factory=list)]
    key: UUID | None = None


ALL: dict[str, Any] = {
    "appointment_type": "general",
    "day": "2026-11-24",
    "at": "2026-11-24T10:00:00+01:00",
    "urgency": "high",
    "party-size": 2,
    "address": {"street": "Main", "zip": "12"},
    "tags": ["a"],
    "key": "12345678-1234-5678-1234-567812345678",
    "a slot of somebody else": 1,
}


def tracker(**slots: object) -> Tracker:
    return make_tracker(slots)


def written(slots: Slots) -> dict[str, object]:
    """Return what the events say, in their order."""
    events = slots.changed()
    assert all(event["event"] == "slot" for event in events)
    return {event["name"]: event["value"] for event in events}


def test_slots_are_read_as_their_types() -> None:
    """Whatever JSON can say becomes what the fields say."""
    slots = BookingSlots.read(tracker(**ALL))

    assert slots.appointment_type == "general"
    assert slots.day == date(2026, 11, 24)
    assert slots.at == datetime(2026, 11, 24, 9, tzinfo=timezone.utc)
    assert slots.urgency is Urgency.HIGH
    assert slots.party_size == 2
    assert slots.address == Address(street="Main", zip="12")
    assert slots.tags == ["a"]
    assert slots.key == UUID("12345678-1234-5678-1234-567812345678")


def test_what_was_only_read_is_not_written() -> None:
    """However the values were spelled: a date in another form is the same date."""
    assert BookingSlots.read(tracker(**ALL)).changed() == []
    assert BookingSlots.read(tracker(**ALL | {"party-size": "2", "at": "2026-11-24T09:00:00Z"})).changed() == []


def test_exactly_what_differs_is_written_in_the_order_of_the_fields_as_json() -> None:
    """Dates are ISO 8601, enums their values, models objects, None clears, and changes deep inside count."""
    slots = BookingSlots.read(tracker(**ALL))

    slots.tags.append("b")
    assert slots.address is not None
    slots.address.zip = "34"
    slots.urgency = Urgency.LOW
    slots.day = date(2026, 12, 1)
    slots.at = datetime(2026, 12, 1, 9, tzinfo=timezone.utc)
    slots.party_size = 3
    slots.appointment_type = None
    slots.key = UUID(ALL["key"])

    expected = {
        "appointment_type": None,
        "day": "2026-12-01",
        "at": "2026-12-01T09:00:00+00:00",
        "urgency": "low",
        "party-size": 3,
        "address": {"street": "Main", "zip": "34"},
        "tags": ["a", "b"],
    }
    assert written(slots) == expected
    assert list(written(slots)) == list(expected)


def test_a_value_changed_and_changed_back_is_not_written() -> None:
    """What counts is what was read."""
    slots = BookingSlots.read(tracker(**ALL))
    slots.party_size = 5
    slots.party_size = 2

    assert slots.changed() == []


def test_what_is_written_can_be_read_again() -> None:
    """The next action reads what this one wrote."""
    slots = BookingSlots.read(tracker(**ALL))
    slots.at = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=1)))
    slots.address = Address(street="Side")

    again = BookingSlots.read(tracker(**ALL | written(slots)))

    assert (again.at, again.address) == (slots.at, slots.address)


def test_true_one_and_one_point_zero_are_different_values() -> None:
    """Python calls them equal; slots do not."""

    class Anything(Slots):
        value: Any = None
        deep: Any = None

    slots = Anything.read(tracker(value=1, deep={"a": [1]}))
    slots.value = True
    slots.deep = {"a": [1.0]}

    assert [type(value) for value in written(slots).values()] == [bool, dict]


def test_a_slot_that_is_null_or_missing_has_the_default() -> None:
    """Engines send every slot of the domain, null until it is set."""
    assert BookingSlots.read(tracker(tags=None)).tags == []
    assert BookingSlots.read(tracker(**{"party-size": None})).party_size == 1
    assert BookingSlots.read(tracker(tags=None)).changed() == []


def test_a_slot_that_the_assistant_does_not_have_is_told_apart_and_never_written() -> None:
    """The engine logs an error for every unknown slot."""
    slots = BookingSlots.read(tracker(day=None, **{"party-size": None}))
    slots.party_size = 4
    slots.appointment_type = "urgent"

    assert slots.known == {"day", "party-size"}
    assert written(slots) == {"party-size": 4}


def test_what_an_action_found_out_is_written_even_if_the_slot_holds_it_already() -> None:
    """`new` reads nothing; None in it is nothing to say, and unknown slots stay unknown."""
    found = BookingSlots.new(tracker(appointment_type="urgent", tags=None), appointment_type="urgent", party_size=2)

    assert written(found) == {"appointment_type": "urgent", "tags": []}


def test_an_object_without_a_tracker_knows_all_its_slots() -> None:
    """In a unit test of the code that fills it."""
    slots = BookingSlots.model_validate({"appointment_type": "urgent", "party_size": 3})

    assert "key" in slots.known
    assert written(slots)["party-size"] == 3


@pytest.mark.parametrize(
    ("slots", "problem"),
    [
        ({"appointment_type": SECRET}, "slot 'appointment_type' should be 'general' or 'urgent'"),
        ({"day": SECRET}, "slot 'day' should be a valid date or datetime"),
        ({"day": ["2026-11-24"]}, "slot 'day' should be a valid date"),
        ({"urgency": SECRET}, "slot 'urgency' should be 'high' or 'low'"),
        ({"party-size": SECRET}, "slot 'party-size' should be a valid integer, unable to parse string as an integer"),
        ({"party-size": 0}, "slot 'party-size' should be greater than or equal to 1"),
        ({"address": SECRET}, "slot 'address' should be a valid dictionary or instance of Address"),
        ({"address": {SECRET: 1}}, "slot 'address' lacks a part"),
        ({"address": {"street": "x", "zip": SECRET}}, "slot 'address' is wrong: String should match pattern '^\\d+$'"),
        ({"tags": [SECRET, 1]}, "slot 'tags' should be a valid string"),
        ({"key": SECRET}, "slot 'key' should be a valid UUID"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_an_error_that_names_the_slot_and_not_the_value(slots: dict[str, Any], problem: str) -> None:
    """It says what the slot should be, and nothing of what the user said, not even behind the scenes."""
    with pytest.raises(SlotValueError) as caught:
        BookingSlots.read(tracker(**slots))

    assert str(caught.value) == problem
    assert list(caught.value.problems) == list(slots)
    assert isinstance(caught.value, ActionServerError)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_every_wrong_slot_is_named_at_once() -> None:
    """One run is enough to see them all."""
    with pytest.raises(SlotValueError) as caught:
        BookingSlots.read(tracker(day="x", urgency="y"))

    assert list(caught.value.problems) == ["day", "urgency"]


def test_a_required_slot_must_be_set() -> None:
    """A field without a default is one."""

    class Required(Slots):
        name: str

    for slots in ({}, {"name": None}):
        with pytest.raises(SlotValueError, match=r"^slot 'name' must be set$"):
            Required.read(tracker(**slots))


def test_what_an_authors_validator_says_is_not_repeated() -> None:
    """Its text may hold the value."""

    class Checked(Slots):
        name: str | None = None
        kind: Annotated[Any, BeforeValidator(lambda value: _fail(value))] = None

        @field_validator("name")
        @classmethod
        def refuse(cls, value: str) -> str:
            raise ValueError(f"{value} is nobody")

    with pytest.raises(SlotValueError) as caught:
        Checked.read(tracker(name=SECRET, kind=SECRET))

    assert set(caught.value.problems) == {"name", "kind"}
    assert SECRET not in str(caught.value)


def _fail(value: object) -> object:
    raise AssertionError(value)


def test_a_union_names_each_of_its_members() -> None:
    """A date or a word."""

    class Either(Slots):
        when: date | Literal["asap"] | None = None

    with pytest.raises(SlotValueError, match="slot 'when' should be a valid date or datetime, or should be 'asap'"):
        Either.read(tracker(when="soon"))


def test_values_set_later_are_checked_too() -> None:
    """With the same error; the object keeps what it had."""
    slots = BookingSlots.read(tracker(**ALL))

    with pytest.raises(SlotValueError, match="slot 'party-size' should be greater than or equal to 1"):
        slots.party_size = 0
    with pytest.raises(SlotValueError):
        setattr(slots, "day", SECRET)  # noqa: B010 - mypy would not let it be set
    with pytest.raises(SlotValueError):
        BookingSlots.new(tracker(), party_size=0)

    assert (slots.party_size, slots.changed()) == (2, [])


def test_aliases_are_the_only_names_of_slots() -> None:
    """A field whose own name is another slot's does not read that one; a generator makes aliases, too."""

    class Crossed(Slots):
        one: str | None = Field(None, alias="two")
        two: str | None = Field(None, alias="three")

    class Camel(Slots):
        model_config = ConfigDict(alias_generator=to_camel)
        first_name: str | None = None

    assert Crossed.read(tracker(one="1", three="3")).model_dump() == {"one": None, "two": "3"}
    slots = Camel.read(tracker(firstName="Ada"))
    slots.first_name = "Grace"
    assert written(slots) == {"firstName": "Grace"}


def test_a_field_that_is_excluded_is_read_and_never_written() -> None:
    """For a slot that belongs to somebody else."""

    class Guest(Slots):
        name: str | None = Field(None, exclude=True)

    slots = Guest.read(tracker(name="Ada"))
    slots.name = "Grace"

    assert slots.changed() == []


def test_a_number_that_is_none_is_written_as_null(caplog: pytest.LogCaptureFixture) -> None:
    """JSON knows no NaN; one line names the slot. One that was there before is no change."""

    class Readings(Slots):
        before: float | None = None
        mean: float | None = None

    slots = Readings.read(tracker(before=math.nan, mean=1.5))
    assert slots.changed() == []
    assert not caplog.records
    slots.mean = math.nan

    assert written(slots) == {"mean": None}
    assert [(r.msg, vars(r)["field"]) for r in caplog.records] == [("slot.repaired", "mean")]


def test_a_value_without_a_json_form_is_an_error_that_names_the_slot() -> None:
    """Not an event that the engine refuses with the whole reply."""

    @dataclass
    class Holder:
        what: Any

    class Loose(Slots):
        value: Any = None

    slots = Loose.read(tracker(value=None))
    slots.value = Holder([1, object()])

    with pytest.raises(NotJsonableError, match="value"):
        slots.changed()


@pytest.mark.parametrize("name", ["read", "new", "changed", "known"])
def test_a_field_cannot_hide_a_method(name: str) -> None:
    """An alias gives the slot another name in Python."""
    with pytest.warns(UserWarning, match="shadows"), pytest.raises(TypeError, match="use an alias"):
        type("Hiding", (Slots,), {"__annotations__": {name: str | None}, name: None, "__module__": __name__})


def test_two_fields_cannot_be_one_slot() -> None:
    """Which of them would be written?"""
    with pytest.raises(TypeError, match="has two fields for the slot 'a'"):

        class Twice(Slots):
            a: str | None = None
            b: str | None = Field(None, alias="a")


def test_the_platforms_own_tracker_is_read() -> None:
    """The one that actions get from a running server."""
    assert BookingSlots.read(tracker_of(decoded_call(slots={"party-size": 3.0}))).party_size == 3
