"""What a typed function returns becomes slots and events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, NamedTuple, TypedDict

import pytest
from pydantic import BaseModel, Field, RootModel
from rasa_sdk.events import AllSlotsReset, EventType, FollowupAction, SlotSet
from typing_extensions import TypedDict as TypingExtensionsDict

from action_server import Slots
from action_server.errors import NotJsonableError
from action_server.runtime.function_results import events_of, result_model


class Booked(BaseModel):
    reference: str = Field(description="What to quote.")
    day: date | None = None
    size: int = Field(default=1, serialization_alias="party-size")
    hidden: str = Field(default="h", exclude=True)


@dataclass
class Refused:
    reason: str
    others: list[date] = field(default_factory=list)


class Words(TypedDict, total=False):
    reason: str


class Found(TypingExtensionsDict):
    reason: str


class Row(NamedTuple):
    reference: str
    day: date | None = None


class Changed(Slots):
    reason: str = ""


def slots(returned: object) -> dict[str, object]:
    return {event["name"]: event["value"] for event in events_of(returned, "f")}


MEANINGS: dict[str, tuple[object, dict[str, object]]] = {
    "None": (None, {}),
    "a model": (
        Booked(reference="a", day=date(2026, 12, 1)),
        {"reference": "a", "day": "2026-12-01", "party-size": 1},
    ),
    "a dataclass": (Refused("full", [date(2026, 12, 1)]), {"reason": "full", "others": ["2026-12-01"]}),
    "a named tuple": (Row("a", date(2026, 12, 1)), {"reference": "a", "day": "2026-12-01"}),
    "a named tuple beside events": ((Row("a"), SlotSet("b", 1)), {"reference": "a", "day": None, "b": 1}),
    "a dict": ({"a": None, "b": {"c": 1.5}}, {"a": None, "b": {"c": 1.5}}),
    "an empty dict": ({}, {}),
    "a slot called event": ({"event": "party"}, {"event": "party"}),
    "a root model": (RootModel[dict[str, int]]({"a": 1}), {"a": 1}),
    "one event": (SlotSet("a", 1), {"a": 1}),
    "a list of events": ([SlotSet("a", 1), SlotSet("b", 2)], {"a": 1, "b": 2}),
    "slots beside events": ((Refused("x"), [SlotSet("a", 1)]), {"reason": "x", "others": [], "a": 1}),
    "a generator": ((SlotSet(name, 1) for name in "ab"), {"a": 1, "b": 1}),
    "an empty list": ([], {}),
}


@pytest.mark.parametrize(("returned", "expected"), MEANINGS.values(), ids=MEANINGS)
def test_what_is_returned_becomes_slots(returned: object, expected: dict[str, object]) -> None:
    """A model, a dataclass and a dict are a `SlotSet` for each of their parts, made of what JSON knows."""
    assert slots(returned) == expected


def test_events_of_other_kinds_stay_as_they_are() -> None:
    """In their order, slots before or after them."""
    events = events_of((FollowupAction("action_next"), {"a": 1}, AllSlotsReset()), "f")

    assert [event["event"] for event in events] == ["followup", "slot", "reset_slots"]


def test_what_nobody_knows_in_a_list_is_left_to_the_server() -> None:
    """It repairs an event whose parentheses were forgotten, and says what it drops."""
    assert events_of([AllSlotsReset, "text", None], "f") == [AllSlotsReset, "text"]


@pytest.mark.parametrize("returned", ["text", b"", 1, True, object(), Refused])
def test_what_is_neither_slots_nor_events_is_an_error(returned: object) -> None:
    """It names the function and the type, and not the value."""
    kind = type(returned).__name__

    with pytest.raises(NotJsonableError, match=rf"^what book returned is a {kind}, which is neither slots nor events$"):
        events_of(returned, "book")


def test_a_value_that_is_no_data_is_an_error_with_its_slot() -> None:
    """As everywhere else."""
    with pytest.raises(NotJsonableError, match=r"^lock is a object"):
        events_of({"lock": object()}, "f")


def named(annotation: Any) -> dict[str, bool]:
    """Return the slots that an annotation promises, and whether each is always there."""
    model = result_model(annotation)
    return {n: f.is_required() for n, f in model.model_fields.items()} if model is not None else {}


def test_a_return_type_tells_the_slots() -> None:
    """Of models, dataclasses and typed dicts, also beside null and events; a dict and events tell nothing."""
    assert result_model(Booked) is Booked
    assert result_model(Annotated[Booked, "x"]) is Booked
    assert result_model(Booked | None) is Booked
    assert result_model(tuple[Booked, list[EventType]]) is Booked
    assert named(Refused) == {"reason": True, "others": False}
    assert named(Words) == {"reason": False}
    assert named(Found) == {"reason": True}
    assert named(Row) == {"reference": True, "day": False}
    assert result_model(Changed) is Changed
    for annotation in (None, type(None), Any, dict[str, Any], list[EventType], EventType, Iterator[EventType], list):
        assert result_model(annotation) is None


def test_several_classes_are_one_model_in_which_only_what_all_have_is_required() -> None:
    """Descriptions and names of slots stay."""
    assert named(Booked | Refused) == dict.fromkeys(["reference", "day", "size", "hidden", "reason", "others"], False)
    model = result_model(Refused | Changed | None)
    assert model is not None
    schema = result_model(Booked | Refused)
    assert schema is not None
    assert "party-size" in schema.model_json_schema(mode="serialization")["properties"]


@pytest.mark.parametrize(
    ("annotation", "name"), [(int, "int"), (str, "str"), (Booked | bool, "bool"), (bytes, "bytes")]
)
def test_a_return_type_of_neither_slots_nor_events_is_an_error(annotation: Any, name: str) -> None:
    """When the module is imported."""
    with pytest.raises(TypeError, match=f"^{name}$"):
        result_model(annotation)
