"""Conversations that leave the path: digressions, corrections, and what nobody understands."""

from __future__ import annotations

import pytest

from action_server.flows.commands.command import (
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    HumanHandoff,
    RepeatBotMessages,
    SearchAndReply,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from action_server.flows.player.trace import Turn
from tests.action_server.flows.bots import Chat

WHAT_ELSE = "Is there something else you need?"


def told(turn: Turn) -> list[tuple[str, str]]:
    return [(e["event"], e["flow_id"]) for e in turn.events if e["event"].startswith("flow_")]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (ChitChat(), "Sorry, I cannot help with that."),
        (SearchAndReply(), "I do not know, and there is nothing I could look it up in."),
        (SkipQuestion(), "I need an answer to this one before we can go on."),
        (HumanHandoff(), "There is nobody I could hand you over to. Is there something I can do?"),
        (CannotHandle(), "Sorry, I did not understand that. Could you say it differently?"),
        (CannotHandle("cannot_handle_chitchat"), "Sorry, I cannot help with that."),
        (CannotHandle("cannot_handle_not_supported"), "Sorry, I cannot help with that."),
        (CannotHandle("cannot_handle_no_relevant_answer"), "I have found no answer to that."),
        (Clarify(("two", "hi")), "Which of these do you mean: two questions or a greeting?"),
        (Clarify(()), "I need to know a little more. What would you like to do?"),
    ],
)
async def test_a_digression_is_answered_and_the_question_asked_again(command: Command, said: str) -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    turn = await chat.say("something else", command)

    assert turn.texts == [said, "First?"]
    assert chat.stack == ["two", "pattern_collect_information"]


@pytest.mark.parametrize("command", [ChitChat(), CannotHandle(), SkipQuestion()])
async def test_a_digression_without_a_flow(command: Command) -> None:
    chat = Chat("plain")

    turn = await chat.say("hm", command)

    assert len(turn.texts) == 1
    assert chat.stack == []


async def test_no_command_at_all_is_not_understood() -> None:
    assert (await Chat("plain").say("hm")).responses == ["utter_ask_rephrase"]


async def test_a_question_repeated_is_asked_once() -> None:
    """What was said is said again; the question comes anyway when the flow goes on."""
    chat = Chat("plain")
    await chat.say("hi", StartFlow("two"), ChitChat())

    turn = await chat.say("again?", RepeatBotMessages())

    assert turn.texts == ["Sorry, I cannot help with that.", "First?"]


async def test_repeating_without_a_flow() -> None:
    chat = Chat("plain")
    await chat.say("hm", ChitChat())

    turn = await chat.say("again?", RepeatBotMessages())

    assert turn.texts == ["Sorry, I cannot help with that."]


async def test_no_more_options_than_the_slot_allows() -> None:
    chat = Chat("plain")
    options = Clarify(("two", "hi", "sized", "parent"))

    three = await chat.say("?", options)
    chat.player.set_slots({"max_clarification_options": 2.0})
    two = await chat.say("?", options)

    assert three.texts == ["Which of these do you mean: two questions, a greeting or sizes?"]
    assert two.texts == ["Which of these do you mean: two questions or a greeting?"]
    event = next(e for e in two.events if e["event"] == "flow_started")
    assert event["metadata"]["names"] == ["two questions", "a greeting", "sizes", "parent"]


async def test_one_option_is_no_question() -> None:
    turn = await Chat("plain").say("?", Clarify(("hi", "nothing", "pattern_chitchat")))

    assert turn.texts == ["Hi.", WHAT_ELSE]


async def test_a_correction_goes_back_and_on() -> None:
    """The corrected slot is set, and the question that waits is asked again."""
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("a", SetSlot("first", "a"))

    turn = await chat.say("no, b", SetSlot("first", "b"))

    assert turn.texts == ["I have changed first to b.", "Second?"]
    assert chat.slots["first"] == "b"
    (frame,) = [f for f in chat.player.state.stack if f.flow_id == "two"]
    assert frame.visited[0] == frame.visited[2]


async def test_a_correction_with_the_answer() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("a", SetSlot("first", "a"))

    turn = await chat.say("no, b, and c", SetSlot("first", "b"), SetSlot("second", "c"))

    assert turn.texts == ["I have changed first to b.", "b c", WHAT_ELSE]


async def test_a_correction_of_what_is_asked_before_filling_asks_again() -> None:
    chat = Chat("shop")
    await chat.say("add", StartFlow("contacts"))
    await chat.say("ann", SetSlot("contact", "ann"))

    turn = await chat.say("no, bob", SetSlot("contact", "Bob"))

    # Only `keeps` collects it without asking always; it is told, and asked for anew.
    assert turn.texts == ["I have changed contact to Bob.", "Whom?"]


async def test_a_correction_in_a_called_flow_and_after_it() -> None:
    """As long as the caller runs, the slots of what it called can be corrected."""
    chat = Chat("bank")
    await chat.say("pay", StartFlow("pay_somebody"), SetSlot("need_new", False), SetSlot("recipient", "Bob"))

    inside = await chat.say("no, Ann", SetSlot("recipient", "Ann"))
    await chat.say("AT1", SetSlot("iban", "AT1"))
    after = await chat.say("no, Eve", SetSlot("recipient", "Eve"))
    caller = await chat.say("new", SetSlot("need_new", True))

    assert inside.texts == ["I have changed recipient to Ann.", "Which account?"]
    assert after.texts == ["I have changed recipient to Eve.", "How much?"]
    assert caller.texts[0] == "I have changed need_new to True."
    assert [f.flow_id for f in chat.player.state.stack if f.is_flow] == ["pay_somebody"]
    assert caller.texts[1].startswith("Added, as one of")


async def test_the_same_value_again_is_no_correction() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("a", SetSlot("first", "a"))

    turn = await chat.say("a", SetSlot("first", "a"))

    assert turn.texts == ["Second?"]


async def test_an_initial_value_is_overwritten_silently() -> None:
    chat = Chat("shop")
    await chat.say("buy", StartFlow("purchase"))

    turn = await chat.say("blue", SetSlot("colour", "blue"))

    assert turn.texts == ["What?"]
    assert chat.slots["colour"] == "blue"


async def test_a_restart() -> None:
    chat = Chat("events")
    await chat.say("name", StartFlow("ask_name"), SetSlot("name", "x"))

    turn = await chat.say("/restart")

    assert turn.texts == ["Anew."]
    assert chat.slots["name"] is None
    assert chat.stack == []


async def test_a_silent_user() -> None:
    """The three stages of the voice pattern, by the intent engines send."""
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    turns = [await chat.say("/silence_timeout") for _ in range(3)]

    assert turns[0].texts == ["First?"]
    assert turns[1].texts == ["Are you still there?", "First?"]
    assert turns[2].texts == ["I hear nothing from you, so I am going to hang up."]
    assert turns[2].has_ended


async def test_a_slot_that_is_taken_back_is_asked_for_again() -> None:
    """Nothing instead of another value: the flow goes back to the question."""
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("a", SetSlot("first", "a"))

    turn = await chat.say("forget the first", SetSlot("first", None))

    assert turn.texts == ["I have changed first to None.", "First?"]


async def test_an_empty_message_is_told_and_the_question_asked_again() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    assert (await chat.say("  ")).texts == ["Your message is empty. What can I do for you?", "First?"]
    assert (await Chat("plain").say("")).responses == ["utter_user_input_empty_error_rasa"]
