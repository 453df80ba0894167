"""What an action reads and sets is seen in its code."""

from __future__ import annotations

from action_server.tools.code import read_code
from tests.action_server.tools.code_actions import ActionReads, ActionTyped


def test_slots_are_seen_wherever_the_code_leads() -> None:
    """In the class, its bases, functions and constants that it names; never a name that only a loop knows."""
    facts = read_code(ActionReads().run)

    assert list(facts.reads) == ["city", "of_a_class", "plain", "read_by_the_base", "of_a_helper"]
    assert set(facts.sets) == {"set_by_hand", "by_key", "by_dict", "of_the_base"}
    assert (facts.asks_for_conversation, facts.may_ask_for_conversation) == (False, True)


def test_typed_slots_are_read_by_the_fields_that_are_used() -> None:
    """One class of slots may be that of all actions."""
    facts = read_code(ActionTyped().run)

    assert list(facts.reads) == ["kind", "party-size"]
    assert set(facts.sets) == {"status", "unused"}


def test_a_function_of_another_package_is_not_followed() -> None:
    """What is not the author's says nothing of the author's slots."""
    assert dict(read_code(len).reads) == {}


def test_the_code_of_an_action_is_read_once() -> None:
    """`flows test` makes its tools for each case: fifty readings of the clinic's took most of its time."""
    assert read_code(ActionReads().run) is read_code(ActionReads().run)
