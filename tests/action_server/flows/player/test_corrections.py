"""What a user takes back: corrections, and where the flow goes on from then."""

from __future__ import annotations

from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
from tests.action_server.flows.bots import WHAT_ELSE, Chat


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


async def test_a_slot_that_is_taken_back_is_asked_for_again() -> None:
    """Nothing instead of another value: the flow goes back to the question."""
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    await chat.say("a", SetSlot("first", "a"))

    turn = await chat.say("forget the first", SetSlot("first", None))

    assert turn.texts == ["I have changed first to None.", "First?"]


async def test_a_value_for_the_asked_slot_is_its_answer_though_it_has_one() -> None:
    """Something from outside has set it while the question waits."""
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    chat.player.receive([], {"first": "x"}, {})

    turn = await chat.say("b", SetSlot("first", "b"))

    assert turn.texts == ["Second?"]


async def test_a_correction_of_what_no_step_has_asked_goes_back_to_the_open_question() -> None:
    chat = Chat("plain")
    await chat.say("two", StartFlow("two"))
    chat.player.receive([], {"second": "x"}, {})

    turn = await chat.say("y", SetSlot("second", "y"))

    (started,) = [e for e in turn.events if e.get("flow_id") == "pattern_correction" and e["event"] == "flow_started"]
    frame = started["metadata"]
    assert (frame["reset_flow_id"], frame["reset_step_id"]) == ("two", chat.player.state.stack[0].step_id), frame
