"""An answer is what is left when the polite sentence around it is gone."""

from __future__ import annotations

import pytest

from action_server.flows.commands.courtesy import read_text, without_courtesy
from action_server.flows.commands.generator import SlotView


@pytest.mark.parametrize(
    ("slot", "said", "value"),
    [
        ("guest_name", "my name's Ann Lee, thanks", "Ann Lee"),
        ("guest_name", "this is Tom", "Tom"),
        ("pet_name", "we call him Max", "Max"),
        ("topping", "I'd like extra cheese please!", "extra cheese"),
        ("travel_date", "next Monday would be great", "next Monday"),
        ("travel_date", "is Monday okay?", "Monday"),
        ("travel_date", "next Tuesday at 10 in the morning", "next Tuesday at 10 in the morning"),
        ("pickup_city", "I'd like to pick it up in Porto", "Porto"),
        ("pickup_city", "in Hamburg", "Hamburg"),
        ("breakdown_place", "on the A1 near Linz", "on the A1 near Linz"),
        ("email", "you can use bob@example.com for that", "bob@example.com"),
        ("order_number", "it is order number C9901", "C9901"),
        ("order_number", "GU 221 KL", "GU 221 KL"),
        ("order_number", "what is my order number?", None),
        ("order_number", "I don't have it", None),
        ("reason", "please, it is that I forgot it, thanks", "please, it is that I forgot it, thanks"),
        ("title", "I want to hold your hand", "I want to hold your hand"),
    ],
)
def test_the_answer_in_a_sentence(slot: str, said: str, value: str | None) -> None:
    """By what the slot wants to know; a question is none, and the user's own words stay as they are."""
    assert read_text(SlotView(slot, "text", ""), said) == value


def test_what_is_no_courtesy_stays() -> None:
    """A dot at the end too, where nothing else went."""
    assert without_courtesy(SlotView("note", "text", ""), "the weather is bad.") == "the weather is bad."
