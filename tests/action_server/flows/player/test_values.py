"""What slots make of the values they are given."""

from __future__ import annotations

import pytest

from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
from tests.action_server.flows.bots import Chat


@pytest.mark.parametrize(("value", "kept"), [("A", "a"), ("b", "b")])
async def test_a_category_is_known_in_any_case(value: str, kept: str) -> None:
    chat = Chat("shop")
    await chat.say("strict", StartFlow("strict"))

    turn = await chat.say(value, SetSlot("strict", value))

    assert [e["value"] for e in turn.events if e["event"] == "slot" and e["name"] == "strict"] == [kept, None]


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({"size": "many"}, ["many is not a number. Please give me one.", "Which size?"]),
        ({"size": 1, "kind": "green"}, ["green is not one of the options. Please choose one of them.", "Which kind?"]),
        ({"size": "1.5", "kind": "RED"}, ["Sure?"]),
    ],
)
async def test_values_a_slot_cannot_hold_are_refused(slots: dict[str, object], said: list[str]) -> None:
    chat = Chat("plain")

    turn = await chat.say("sized", StartFlow("sized"), *(SetSlot(n, v) for n, v in slots.items()))

    assert turn.texts == said


@pytest.mark.parametrize(("value", "said"), [("perhaps", "perhaps is not"), ("TRUE", "Hi."), ("0", "Hi.")])
async def test_a_yes_is_a_yes(value: str, said: str) -> None:
    chat = Chat("plain")
    await chat.say("sized", StartFlow("sized"), SetSlot("size", 1), SetSlot("kind", "blue"))

    turn = await chat.say(value, SetSlot("sure", value))

    assert turn.texts[0].startswith(said)
