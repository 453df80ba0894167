"""Each check finds the event that proves it, and says where it stands."""

from __future__ import annotations

import re

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
    no_slot_event,
    slot_was_not_set,
    slot_was_set,
)

BOOK = {"event": "flow_started", "flow_id": "book"}
PAY = {"event": "flow_started", "flow_id": "pay"}
DRINK = {"event": "slot", "name": "drink", "value": "tea"}
EMPTY = {"event": "slot", "name": "drink", "value": None}
HELLO = {"event": "bot", "text": "Hello,\nAnn ", "metadata": {"utter_action": "utter_hello"}, "data": {"buttons": []}}


def test_any_of_several_flows_is_proved_by_the_first_that_is_named() -> None:
    """With `operator: all` there is one flow only."""
    events = [DRINK, BOOK, PAY]

    assert flow_event("flow_started", ["pay"])(events) == 2
    assert flow_event("flow_started", ["pay", "book"], any_of_them=True)(events) == 2
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
    ("wanted", "by_id", "any_of_them", "index"),
    [
        (["book a drink", "pay the bill"], False, False, 0),
        (["book", "pay"], False, False, None),
        (["book a drink"], False, False, None),
        (["book", "pay"], True, False, 0),
        (["book"], True, False, None),
        (["book", "pay", "other"], True, False, None),
        (["other", "pay"], True, True, 0),
        (["other"], True, True, None),
    ],
)
def test_a_clarification_offers_these_flows_and_no_others(
    wanted: list[str], by_id: bool, any_of_them: bool, index: int | None
) -> None:
    """A list is one of names; ids have an operator."""
    offer = {"offered": ["book a drink", "pay the bill"], "offered_ids": ["book", "pay"]}
    event = {"event": "flow_started", "flow_id": "pattern_clarification", **offer}

    assert clarification(wanted, by_id=by_id, any_of_them=any_of_them)([event]) == index
    assert clarification(wanted, by_id=by_id, any_of_them=any_of_them)([BOOK]) is None


def test_a_slot_was_set_to_its_value_or_at_all() -> None:
    """All of them; without a value, emptying it is enough."""
    assert slot_was_set([("drink", "tea")])([BOOK, DRINK]) == 1
    assert slot_was_set([("drink", ANY_VALUE)])([EMPTY, DRINK]) == 0
    assert slot_was_set([("drink", None)])([DRINK, EMPTY]) == 1
    assert slot_was_set([("drink", "tea"), ("guest", ANY_VALUE)])([DRINK]) is None


def test_that_a_slot_was_not_set_is_a_matter_of_its_last_event() -> None:
    """Which proves it; without one nothing does."""
    assert slot_was_not_set([("drink", ANY_VALUE)])([BOOK, EMPTY]) == 1
    assert slot_was_not_set([("drink", ANY_VALUE)])([DRINK, EMPTY]) == 1
    assert slot_was_not_set([("drink", ANY_VALUE)])([BOOK]) == ABSENT
    assert slot_was_not_set([("guest", ANY_VALUE), ("drink", "tea")])([DRINK]) is None


def test_in_a_step_of_its_own_any_event_sets_a_slot() -> None:
    """The older form of the format looks at all of them."""
    assert no_slot_event("drink", ANY_VALUE)([BOOK]) == ABSENT
    assert no_slot_event("drink", ANY_VALUE)([EMPTY]) is None
    assert no_slot_event("drink", "tea")([DRINK, EMPTY]) is None
    assert no_slot_event("drink", "coffee")([DRINK, EMPTY]) == ABSENT


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Uttered("utter_hello"), True),
        (Uttered("utter_bye"), False),
        (Uttered(pattern=re.compile("Hello,.Ann", re.DOTALL)), True),
        (Uttered(pattern=re.compile("Hello,.Ann")), False),
        (Uttered(text="Hello,\nAnn "), True),
        (Uttered(text="Hello,\nAnn"), False),
        (Uttered(buttons=[{"title": "x"}]), False),
    ],
    ids=["response", "other response", "pattern", "pattern of one line", "text", "without a space", "buttons"],
)
def test_a_message_fits_or_it_does_not(wanted: Uttered, fits: bool) -> None:
    """To the last space; a dot of a pattern is no end of a line."""
    assert bot_uttered(wanted)([BOOK, HELLO]) == (1 if fits else None)
    assert bot_did_not_utter(wanted)([BOOK, HELLO]) == (None if fits else ABSENT)


def test_parts_of_a_claim_may_fit_different_messages() -> None:
    """The last part's proves it. What is not to be said fails with any of its parts."""
    bye = {"event": "bot", "text": "Bye", "metadata": {}, "data": {}}
    wanted = Uttered("utter_hello", pattern=re.compile("Bye"))

    assert bot_uttered(wanted)([HELLO, bye]) == 1
    assert bot_uttered(wanted)([HELLO]) is None
    assert bot_did_not_utter(wanted)([bye]) is None
    assert bot_did_not_utter(wanted)([HELLO]) is None
    assert bot_did_not_utter(wanted)([BOOK]) == ABSENT


def test_buttons_are_compared_as_far_as_both_lists_go() -> None:
    """With title and payload; one that is forbidden may stand anywhere among them."""
    tea, coffee = {"title": "Tea", "payload": "/tea"}, {"title": "Coffee", "payload": "/c"}
    event = {**HELLO, "data": {"buttons": [tea, coffee]}}

    assert Uttered(buttons=[tea]).fits(event)
    assert Uttered(buttons=[tea, coffee, {"title": "Water"}]).fits(event)
    assert not Uttered(buttons=[coffee]).fits(event)
    assert not Uttered(buttons=[{"title": "Tea"}]).fits(event)
    assert Uttered(buttons=[coffee, {"title": "Water"}]).is_forbidden(event)
    assert not Uttered(buttons=[{"title": "Coffee"}]).is_forbidden(event)


def test_an_action_is_found_by_its_name() -> None:
    """A response is one as well."""
    events = [{"event": "action", "name": "utter_hello"}, {"event": "action", "name": "action_pay"}]

    assert action_executed("action_pay")(events) == 1
    assert action_executed("action_book")(events) is None


def test_values_are_compared_as_python_compares_them() -> None:
    """True is the number 1, for engines as well; a text is no number."""
    assert slot_was_set([("n", 1)])([{"event": "slot", "name": "n", "value": True}]) == 0
    assert slot_was_set([("n", 1.0)])([{"event": "slot", "name": "n", "value": 1}]) == 0
    assert slot_was_set([("n", 1)])([{"event": "slot", "name": "n", "value": "1"}]) is None


def test_a_value_is_written_as_in_a_test() -> None:
    """Words of all languages stay readable."""
    assert format_value({"who": "Zoë", "n": None}) == '{"who": "Zoë", "n": null}'
