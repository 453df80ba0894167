"""Values that stand in a message beside what it asks for."""

from __future__ import annotations

import pytest

from action_server.flows.commands.first_values import read_values
from action_server.flows.commands.generator import SlotView

NIGHTS = SlotView("nights", "float", "number of nights")
ADULTS = SlotView("adults", "float", "how many adults")
AMOUNT = SlotView("amount", "float", "the amount in dollars")
DAY = SlotView("arrival_date", "text", "the day")
FROM = SlotView("origin", "text", "the city")
TO = SlotView("destination", "text", "the city")
CARD = SlotView("card", "categorical", "", None, ("debit", "credit"))
OTHER_CARD = SlotView("other_card", "categorical", "", None, ("credit", "gift"))


@pytest.mark.parametrize(
    ("slots", "message", "values"),
    [
        ([NIGHTS, ADULTS], "3 nights for 2 adults", {"nights": 3, "adults": 2}),
        ([NIGHTS, ADULTS], "for 3", {}),
        ([NIGHTS], "for 3", {"nights": 3}),
        ([ADULTS], "for 3 weeks", {}),
        ([NIGHTS], "I need one", {}),
        ([NIGHTS, AMOUNT], "$50", {"amount": 50}),
        ([NIGHTS], "$50", {}),
        ([NIGHTS, DAY], "a room on 12 July", {"arrival_date": "12 July"}),
        ([FROM, TO], "from Oslo to Rome", {"origin": "Oslo", "destination": "Rome"}),
        ([FROM, TO], "in Rome", {}),
        ([CARD], "my credit card", {"card": "credit"}),
        ([CARD, OTHER_CARD], "my credit card", {}),
        ([CARD], "not the credit card", {}),
    ],
)
def test_a_value_goes_to_the_one_slot_it_fits(slots: list[SlotView], message: str, values: dict[str, object]) -> None:
    """One that fits two goes to neither."""
    assert read_values(slots, message) == values
