"""Whatever a validator returns, the slots it meant are set, or it is plain that nobody can know."""

from __future__ import annotations

from typing import Any

import pytest
from rasa_sdk.events import AllSlotsReset, FollowupAction, SlotSet

from action_server.runtime.slot_results import SlotResult, read_result

UNDERSTOOD: dict[str, tuple[object, dict[str, Any]]] = {
    "a dict": ({"city": "Bonn", "zip": None}, {"city": "Bonn", "zip": None}),
    "an empty dict": ({}, {}),
    "a dict in a slot": ({"city": {"name": "Bonn"}}, {"city": {"name": "Bonn"}}),
    "a slot called event": ({"event": "concert"}, {"event": "concert"}),
    "an event": (SlotSet("city", "Bonn"), {"city": "Bonn"}),
    "an event that clears": ([SlotSet("city")], {"city": None}),
    "a list of events": ([SlotSet("city", "Bonn"), SlotSet("zip", 1)], {"city": "Bonn", "zip": 1}),
    "a tuple of events": ((SlotSet("city", "Bonn"), SlotSet("zip", 1)), {"city": "Bonn", "zip": 1}),
    "lists in a list": ([[SlotSet("city", "Bonn")], None], {"city": "Bonn"}),
    "a dict, for a comma too many": (({"city": "Bonn"},), {"city": "Bonn"}),
    "a list of dicts": ([{"city": "Bonn"}, {"zip": 1}], {"city": "Bonn", "zip": 1}),
    "a name and a value": (("city", "Bonn"), {"city": "Bonn"}),
    "an event as the value": ({"city": SlotSet("city", "Bonn"), "zip": 1}, {"city": "Bonn", "zip": 1}),
    "an empty list": ([], {}),
    "values of a dict": ({1: SlotSet("city", "Bonn")}.values(), {"city": "Bonn"}),
}


@pytest.mark.parametrize(("found", "slots"), UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_a_result_with_one_meaning_is_understood(found: object, slots: dict[str, Any]) -> None:
    """Authors return from validators what they return from actions."""
    assert read_result(found, "city") == SlotResult(slots)


@pytest.mark.parametrize(
    "found", [None, "Bonn", 7, True, ("town", "Bonn"), [7], [FollowupAction("a")], AllSlotsReset()]
)
def test_a_result_without_one_is_none(found: object) -> None:
    """A bare value may be a verdict, a message or the value; nobody knows."""
    assert read_result(found, "city") is None


def test_what_a_generator_yields_is_understood() -> None:
    """A validator with `yield` in the place of `return`."""
    assert read_result((event for event in (SlotSet("city", "Bonn"), SlotSet("zip", 1))), "city") == SlotResult(
        {"city": "Bonn", "zip": 1}
    )


def test_a_list_that_contains_itself_ends() -> None:
    """It means nothing, and what stands beside it is set."""
    endless: list[object] = [SlotSet("city", "Bonn")]
    endless.append(endless)

    assert read_result(endless, "city") == SlotResult({"city": "Bonn"}, ("list",))


def test_what_has_no_place_in_a_validation_is_left_out() -> None:
    """By its type, or its name if it is an event; the slots beside it are set."""
    found = read_result([SlotSet("city", "Bonn"), FollowupAction("action_x"), "done"], "city")

    assert found == SlotResult({"city": "Bonn"}, ("followup", "str"))
