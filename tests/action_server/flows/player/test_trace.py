"""The record of a turn, as people are told it."""

from __future__ import annotations

from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
from action_server.flows.player.trace import ActionCall, BotMessage, Failure, Turn
from action_server.source import Place
from tests.action_server.flows.bots import Chat


async def test_a_decision_is_told_with_its_values() -> None:
    chat = Chat("shop")

    turn = await chat.say("size", StartFlow("by_size"), SetSlot("size", 15))

    (step,) = [s for s in turn.steps if s.flow == "by_size" and s.decisions]
    assert [(d.condition, d.value, dict(d.values), d.led_to) for d in step.decisions] == [
        ("slots.size < 10", False, {"slots.size": 15.0}, "small"),
        ("slots.size >= 10 and slots.size < 20", True, {"slots.size": 15.0}, "10_to_20"),
    ]
    assert step.decisions[0].at is not None
    assert str(step.decisions[0].at).endswith("shop/data/flows.yml:24")


def test_slots_that_changed_are_told_with_both_values() -> None:
    """Of a turn and of a call alike; a slot that is new or gone counts, one that stayed does not."""
    before, after = {"a": 1, "b": 2, "gone": 3}, {"a": 1, "b": None, "new": 4}
    expected = {"b": (2, None), "gone": (3, None), "new": (None, 4)}

    assert Turn("hi", slots_before=before, slots=after).changed_slots == expected
    assert ActionCall("action_a", 200, 1.0, before, after).changed_slots == expected


def test_messages_are_told_by_text_and_by_response() -> None:
    """A message may have either, both or none."""
    turn = Turn("hi", messages=[BotMessage("Hi.", "utter_hi"), BotMessage(image="a.png"), BotMessage("Own words.")])

    assert (turn.texts, turn.responses) == (["Hi.", "Own words."], ["utter_hi"])


def test_a_failure_says_where_it_stands() -> None:
    """If it stands in a file."""
    assert str(Failure("no branch fits", Place(file="flows.yml", line=3))) == "flows.yml:3: no branch fits"
    assert str(Failure("no branch fits")) == "no branch fits"
