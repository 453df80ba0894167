"""Flows are interrupted, cancelled, gone on with, and followed by the question what else there is."""

from __future__ import annotations

from action_server.flows.commands.command import CancelFlow, SetSlot, StartFlow
from action_server.flows.player.trace import Turn
from tests.action_server.flows.bots import Chat

WHAT_ELSE = "Is there something else you need?"


def told(turn: Turn) -> list[tuple[str, str]]:
    return [(e["event"], e["flow_id"]) for e in turn.events if e["event"].startswith("flow_")]


async def test_a_cancelled_flow() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("a", SetSlot("first", "a"))

    turn = await chat.say("stop", CancelFlow())

    assert turn.texts == ["All right, I have stopped two questions.", WHAT_ELSE]
    assert ("flow_cancelled", "two") in told(turn)
    assert ("flow_completed", "two") not in told(turn)
    assert chat.slots["first"] is None


async def test_nothing_to_cancel() -> None:
    turn = await Chat("plain").say("stop", CancelFlow())

    assert [i.reason for i in turn.ignored] == ["no flow is active"]
    assert turn.responses == ["utter_ask_rephrase"]


async def test_cancelling_one_flow_for_another() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    turn = await chat.say("rather that", CancelFlow(), StartFlow("sized"))

    assert turn.texts == ["All right, I have stopped two questions.", "Which size?"]
    assert chat.stack == ["sized", "pattern_collect_information"]


async def test_an_interrupted_flow_is_offered_and_goes_on() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))

    between = await chat.say("hi", StartFlow("hi"))
    back = await chat.say("yes", SetSlot("continue_interrupted_flow_confirmation", True))

    assert between.texts == ["Hi.", "Shall we go on with two questions?"]
    assert told(between)[:3] == [("flow_interrupted", "two"), ("flow_started", "hi"), ("flow_completed", "hi")]
    assert back.texts == ["First?"]
    assert ("flow_resumed", "two") in told(back)
    assert chat.slots["continue_interrupted_flow_confirmation"] is None


async def test_an_interrupted_flow_is_given_up() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("hi", StartFlow("hi"))

    turn = await chat.say("no", SetSlot("continue_interrupted_flow_confirmation", False))

    assert turn.texts == [WHAT_ELSE]
    assert ("flow_cancelled", "two") in told(turn)


async def test_one_of_several_interrupted_flows_goes_on() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("sizes", StartFlow("sized"))
    asked = await chat.say("hi", StartFlow("hi"))

    turn = await chat.say("the questions", SetSlot("interrupted_flow_to_continue", "two questions"))

    assert asked.texts == ["Hi.", "Which of these shall we go on with: sizes or two questions?"]
    assert turn.texts == ["First?"]
    assert [f.flow_id for f in chat.player.state.stack if f.is_flow] == ["sized", "two"]


async def test_none_of_several_interrupted_flows_goes_on() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("sizes", StartFlow("sized"))
    await chat.say("hi", StartFlow("hi"))

    turn = await chat.say("neither", SetSlot("interrupted_flow_to_continue", "none"))

    assert [pair for pair in told(turn) if pair[0] == "flow_cancelled"] == [
        ("flow_cancelled", "two"),
        ("flow_cancelled", "sized"),
    ]
    assert turn.texts == [WHAT_ELSE]


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
