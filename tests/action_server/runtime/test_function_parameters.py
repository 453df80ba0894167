"""What a typed function is given: slots as its types say, and what its classes name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypedDict

import pytest
import svcs
from pydantic import BaseModel, Field
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.types import DomainDict

from action_server import Slots, action, services
from action_server.errors import RegistrationError, ServiceError, SlotValueError
from tests.action_server.runtime.typed_calls import play, slots_after

SECRET = "s3cret-value"


class Kind(Enum):
    GENERAL = "general"


class Address(BaseModel):
    street: str


class Desk(Protocol):
    def take(self) -> str: ...


class OldDesk:
    def take(self) -> str:
        return "old"


@dataclass
class PaperDesk:
    number: int


class Contact(Slots):
    phone: str | None = None
    size: int = Field(1, alias="party-size")


@action
async def book(
    day: date,
    kind: Kind | None,
    address: Address | None = None,
    flavour: Literal["sweet", "salty"] = "sweet",
    party: Annotated[int, Field(alias="party-size", ge=1, description="How many come.")] = 2,
    tags: list[str] | None = None,
    json: Any = None,
    _secret: bool = False,
) -> dict[str, Any]:
    """Book it.

    Args:
        day: When.
        party: Not said twice.
        json: Anything.
    """
    return {
        "out": [type(day).__name__, kind, address, flavour, party, tags, json, _secret],
    }


async def test_slots_arrive_as_their_types_say() -> None:
    """Dates, enums, models and lists; a slot's name that is none in Python comes by its alias."""
    slots = {"day": "2026-12-01", "kind": "general", "address": {"street": "Main"}, "party-size": 3, "json": {"a": 1}}

    assert await slots_after(book, **slots, _secret=True, tags=["a"], flavour="salty") == {
        "out": ["date", "general", {"street": "Main"}, "salty", 3, ["a"], {"a": 1}, True]
    }


async def test_a_slot_that_is_null_or_missing_has_the_default() -> None:
    """A type that takes null needs none: to a function null is a value."""
    assert await slots_after(book, day="2026-12-01", kind=None, flavour=None) == {
        "out": ["date", None, None, "sweet", 2, None, None, False]
    }


async def test_slots_that_do_not_fit_are_named_without_their_values() -> None:
    """All of them at once, as with `Slots`, so that one failure policy is for both."""
    with pytest.raises(SlotValueError) as raised:
        await play(book, {"flavour": SECRET, "party-size": SECRET})

    assert set(raised.value.problems) == {"day", "flavour", "party-size"}
    assert SECRET not in str(raised.value)


def test_the_model_of_the_parameters_has_types_defaults_and_descriptions() -> None:
    """A tool's schema is made of it: by the names of the slots, with what the docstring or the field say."""
    schema = book.action_class.__action_parameters__.model_json_schema()

    assert schema["required"] == ["day"]
    assert list(schema["properties"]) == ["day", "kind", "address", "flavour", "party-size", "tags", "json", "_secret"]
    described = {name: p["description"] for name, p in schema["properties"].items() if "description" in p}
    assert described == {"day": "When.", "party-size": "How many come.", "json": "Anything."}
    assert schema["properties"]["party-size"]["default"] == 2


async def test_the_tracker_the_dispatcher_and_the_domain_come_by_their_types() -> None:
    """Whatever the parameters are called; they are no slots."""

    @action
    def greet(out: CollectingDispatcher, said: Tracker, about: DomainDict, domain: dict[str, Any]) -> None:
        out.utter_message(text=f"{said.sender_id} {about['intents']} {domain['intents']}")

    dispatcher = CollectingDispatcher()
    await play(greet, {}, dispatcher, {"intents": []})

    assert dispatcher.messages[0]["text"] == "c [] []"
    assert greet.action_class.__action_parameters__.model_fields == {}


async def test_services_come_by_their_types() -> None:
    """Classes and protocols that no slot could hold; one that could is marked."""

    @action
    async def serve(desk: Desk, old: OldDesk, paper: services.Injected[PaperDesk], size: int = 1) -> dict[str, Any]:
        return {"desk": [desk.take(), old.take(), paper.number, size]}

    registry = svcs.Registry()
    registry.register_value(Desk, OldDesk())
    registry.register_value(OldDesk, OldDesk())
    registry.register_value(PaperDesk, PaperDesk(7))

    with services.activate(registry):
        assert await slots_after(serve) == {"desk": ["old", "old", 7, 1]}
    with services.activate(svcs.Registry()), pytest.raises(ServiceError, match="no service is registered for Desk"):
        await play(serve, {})


async def test_a_class_of_slots_is_read_and_says_what_was_changed() -> None:
    """Beside single slots; the model of the parameters has all of them."""

    @action
    def change(contact: Contact, phone_is_new: bool) -> Contact:
        contact.size += 1
        return contact

    assert await slots_after(change, phone="1", phone_is_new=True, **{"party-size": 4}) == {"party-size": 5}
    properties = change.action_class.__action_parameters__.model_json_schema()["properties"]
    assert set(properties) == {"phone", "party-size", "phone_is_new"}


def _without_type(slot): ...  # type: ignore[no-untyped-def]


def _stars(*slots: str) -> None: ...


def _two_stars(**slots: str) -> None: ...


def _by_position(slot: str, /) -> None: ...


def _callable(slot: Callable[[], str]) -> None: ...


def _field_as_default(slot: str = Field("a")) -> None: ...


def _service_with_default(desk: OldDesk = OldDesk()) -> None: ...  # noqa: B008


def _maybe_a_service(desk: OldDesk | None) -> None: ...


def _twice(one: Annotated[str, Field(alias="a")], two: Annotated[str, Field(alias="a")]) -> None: ...


def _not_there(slot: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037


class Old(TypedDict):
    street: str


def _old_typed_dict(address: Old) -> None: ...


def _old_typed_dicts(addresses: list[Old] | None) -> None: ...


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "a parameter without a type": (_without_type, "parameter 'slot' without a type; write `slot: str | None`"),
    "*args": (_stars, "takes *slots; name each slot"),
    "**kwargs": (_two_stars, r"takes \*\*slots; name each slot"),
    "by position": (_by_position, "takes 'slot' by position only; remove the `/`"),
    "a type of no JSON": (_callable, "parameter 'slot' of a type that is neither a slot's nor a service's class"),
    "a Field as default": (_field_as_default, "has a Field as the default of 'slot'; write `slot: Annotated"),
    "a service with a default": (_service_with_default, "has a default for 'desk', which is no slot; remove it"),
    "a service that may be missing": (_maybe_a_service, "parameter 'desk' of a type that is neither"),
    "two for one slot": (_twice, "has two fields for the slot 'a'"),
    **(
        {}
        if sys.version_info >= (3, 12)
        else {
            "a dict that pydantic does not read": (_old_typed_dict, "'address' of a TypedDict; before Python 3.12"),
            "a list of those": (_old_typed_dicts, "'addresses' of a TypedDict; before Python 3.12"),
        }
    ),
    "a type nobody imports": (_not_there, r"a type that is not there when the module is imported \(Missing\)"),
}


@pytest.mark.parametrize(("function", "message"), REFUSED.values(), ids=REFUSED)
def test_a_parameter_that_can_be_given_nothing_is_refused_where_it_stands(
    function: Callable[..., Any], message: str
) -> None:
    """When the module is imported, with its line, and with what to write instead."""
    with pytest.raises(RegistrationError, match=message.replace("*slots", r"\*slots").replace(r"\\*", r"\*")) as raised:
        action(function)

    assert raised.value.place == f"{Path(__file__).relative_to(Path.cwd())}:{function.__code__.co_firstlineno}"
