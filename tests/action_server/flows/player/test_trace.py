"""The record of a turn, as people are told it."""

from __future__ import annotations

from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
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
