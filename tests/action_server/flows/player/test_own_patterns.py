"""A project's own patterns take the place of the engine's."""

from __future__ import annotations

import pytest

from action_server.flows.commands.command import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    HumanHandoff,
    SearchAndReply,
    SetSlot,
    StartFlow,
)
from tests.action_server.flows.bots import Chat


async def test_a_completed_pattern_that_looks_at_the_flow() -> None:
    chat = Chat("repair")

    short = await chat.say("short", StartFlow("short"))
    asking = await chat.say("ask", StartFlow("asking"), SetSlot("sure", True))

    assert short.texts == ["The other one.", "Done with the short one."]
    assert asking.texts == []


async def test_an_interrupted_flow_that_goes_on_without_asking() -> None:
    chat = Chat("repair")
    await chat.say("long", StartFlow("long"))

    turn = await chat.say("short", StartFlow("short"))

    assert turn.texts == ["The other one.", "Back to the long one.", "First?"]


@pytest.mark.parametrize(
    ("flow", "said"),
    [("long", ["Done with the long one."]), ("asking", ["You stopped the short one."])],
)
async def test_a_cancel_pattern_that_looks_at_the_flow(flow: str, said: list[str]) -> None:
    chat = Chat("repair")
    await chat.say("start", StartFlow(flow))

    turn = await chat.say("stop", CancelFlow())

    assert turn.texts == said


@pytest.mark.parametrize(("sure", "said"), [(True, "I have changed first to b."), (False, "Nothing changed.")])
async def test_a_correction_that_is_confirmed_first(sure: bool, said: str) -> None:
    chat = Chat("repair")
    await chat.say("long", StartFlow("long"))
    await chat.say("a", SetSlot("first", "a"))

    asked = await chat.say("no, b", SetSlot("first", "b"))
    answered = await chat.say("hm", SetSlot("confirm_slot_correction", sure))

    assert asked.texts == ["Really change first?"]
    assert answered.texts == [said, "Second?"]
    assert chat.slots["first"] == ("b" if sure else "a")


@pytest.mark.parametrize(("wanted", "said"), [(True, "Somebody comes."), (False, "You stay with me.")])
async def test_a_handoff_that_asks_first(wanted: bool, said: str) -> None:
    chat = Chat("repair")
    await chat.say("long", StartFlow("long"))

    asked = await chat.say("a person!", HumanHandoff())
    answered = await chat.say("hm", SetSlot("to_a_person", wanted))

    assert asked.texts == ["To a person?"]
    assert answered.texts == [said, "First?"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (ChitChat(), "Nice weather."),
        (SearchAndReply(), "It is in the book."),
        (CannotHandle("cannot_handle_not_supported"), "Nice weather."),
        (CannotHandle("cannot_handle_flow"), "The other one."),
    ],
)
async def test_other_patterns_of_the_project_s_own(command: Command, said: str) -> None:
    """A pattern may link to another pattern and to a flow."""
    turn = await Chat("repair").say("x", command)

    assert turn.texts[0] == said


async def test_a_clarification_that_gives_up() -> None:
    chat = Chat("repair")

    first = await chat.say("?", Clarify(("long", "short")))
    second = await chat.say("?", Clarify(("long", "short")))

    assert first.texts == ["Which of these do you mean: the long one or the short one?"]
    assert second.texts == ["To a person?"]


async def test_the_bot_begins() -> None:
    assert (await Chat("repair").say("/session_start")).texts == ["Good day."]
