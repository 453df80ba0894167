"""Flows are played as the documentation says: steps, branches, links, calls, guards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from action_server.flows.commands.command import (
    CancelFlow,
    CannotHandle,
    SetSlot,
    StartFlow,
)
from action_server.flows.player.player import Player
from action_server.flows.player.trace import Turn
from action_server.project.places import UnsupportedError
from action_server.project.project_reader import read_project
from tests.action_server.flows.bots import NOON, Chat, sent_by, webhook
from tests.projects import project

ASKED_AGAIN = ["pattern_completed", "pattern_collect_information"]


def ways(turn: Turn, flow: str) -> list[str]:
    return [step.step for step in turn.steps if step.flow == flow and step.kind not in ("resumed",)]


@pytest.mark.parametrize(("size", "said"), [(3, "Small."), (10, "Middle."), (19.5, "Middle."), (20, "Large.")])
async def test_branches_by_number(size: float, said: str) -> None:
    chat = Chat("shop")

    turn = await chat.say("size", StartFlow("by_size"), SetSlot("size", size))

    assert turn.texts[0] == said


async def test_steps_listed_under_next() -> None:
    chat = Chat("shop")

    turn = await chat.say("row", StartFlow("in_a_row"), SetSlot("kind", "42"), SetSlot("size", 1))

    assert turn.texts[0].startswith("42 in any")


async def test_a_loop_with_ask_before_filling() -> None:
    """The question is asked each time, and the action that checks the slot sees each pass."""
    chat = Chat("shop")
    texts = []
    for message, *commands in (
        ("add", StartFlow("contacts")),
        ("ann", SetSlot("contact", "ann")),
        ("yes", SetSlot("more", True)),
        ("bob", SetSlot("contact", "bob")),
        ("no", SetSlot("more", False)),
    ):
        texts.append((await chat.say(message, *commands)).texts)

    assert texts[:4] == [["Whom?"], ["Added Ann.", "More?"], ["Whom?"], ["Added Bob.", "More?"]]
    assert chat.stack == ASKED_AGAIN


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({}, ["Small."]),
        ({"vip": True}, ["Large.", "Small."]),
        ({"loyal": True}, ["Small."]),
        ({"loyal": True, "visits": 6}, ["Middle."]),
    ],
)
async def test_decisions_within_decisions(slots: dict[str, object], said: list[str]) -> None:
    chat = Chat("shop")
    chat.player.set_slots(slots)

    turn = await chat.say("decide", StartFlow("decide"))

    assert turn.texts[: len(said)] == said
    assert turn.texts[len(said) :] == ["Is there something else you need?"]


async def test_a_flow_may_listen_in_the_middle() -> None:
    chat = Chat("shop")

    first = await chat.say("listen", StartFlow("listen"))
    second = await chat.say("and now?", CannotHandle())

    assert first.texts == ["Small."]
    assert second.texts[0].startswith("Sorry, I did not understand")
    assert second.texts[1] == "Large."


async def test_an_action_fills_a_list() -> None:
    chat = Chat("shop")

    turn = await chat.say("items", StartFlow("items"))

    assert turn.texts[0] == "Large."
    assert turn.calls[0].changed_slots == {"items": (None, ["gold", "silver"])}


async def test_a_called_flow_is_part_of_its_caller() -> None:
    """Its slots can be filled before it begins, and are reset with those of the caller."""
    chat = Chat("bank")
    await chat.say("pay", StartFlow("pay_somebody"), SetSlot("recipient", "Bob"), SetSlot("need_new", True))
    frames = [(f.flow_id, f.frame_type) for f in chat.player.state.stack if f.is_flow]

    added = await chat.say("AT1", SetSlot("iban", "AT1"))

    assert frames == [("pay_somebody", "regular"), ("add_recipient", "call"), ("recipient_details", "call")]
    assert added.texts[0].startswith("Added, as one of")
    assert added.texts[1] == "How much?"
    assert (chat.slots["recipient"], chat.slots["iban"]) == ("Bob", "AT1")

    paid = await chat.say("5", SetSlot("amount", 5))

    assert paid.texts == ["Sent.", "How was it?"]
    assert (chat.slots["recipient"], chat.slots["iban"]) == (None, None)


async def test_end_in_a_called_flow_goes_back_to_the_caller() -> None:
    chat = Chat("plain")

    await chat.say("call", StartFlow("parent"))
    turn = await chat.say("a", SetSlot("first", "a"))
    done = await chat.say("b", SetSlot("second", "b"))

    assert turn.texts == ["Second?"]
    assert done.texts[0] == "a b"


async def test_cancelling_in_a_called_flow_cancels_its_caller() -> None:
    chat = Chat("plain")
    await chat.say("call", StartFlow("parent"))

    turn = await chat.say("stop", CancelFlow())

    assert turn.texts[0] == "All right, I have stopped child."
    assert [e["flow_id"] for e in turn.events if e["event"] == "flow_cancelled"] == ["child"]
    assert "parent" not in chat.stack


async def test_a_link_ends_one_flow_and_starts_the_other() -> None:
    chat = Chat("plain")

    turn = await chat.say("chain", StartFlow("chained"), SetSlot("first", "a"))

    assert turn.texts[0] == "Hi."
    told = [(e["event"], e["flow_id"]) for e in turn.events if e["event"].startswith("flow_")]
    assert [pair for pair in told if pair[1] != "pattern_collect_information"] == [
        ("flow_started", "chained"),
        ("flow_completed", "chained"),
        ("flow_started", "hi"),
        ("flow_completed", "hi"),
        ("flow_started", "pattern_completed"),
    ]
    assert chat.slots["first"] is None


async def test_a_link_to_a_pattern() -> None:
    chat = Chat("plain")

    turn = await chat.say("a person", StartFlow("handing_over"))

    assert turn.texts[0].startswith("There is nobody")


async def test_run_pattern_completed_can_be_off() -> None:
    chat = Chat("bank")
    chat.player.set_slots({"amount": 1})
    details = (SetSlot("need_new", False), SetSlot("recipient", "B"), SetSlot("iban", "AT1"), SetSlot("amount", 1))
    await chat.say("pay", StartFlow("pay_somebody"), *details)

    turn = await chat.say("fine", SetSlot("feedback", "fine"))

    assert turn.texts == ["Thank you."]
    assert chat.stack == []


async def test_guards() -> None:
    """A guard keeps a flow from being started by words, not by links, calls and intents."""
    chat = Chat("bank")

    early = await chat.say("offer", StartFlow("premium_offer"))
    # action_who_is_it made it true by now.
    later = await chat.say("offer", StartFlow("premium_offer"))
    never = await chat.say("hello", StartFlow("hello"))
    by_intent = await chat.say("/greet")

    assert [i.reason for i in early.ignored] == [
        "the flow's guard `if: slots.is_premium AND not slots.recipient` does not hold"
    ]
    assert early.responses == ["utter_ask_rephrase"]
    assert later.texts[0] == "Thank you."
    assert never.responses[0] == "utter_ask_rephrase"
    assert by_intent.texts[0] == "Hello in None, you feel None."


async def test_every_turn_actions_run_once_before_the_flows() -> None:
    """Of what they answer, slots and messages count; a follow-up does not."""
    chat = Chat("bank")

    turn = await chat.say("who am I", StartFlow("check_balance"))

    assert turn.texts[:2] == ["(looked up)", "You have 100."]
    assert [c.action for c in turn.calls] == ["action_who_is_it", "action_balance"]
    assert chat.slots["user_name"] == "Ann"
    assert "utter_thanks" not in turn.responses


async def test_no_branch_fits() -> None:
    chat = Chat("shop")

    turn = await chat.say("x", StartFlow("no_branch"))

    assert turn.failures[0].what == "no branch of the step 'no_branch_0_noop' fits, and it has no `else`"
    assert str(turn.failures[0].at).endswith("shop/data/flows.yml:105")
    assert turn.responses == []


async def test_a_flow_without_end_is_stopped_and_named() -> None:
    chat = Chat("shop", most_actions=30)

    turn = await chat.say("x", StartFlow("for_ever"))

    (failure,) = turn.failures
    assert "the turn did not end within 30 actions" in failure.what
    assert "one of for_ever" in failure.what
    assert "two of for_ever" in failure.what
    assert failure.at is not None
    assert failure.at.file.endswith("shop/data/flows.yml")
    assert turn.responses == ["utter_small"] * 30
    # The conversation goes on, as it would with an engine: the flow lies there still.
    assert (await chat.say("items", StartFlow("items"))).texts[0] == "Large."


async def test_steps_that_run_nothing_are_stopped_by_the_pattern_for_errors(tmp_path: Path) -> None:
    """From one action to the next there may be 250 steps: the 250th that runs nothing ends the turn."""
    player = long_flow(tmp_path, {"noop": True}, 300)

    turn = await player.turn("x", [StartFlow("long")])

    assert ["250 steps without an action" in failure.what for failure in turn.failures] == [True]
    assert turn.responses == ["utter_internal_error_rasa", "utter_ask_continue_conversation"]


async def test_a_flow_of_three_hundred_actions_runs_to_its_end(tmp_path: Path) -> None:
    """Each action is a prediction of its own, for which an engine begins to count anew; it allows 1,000 of them."""
    player = long_flow(tmp_path, {"action": "utter_done"}, 300)

    turn = await player.turn("x", [StartFlow("long")])

    assert turn.failures == []
    assert turn.responses.count("utter_done") == 301


def long_flow(folder: Path, step: dict[str, Any], count: int) -> Player:
    """Return a player of a flow that has the step so many times."""
    steps = [{**step, "id": f"s{number}", "next": f"s{number + 1}"} for number in range(count)]
    steps += [{"id": f"s{count}", "action": "utter_done"}]
    flows = {"flows": {"long": {"description": "Long.", "steps": steps}}}
    domain = {"responses": {"utter_done": [{"text": "Done."}]}}
    files = {"domain.yml": json.dumps(domain), "data/flows.yml": json.dumps(flows)}
    return Player(read_project(project(folder, files)), webhook(), clock=lambda: NOON)


@pytest.mark.parametrize(
    ("flow", "line", "sentence"),
    [
        ("tool", 177, "the tool 'look_up': no endpoints file names MCP servers"),
        ("agent", 186, "sub agents (a language model each) are played by stubs of a test only"),
        ("searching", 193, "action_back belongs to the policies of classic assistants"),
    ],
)
async def test_what_is_not_played_says_so(flow: str, line: int, sentence: str) -> None:
    chat = Chat("shop", webhook=webhook())

    with pytest.raises(UnsupportedError, match=re.escape(sentence)) as caught:
        await chat.say("x", StartFlow(flow))

    assert caught.value.place is not None
    assert chat.player.last_turn.steps[-1].at == caught.value.place
    assert str(caught.value.place).endswith("shop/data/flows.yml:" + str(line))
    assert str(caught.value).startswith(str(caught.value.place))


async def test_the_same_conversation_is_the_same_twice() -> None:
    """With a seed and a clock, everything an engine would send comes out alike."""
    turns = (
        ("pay", (StartFlow("pay_somebody"),)),
        ("new", (SetSlot("need_new", True),)),
        ("Bob", (SetSlot("recipient", "B"),)),
    )

    assert await sent_by("bank", *turns) == await sent_by("bank", *turns)


async def test_slots_given_beforehand_are_there_when_the_session_begins() -> None:
    chat = Chat("plain")

    unknown = chat.player.set_slots({"first": "a", "nowhere": 1})
    turn = await chat.say("go", StartFlow("two"))

    assert unknown == ["nowhere"]
    assert turn.texts == ["Second?"]
