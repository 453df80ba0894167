"""Nothing is corrected by chance."""

from __future__ import annotations

import pytest

from action_server.flows.commands.command import SetSlot
from action_server.flows.commands.corrections import read_correction
from action_server.flows.commands.generator import DialogueView, SlotView

SIZE = SlotView("size", "categorical", "", "large", ("small", "large"), ("order",))
PEOPLE = SlotView("people", "float", "number of people", 3, (), ("order",))


@pytest.mark.parametrize(
    ("asked", "message", "slot"),
    [
        (SlotView("town", "text", ""), "no, small", SetSlot("size", "small")),
        (SlotView("town", "text", ""), "a small town by the sea", None),
        (SlotView("town", "text", ""), "for 5 people", None),
        (SlotView("reason", "text", ""), "sorry, the small one broke", None),
        (SlotView("nights", "float", "number of nights"), "sorry, 5", None),
        (SlotView("nights", "float", "number of nights"), "sorry, 5 people", SetSlot("people", 5)),
    ],
)
def test_only_what_is_marked_is_a_correction(asked: SlotView, message: str, slot: SetSlot | None) -> None:
    """Never in the user's own words, nor where it may be the answer."""
    view = DialogueView(message, (), (), (SIZE, PEOPLE, asked), "order", (), asked.name)
    found = read_correction(view, view.slots)

    assert (list(found.commands) if found else []) == ([slot] if slot else [])
