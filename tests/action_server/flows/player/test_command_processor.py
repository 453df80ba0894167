"""Commands are executed where they can be, and those that cannot are told with the reason."""

from __future__ import annotations

import pytest

from action_server.flows.commands.command import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Command,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from tests.action_server.flows.bots import Chat


async def test_no_command_at_all_is_not_understood() -> None:
    assert (await Chat("plain").say("hm")).responses == ["utter_ask_rephrase"]


async def test_an_empty_message_is_told_and_the_question_asked_again() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    assert (await chat.say("  ")).texts == ["Your message is empty. What can I do for you?", "First?"]
    assert (await Chat("plain").say("")).responses == ["utter_user_input_empty_error_rasa"]


@pytest.mark.parametrize("command", [StartFlow("check_balance"), CancelFlow(), ChitChat(), SkipQuestion()])
async def test_force_slot_filling_takes_nothing_but_the_answer(command: Command) -> None:
    chat = Chat("bank")
    details = (SetSlot("need_new", False), SetSlot("recipient", "B"), SetSlot("iban", "AT1"), SetSlot("amount", 1))
    await chat.say("pay", StartFlow("pay_somebody"), *details)

    turn = await chat.say("what do I have?", command)

    assert turn.texts == ["Sorry, I did not understand that. Could you say it differently?", "How was it?"]
    assert [i.reason for i in turn.ignored] == ["feedback is asked for with force_slot_filling"]


async def test_words_do_not_fill_controlled_slots() -> None:
    chat = Chat("shop")

    by_words = await chat.say("vip", StartFlow("purchase"), SetSlot("vip", True))
    by_button = await chat.say("/SetSlots(vip=true)")

    assert by_words.ignored[0].reason.startswith("'vip' is controlled")
    assert by_button.ignored[0].reason == "no flow that is active or starts collects 'vip', or it asks before filling"


async def test_slots_of_no_running_flow_are_not_filled() -> None:
    chat = Chat("plain")

    turn = await chat.say("a", SetSlot("first", "a"), SetSlot("nowhere", 1))

    assert [i.reason for i in turn.ignored if isinstance(i.command, SetSlot)] == [
        "the domain has no slot 'nowhere'",
        "no flow that is active or starts collects 'first', or it asks before filling",
    ]
    assert turn.responses == []


@pytest.mark.parametrize("commands", [(), (CannotHandle(),)])
async def test_a_slot_that_takes_the_whole_message(commands: tuple[Command, ...]) -> None:
    chat = Chat("plain")
    await chat.say("words", StartFlow("in_words"))

    turn = await chat.say("just like that", *commands)
    other = await chat.say("again", StartFlow("in_words"))
    digressed = await chat.say("nice weather", ChitChat())

    assert turn.texts[0] == "You said: just like that"
    assert other.texts == ["In your words?"]
    assert digressed.texts == ["Sorry, I cannot help with that.", "In your words?"]


async def test_nothing_to_cancel() -> None:
    turn = await Chat("plain").say("stop", CancelFlow())

    assert [i.reason for i in turn.ignored] == ["no flow is active"]
    assert turn.responses == ["utter_ask_rephrase"]


async def test_asking_for_an_interrupted_flow_brings_it_back() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("sizes", StartFlow("sized"))

    turn = await chat.say("the questions again", StartFlow("two"))

    assert turn.texts == ["First?"]
    assert [f.flow_id for f in chat.player.state.stack if f.is_flow] == ["sized", "two"]


async def test_starting_what_runs_changes_nothing() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    turn = await chat.say("two", StartFlow("two"), SetSlot("first", "a"))

    assert [i.reason for i in turn.ignored] == ["the flow 'two' runs already"]
    assert turn.texts == ["Second?"]


async def test_two_flows_at_once_run_one_after_the_other() -> None:
    chat = Chat("plain")

    turn = await chat.say("hi, and two", StartFlow("hi"), StartFlow("two"))

    assert turn.texts == ["Hi.", "First?"]


async def test_a_new_flow_answers_the_question_what_else() -> None:
    chat = Chat("plain")
    await chat.say("hi", StartFlow("hi"))

    turn = await chat.say("two", StartFlow("two"))

    assert turn.texts == ["First?"]
    assert chat.stack == ["two", "pattern_collect_information"]
