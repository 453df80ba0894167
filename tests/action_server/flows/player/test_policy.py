"""Slots are asked for, filled, refused and reset as the documentation says."""

from __future__ import annotations

from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
from action_server.flows.player.trace import Turn
from action_server.project.flows import END
from tests.action_server.flows.bots import Chat


def ways(turn: Turn, flow: str) -> list[str]:
    return [step.step for step in turn.steps if step.flow == flow and step.kind not in ("resumed",)]


async def test_a_collect_step_asks_and_is_skipped_when_filled() -> None:
    """Kind is asked; colour and material have initial values and are not."""
    chat = Chat("shop")

    first = await chat.say("buy", StartFlow("purchase"))
    second = await chat.say("a shirt", SetSlot("kind", "SHIRT"))
    third = await chat.say("12", SetSlot("size", "12"))

    assert (first.texts, second.texts) == (["What?"], ["Which size?"])
    # A number, and a slot that is empty.
    assert third.texts[0] == "shirt in any of any, 12.0 and None"
    assert ways(third, "purchase") == ["summary", END]


async def test_all_that_was_said_at_once_is_not_asked() -> None:
    chat = Chat("shop")

    turn = await chat.say(
        "a blue cotton shirt",
        StartFlow("purchase"),
        SetSlot("kind", "shirt"),
        SetSlot("colour", "blue"),
        SetSlot("material", "cotton"),
    )

    assert turn.texts[0] == "Small."
    assert ways(turn, "purchase") == [
        "purchase_0_collect_kind",
        "purchase_1_collect_colour",
        "purchase_2_collect_material",
        "purchase_3_utter_small",
        END,
    ]


async def test_set_slots_and_persisted_slots() -> None:
    chat = Chat("shop")

    turn = await chat.say("levels", StartFlow("levels"))

    assert turn.texts[:2] == ["Level 3.", "Level 4."]
    assert (chat.slots["level"], chat.slots["vip"]) == (4, None)


async def test_slots_that_are_kept_in_the_old_way() -> None:
    chat = Chat("shop")

    await chat.say("keep", StartFlow("keeps"), SetSlot("contact", "ann"), SetSlot("size", 1))

    assert (chat.slots["contact"], chat.slots["size"]) == ("Ann", None)


async def test_an_action_asks_if_the_domain_lists_it() -> None:
    chat = Chat("shop")

    asked = await chat.say("note", StartFlow("note"))
    answered = await chat.say("more", SetSlot("note", {"any": 1}))

    assert asked.texts == ["What else?"]
    assert asked.actions[-2:] == ["action_ask_note", "action_listen"]
    assert answered.texts[0] == "Small."


async def test_rejections_refuse_in_their_order() -> None:
    chat = Chat("bank")
    await chat.say("open", StartFlow("open_account"))

    zero, child, grown = [await chat.say("n", SetSlot("age", age)) for age in (0, 17, 18)]

    assert zero.texts == ["That is no age.", "How old are you?"]
    assert child.texts == ["You have to be of age.", "How old are you?"]
    assert grown.texts == ["Where can I write to you?"]
    step = next(s for s in child.steps if s.decisions and s.flow == "pattern_collect_information")
    assert [(d.condition, d.value) for d in step.decisions] == [("slots.age < 1", False), ("slots.age < 18", True)]
    assert str(step.decisions[0].at).endswith("accounts.yml:8")


async def test_persisted_slots_outlive_the_flow() -> None:
    chat = Chat("bank")

    turn = await chat.say("open", StartFlow("open_account"), SetSlot("age", 20), SetSlot("email", "a@b"))

    assert turn.texts[0] == "Your account is open, Ann."
    assert (chat.slots["email"], chat.slots["age"]) == ("a@b", None)


async def test_a_slot_s_own_rules_come_before_anything_else() -> None:
    """An account number that was said too early is checked at once, and asked for until it is one."""
    chat = Chat("bank")

    wrong = await chat.say("pay ann", StartFlow("pay_somebody"), SetSlot("iban", "nonsense"))
    again = await chat.say("x", SetSlot("iban", "x"))
    right = await chat.say("AT1", SetSlot("iban", "AT1"))

    assert wrong.texts == again.texts == ["That is no account.", "Please give me a real one."]
    assert right.texts == ["Somebody new?"]
    assert chat.slots["iban"] == "AT1"


async def test_a_checking_action_refuses_and_asks_again() -> None:
    """`validate_card` runs on every pass, `action_ask_card` with its buttons asks."""
    chat = Chat("bank")
    asked = await chat.say("block", StartFlow("block_card"))
    refused = await chat.say("debit", SetSlot("card", "debit"))
    done = await chat.say("/SetSlots(card=credit)")

    assert asked.messages[0].buttons == [{"title": "Credit", "payload": "/SetSlots(card=credit)"}]
    assert [c.action for c in asked.calls] == ["action_who_is_it", "validate_card", "action_ask_card"]
    assert refused.texts == ["You have no debit card.", "Which card?"]
    assert done.texts[0] == "Your credit card is blocked."


async def test_back_to_a_question_with_an_empty_slot() -> None:
    """Too much money: the slot is emptied, and the question asked again."""
    chat = Chat("bank")
    await chat.say("send", StartFlow("transfer_money"), SetSlot("recipient", "Bob"))

    much = await chat.say("500", SetSlot("amount", 500))
    less = await chat.say("50", SetSlot("amount", 50))
    done = await chat.say("/SetSlots(confirmed=true)")

    assert much.texts == ["You do not have that much.", "How much?"]
    assert less.texts == ["Send 50.0 to Bob?"]
    assert done.texts[0] == "Sent."


async def test_nothing_asks_for_a_slot() -> None:
    """Neither response nor action: the engine cancels the flow, and so does the player, which says why."""
    chat = Chat("shop")

    turn = await chat.say("x", StartFlow("nobody_asks"))

    assert turn.responses == [
        "utter_internal_error_rasa",
        "utter_flow_cancelled_rasa",
        "utter_ask_continue_conversation",
    ]
    assert "has neither utter_ask_missing_question nor action_ask_missing_question" in turn.failures[0].what
    assert chat.stack == ["pattern_completed", "pattern_collect_information"]
