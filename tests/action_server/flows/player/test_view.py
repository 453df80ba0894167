"""What there is to generate commands by, wherever the conversation stands."""

from __future__ import annotations

from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
from action_server.flows.commands.generator import FlowView
from tests.action_server.flows.bots import Chat


async def test_the_view_before_anything_is_said() -> None:
    """Flows whose guards hold, and the slots they collect; none of the patterns'."""
    view = Chat("bank").player.view("send Bob 5")

    assert {f.id for f in view.flows} == {
        "transfer_money",
        "pay_somebody",
        "add_recipient",
        "check_balance",
        "open_account",
        "block_card",
    }
    assert FlowView("transfer_money", "send money", "Send money to somebody.") in view.flows
    slots = {slot.name: slot for slot in view.slots}
    assert set(slots) == {
        "recipient",
        "amount",
        "confirmed",
        "need_new",
        "iban",
        "age",
        "email",
        "card",
        "feedback",
    } - {"feedback"}
    assert slots["recipient"].description == "the one who gets it"
    assert slots["recipient"].flows == ("transfer_money", "pay_somebody", "add_recipient")
    assert (slots["card"].type, slots["card"].values) == ("strict_categorical", ("credit", "debit"))
    assert (view.message, view.active_flow, view.asked_slot, view.transcript) == ("send Bob 5", "", "", ())


async def test_the_view_in_the_middle() -> None:
    chat = Chat("bank")
    await chat.say("pay", StartFlow("pay_somebody"), SetSlot("need_new", True))

    view = chat.player.view("Bob")

    assert (view.active_flow, view.asked_slot) == ("pay_somebody", "recipient")
    assert view.active_flow_slots == ("need_new", "amount", "recipient", "iban")
    assert view.transcript == (("user", "pay"), ("bot", "Who gets the money?"))
    assert next(s for s in view.slots if s.name == "need_new").value is True


async def test_the_view_of_a_pattern_s_question() -> None:
    chat = Chat("plain")
    await chat.say("hi", StartFlow("hi"))

    view = chat.player.view("yes")

    assert view.asked_slot == "continue_conversation"
    assert "pattern_completed" in next(s for s in view.slots if s.name == "continue_conversation").flows
    assert view.active_flow == ""
