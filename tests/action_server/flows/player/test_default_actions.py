"""The engine's own actions, in its patterns and in flows."""

from __future__ import annotations

import pytest

from action_server.flows.commands.command import (
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    HumanHandoff,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from tests.action_server.flows.bots import WHAT_ELSE, Chat


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (ChitChat(), "Sorry, I cannot help with that."),
        (SkipQuestion(), "I need an answer to this one before we can go on."),
        (HumanHandoff(), "There is nobody I could hand you over to. Is there something I can do?"),
        (CannotHandle(), "Sorry, I did not understand that. Could you say it differently?"),
        (CannotHandle("cannot_handle_chitchat"), "Sorry, I cannot help with that."),
        (CannotHandle("cannot_handle_not_supported"), "Sorry, I cannot help with that."),
        (CannotHandle("cannot_handle_no_relevant_answer"), "I have found no answer to that."),
        (Clarify(("two", "hi")), "Which of these do you mean: a greeting or two questions?"),
        (Clarify(()), "I need to know a little more. What would you like to do?"),
    ],
)
async def test_a_digression_is_answered_and_the_question_asked_again(command: Command, said: str) -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    turn = await chat.say("something else", command)

    assert turn.texts == [said, "First?"]
    assert chat.stack == ["two", "pattern_collect_information"]


@pytest.mark.parametrize("command", [ChitChat(), CannotHandle()])
async def test_a_digression_without_a_flow(command: Command) -> None:
    chat = Chat("plain")

    turn = await chat.say("hm", command)

    assert len(turn.texts) == 1
    assert chat.stack == []


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

    assert three.texts == ["Which of these do you mean: a greeting, parent or sizes?"]
    assert two.texts == ["Which of these do you mean: a greeting or parent?"]
    event = next(e for e in two.events if e["event"] == "flow_started")
    assert event["metadata"]["names"] == ["a greeting", "parent", "sizes", "two questions"]


async def test_one_option_is_no_question() -> None:
    turn = await Chat("plain").say("?", Clarify(("hi", "nothing", "pattern_chitchat")))

    assert turn.texts == ["Hi.", WHAT_ELSE]


async def test_a_restart() -> None:
    chat = Chat("events")
    await chat.say("name", StartFlow("ask_name"), SetSlot("name", "x"))

    turn = await chat.say("/restart")

    # A session begins again, with the project's own action.
    assert turn.texts == ["Anew.", "Session of None"]
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


async def test_the_default_fallback() -> None:
    turn = await Chat("events").say("go", StartFlow("fall_back"))

    assert turn.texts[1] == "Pardon?"


async def test_default_actions_in_flows() -> None:
    chat = Chat("events")
    chat.player.set_slots({"name": "x"})

    clean = await chat.say("go", StartFlow("clean"))
    talk = await chat.say("go", StartFlow("small_talk"))
    routing = await chat.say("go", StartFlow("routing"))

    assert clean.failures == []
    assert talk.texts[0] == "Sorry, I cannot help with that."
    assert routing.failures == []
    assert chat.slots["name"] is None
