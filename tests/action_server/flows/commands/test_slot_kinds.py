"""What a slot wants to know stands in its name, and else in its description."""

from __future__ import annotations

import pytest

from action_server.flows.commands.generator import SlotView
from action_server.flows.commands.slot_kinds import Kind, is_money, kind_of, prepositions_of


@pytest.mark.parametrize(
    ("name", "description", "kind"),
    [
        ("checkout_time", "", Kind.TIME),
        ("email_address", "", Kind.EMAIL),
        ("phone_number", "", Kind.PHONE),
        ("order_number", "", Kind.CODE),
        ("street", "", Kind.ADDRESS),
        ("return_reason", "", Kind.OPEN),
        ("x", "the day and the time", Kind.DATE),
        ("x", "what happened", Kind.OPEN),
        ("origin", "the name of an airport", Kind.PLACE),
        ("topping", "", Kind.OTHER),
    ],
)
def test_what_a_slot_wants_to_know(name: str, description: str, kind: Kind) -> None:
    """The last word of its name is what it is."""
    assert kind_of(SlotView(name, "text", description)) is kind


def test_the_words_before_a_name_tell_whose_it_is() -> None:
    """From where, to where, to whom, by whom."""
    found = {name: prepositions_of(SlotView(name, "text", "")) for name in ("origin", "destination", "author")}

    assert found == {"origin": {"from"}, "destination": {"to"}, "author": {"by"}}
    assert "to" in prepositions_of(SlotView("recipient", "text", ""))


def test_an_amount_is_one_of_money() -> None:
    """Nights are not."""
    assert is_money(SlotView("amount", "float", ""))
    assert not is_money(SlotView("nights", "float", ""))
