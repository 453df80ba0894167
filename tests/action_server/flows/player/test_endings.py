"""Flows are interrupted, cancelled, gone on with, and followed by the question what else there is."""

from __future__ import annotations

from action_server.flows.commands.command import CancelFlow, SetSlot, StartFlow
from tests.action_server.flows.bots import WHAT_ELSE, Chat, flow_events


async def test_a_cancelled_flow() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("a", SetSlot("first", "a"))

    turn = await chat.say("stop", CancelFlow())

    assert turn.texts == ["All right, I have stopped two questions.", WHAT_ELSE]
    assert ("flow_cancelled", "two") in flow_events(turn)
    # It ends like others, and is told as completed as well.
    assert ("flow_completed", "two") in flow_events(turn)
    assert chat.slots["first"] is None


async def test_cancelling_one_flow_for_another() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    turn = await chat.say("rather that", CancelFlow(), StartFlow("sized"))

    assert turn.texts == ["All right, I have stopped two questions.", "Which size?"]
    # What is stopped ends when its turn comes.
    assert chat.stack == ["two", "pattern_collect_information", "sized", "pattern_collect_information"]


async def test_an_interrupted_flow_is_offered_and_goes_on() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    between = await chat.say("hi", StartFlow("hi"))
    back = await chat.say("yes", SetSlot("continue_interrupted_flow_confirmation", True))

    assert between.texts == ["Hi.", "Shall we go on with two questions?"]
    assert flow_events(between)[:3] == [("flow_interrupted", "two"), ("flow_started", "hi"), ("flow_completed", "hi")]
    assert back.texts == ["First?"]
    assert ("flow_resumed", "two") in flow_events(back)
    assert chat.slots["continue_interrupted_flow_confirmation"] is None


async def test_an_interrupted_flow_is_given_up() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("hi", StartFlow("hi"))

    turn = await chat.say("no", SetSlot("continue_interrupted_flow_confirmation", False))

    assert turn.texts == ["All right, I have stopped two.", WHAT_ELSE]
    assert ("flow_cancelled", "two") in flow_events(turn)


async def test_one_of_several_interrupted_flows_goes_on() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("sizes", StartFlow("sized"))
    asked = await chat.say("hi", StartFlow("hi"))

    turn = await chat.say("the questions", SetSlot("interrupted_flow_to_continue", "two questions"))

    assert asked.texts == ["Hi.", "Which of these shall we go on with: two questions and sizes?"]
    assert turn.texts == ["First?"]
    assert [f.flow_id for f in chat.player.state.stack if f.is_flow] == ["sized", "two"]


async def test_none_of_several_interrupted_flows_goes_on() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("sizes", StartFlow("sized"))
    await chat.say("hi", StartFlow("hi"))

    turn = await chat.say("neither", SetSlot("interrupted_flow_to_continue", "none"))

    assert [pair for pair in flow_events(turn) if pair[0] == "flow_cancelled"] == [
        ("flow_cancelled", "two"),
        ("flow_cancelled", "sized"),
    ]
    assert turn.texts == ["All right, I have stopped two.", "All right, I have stopped sized.", WHAT_ELSE]


async def test_nothing_else() -> None:
    chat = Chat("plain")
    await chat.say("hi", StartFlow("hi"))

    no = await chat.say("no", SetSlot("continue_conversation", False))
    well = await chat.say("/SetSlots(csat_score=unsatisfied)")

    assert no.texts == ["All right. Come back whenever you need me.", "How did this conversation go for you?"]
    assert well.texts == ["Thank you for telling me. I am sorry it did not go well."]
    assert chat.stack == []


async def test_something_else() -> None:
    chat = Chat("plain")
    await chat.say("hi", StartFlow("hi"))

    turn = await chat.say("yes", SetSlot("continue_conversation", True))

    assert turn.texts == ["What else can I do for you?"]
