"""Each check finds the event that proves it, and says where it stands."""

from __future__ import annotations

import re
from typing import Any

import pytest

from action_server.flows.e2e.checks import (
    ABSENT,
    ANY_VALUE,
    Uttered,
    action_executed,
    bot_did_not_utter,
    bot_uttered,
    clarification,
    flow_event,
    format_value,
    is_same_value,
    slot_was_not_set,
    slot_was_set,
)

BOOK = {"event": "flow_started", "flow_id": "book"}
PAY = {"event": "flow_started", "flow_id": "pay"}
DRINK = {"event": "slot", "name": "drink", "value": "tea"}
EMPTY = {"event": "slot", "name": "drink", "value": None}
HELLO = {"event": "bot", "text": "Hello,\nAnn ", "metadata": {"utter_action": "utter_hello"}, "data": {"buttons": []}}


def test_all_of_several_flows_are_proved_by_the_last_of_them() -> None:
    """Any of them by the first; a flow that is missing leaves nothing proved."""
    events = [DRINK, BOOK, PAY]

    assert flow_event("flow_started", ["pay", "book"])(events) == 2
    assert flow_event("flow_started", ["pay", "book"], any_of_them=True)(events) == 1
    assert flow_event("flow_started", ["pay", "other"])(events) is None
    assert flow_event("flow_started", ["other", "pay"], any_of_them=True)(events) == 2
    assert flow_event("flow_started", ["other"], any_of_them=True)(events) is None


def test_a_flow_may_be_asked_for_at_a_step() -> None:
    """The step the engine tells, or the one the runner has put into the event."""
    told = {"event": "flow_cancelled", "flow_id": "book", "step_id": "ask"}
    added = {"event": "flow_completed", "flow_id": "book", "last_step": "thank"}

    assert flow_event("flow_cancelled", ["book"], "ask")([told]) == 0
    assert flow_event("flow_completed", ["book"], "thank")([added]) == 0
    assert flow_event("flow_completed", ["book"], "ask")([added]) is None


@pytest.mark.parametrize(
    ("names", "any_of_them", "index"),
    [
        (["book", "pay"], False, 0),
        (["book a drink", "pay the bill"], False, 0),
        (["book"], False, None),
        (["book", "pay", "other"], False, None),
        (["other", "pay"], True, 0),
        (["other"], True, None),
    ],
)
def test_a_clarification_offers_these_flows_and_no_others(
    names: list[str], any_of_them: bool, index: int | None
) -> None:
    """By id or by name; or any of them."""
    offer = {"offered": ["book a drink", "pay the bill"], "offered_ids": ["book", "pay"]}
    event = {"event": "flow_started", "flow_id": "pattern_clarification", **offer}

    assert clarification(names, any_of_them=any_of_them)([event]) == index
    assert clarification(names, any_of_them=any_of_them)([BOOK]) is None


def test_a_slot_was_set_to_its_value_or_to_anything_but_null() -> None:
    """All of them; emptying a slot is no setting of it."""
    assert slot_was_set([("drink", "tea")])([BOOK, DRINK]) == 1
    assert slot_was_set([("drink", ANY_VALUE)])([EMPTY, DRINK]) == 1
    assert slot_was_set([("drink", None)])([DRINK, EMPTY]) == 1
    assert slot_was_set([("drink", "tea"), ("guest", ANY_VALUE)])([DRINK]) is None


def test_that_a_slot_was_not_set_is_proved_by_nothing() -> None:
    """None of several may have been."""
    assert slot_was_not_set([("drink", ANY_VALUE)])([BOOK, EMPTY]) == ABSENT
    assert slot_was_not_set([("guest", ANY_VALUE), ("drink", "tea")])([DRINK]) is None


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Uttered(), True),
        (Uttered("utter_hello"), True),
        (Uttered("utter_bye"), False),
        (Uttered(pattern=re.compile("Hello.*Ann", re.DOTALL)), True),
        (Uttered(pattern=re.compile("Bye")), False),
        (Uttered(text="Hello,\nAnn"), True),
        (Uttered(text="Hello"), False),
        (Uttered(buttons=[{"title": "x"}]), False),
    ],
    ids=["anything", "response", "other response", "pattern", "other pattern", "text", "part of it", "buttons"],
)
def test_a_message_has_to_fit_in_everything_that_is_asked(wanted: Uttered, fits: bool) -> None:
    """Space around a text does not count."""
    assert bot_uttered(wanted)([BOOK, HELLO]) == (1 if fits else None)
    assert bot_did_not_utter(wanted)([BOOK, HELLO]) == (None if fits else ABSENT)


def test_buttons_are_those_and_no_others_in_their_order() -> None:
    """A key that is not asked for may be anything."""
    event = {**HELLO, "data": {"buttons": [{"title": "Tea", "payload": "/tea"}, {"title": "Coffee", "payload": "/c"}]}}

    assert Uttered(buttons=[{"title": "Tea"}, {"payload": "/c"}]).fits(event)
    assert not Uttered(buttons=[{"title": "Coffee"}, {"title": "Tea"}]).fits(event)
    assert not Uttered(buttons=[{"title": "Tea"}]).fits(event)


def test_an_action_is_found_by_its_name() -> None:
    """A response is one as well."""
    events = [{"event": "action", "name": "utter_hello"}, {"event": "action", "name": "action_pay"}]

    assert action_executed("action_pay")(events) == 1
    assert action_executed("action_book")(events) is None


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [(1, 1.0, True), (True, True, True), (1, True, False), (False, 0, False), (1, "1", False), ([1], [1], True)],
)
def test_values_are_the_same_as_json_has_them(found: Any, wanted: Any, same: bool) -> None:
    """For Python true is the number 1; in a test it is not."""
    assert is_same_value(found, wanted) is same


def test_a_value_is_written_as_in_a_test() -> None:
    """Words of all languages stay readable."""
    assert format_value({"who": "Zoë", "n": None}) == '{"who": "Zoë", "n": null}'
