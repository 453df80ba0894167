"""The requests are those of an engine, and the view is what there is to understand a message by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from action_server.errors import ScriptEndedError
from action_server.flows.commands.port import (
    CannotHandle,
    Clarify,
    Command,
    FlowView,
    SearchAndReply,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from action_server.flows.commands.scripted import Scripted
from action_server.flows.player.buttons import read_payload
from action_server.flows.player.payload import command_as_json, digest_of
from action_server.flows.player.stack import Frame, Stack, frame_from, patch_between, patched
from tests.action_server.flows.bots import NOON, Chat, Recording, read, webhook

CAPTURED = Path(__file__).parents[3] / "contract" / "payloads" / "calm_constructed"


async def sent_by(name: str, *turns: tuple[str, tuple[Command, ...]]) -> list[dict[str, Any]]:
    hook = Recording(webhook())
    chat = Chat(name, webhook=hook)
    for message, commands in turns:
        await chat.say(message, *commands)
    return hook.sent


async def test_a_request_has_what_an_engine_s_has() -> None:
    """Key by key as in the request constructed from the documentation."""
    (path,) = CAPTURED.glob("*retry_with_domain.json")
    expected = json.loads(path.read_text())["request_body"]

    sent = await sent_by("bank", ("block", (StartFlow("block_card"), SetSlot("card", "credit"))))
    call = next(c for c in sent if c["next_action"] == "validate_card")

    assert set(call) | {"domain"} == set(expected)
    assert set(call["tracker"]) == set(expected["tracker"])
    assert set(call["tracker"]["latest_message"]) == set(expected["tracker"]["latest_message"])
    assert [set(frame) for frame in call["tracker"]["stack"]] == [set(f) for f in expected["tracker"]["stack"]]
    kinds = {e["event"]: e for e in expected["tracker"]["events"]}
    for event in call["tracker"]["events"]:
        if event["event"] in kinds:
            assert set(event) <= {*kinds[event["event"]], "metadata"}
    assert call["version"] == expected["version"]
    assert len(call["domain_digest"]) == 32


async def test_what_a_request_says() -> None:
    sent = await sent_by("bank", ("block", (StartFlow("block_card"), SetSlot("card", "CREDIT"))))
    tracker = next(c for c in sent if c["next_action"] == "validate_card")["tracker"]

    assert tracker["slots"]["card"] == "credit"
    assert {"flow_hashes", "session_started_metadata", "csat_score"} < set(tracker["slots"])
    assert tracker["latest_message"]["commands"] == [
        {"flow": "block_card", "command": "start flow"},
        {"name": "card", "value": "CREDIT", "extractor": "LLM", "command": "set slot"},
    ]
    assert tracker["latest_action_name"] == "action_run_slot_rejections"
    bottom, top = tracker["stack"]
    assert (bottom["flow_id"], bottom["step_id"], bottom["frame_type"], bottom["type"]) == (
        "block_card",
        "block_card_0_collect_card",
        "regular",
        "flow",
    )
    assert (top["type"], top["collect"], top["utter"], top["collect_action"]) == (
        "pattern_collect_information",
        "card",
        "utter_ask_card",
        "action_ask_card",
    )
    assert top["step_id"] == "pattern_collect_information_1_validate_{{context.collect}}"
    assert tracker["events"][0]["timestamp"] == NOON
    assert tracker["latest_event_time"] == tracker["events"][-1]["timestamp"]


async def test_the_stack_s_events_build_the_stack() -> None:
    """Applied one after the other, the patches in the events give the stack of the request."""
    turns = (
        ("pay", (StartFlow("pay_somebody"), SetSlot("need_new", True))),
        ("bob", (SetSlot("recipient", "Bob"),)),
        ("balance", (StartFlow("check_balance"),)),
        ("yes", (SetSlot("continue_interrupted_flow_confirmation", True),)),
        ("AT1", (SetSlot("iban", "AT1"),)),
    )
    sent = await sent_by("bank", *turns)

    for call in sent:
        built: list[dict[str, Any]] = []
        for event in call["tracker"]["events"]:
            if event["event"] == "session_started":
                built = []
            elif event["event"] == "stack":
                built = patched(built, event["update"])
        assert built == call["tracker"]["stack"]
    assert max(len(call["tracker"]["stack"]) for call in sent) >= 3


@pytest.mark.parametrize("update", ["[", "{}", '[{"op": "remove", "path": "/9"}]', '[{"op": "add"}]', "[1]", "null"])
def test_patches_that_do_not_fit(update: str) -> None:
    if update == "{}":
        assert patched([], update) == []
        return
    with pytest.raises(ValueError, match=r"does not fit the stack|Expecting|delimiter"):
        patched([{"frame_id": "a"}], update)


def test_patches_of_all_kinds() -> None:
    old: list[dict[str, Any]] = [{"frame_id": "A", "x": 1, "y": 2}, {"frame_id": "B"}, {"frame_id": "C"}]
    new: list[dict[str, Any]] = [{"frame_id": "A", "x": 3, "z": 4}, {"frame_id": "D"}]

    assert patched(old, patch_between(old, new)) == new
    assert patched(new, patch_between(new, old)) == old
    assert json.loads(patch_between(old, old)) == []


def test_frames_and_their_groups() -> None:
    stack = Stack(
        [
            Frame("1", "a"),
            Frame("2", "b", frame_type="call"),
            Frame("3", "pattern_collect_information", kind="pattern_collect_information", context={"collect": "s"}),
            Frame("4", "c", frame_type="interrupt"),
        ]
    )

    assert [f.flow_id for f in stack.roots] == ["a", "c"]
    assert [f.frame_id for f in stack.group(stack[0])] == ["1", "2", "3"]
    assert stack.root_of(stack[2]) is stack[0]
    assert stack.active is stack[3]
    assert [frame_from(f).as_json() for f in stack.as_json()] == stack.as_json()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Clarify(("a", "b")), {"command": "clarify", "options": ["a", "b"]}),
        (CannotHandle(), {"command": "cannot handle", "reason": "default"}),
        (SearchAndReply(), {"command": "knowledge"}),
        (SkipQuestion(), {"command": "skip question"}),
    ],
)
def test_commands_in_the_engine_s_words(command: Command, expected: dict[str, Any]) -> None:
    assert command_as_json(command) == expected


def test_a_digest_is_the_domain_s() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 1})


PAYLOADS = [
    ("/SetSlots(a=1)", (SetSlot("a", "1"),)),
    ("/SetSlots(a=x y, b='z')", (SetSlot("a", "x y"), SetSlot("b", "z"))),
    (" /SetSlots(a = 2026-12-01T10:00 ) ", (SetSlot("a", "2026-12-01T10:00"),)),
    ("/SetSlots()", ()),
    ("/SetSlots(" + ",".join(f"s{i}=1" for i in range(12)) + ")", tuple(SetSlot(f"s{i}", "1") for i in range(10))),
    ("/StartFlow(block_card)", (StartFlow("block_card"),)),
    ("/greet", (StartFlow("hello"),)),
    ('/good_day{"language": "French"}', (StartFlow("hello"), SetSlot("language", "French"))),
    ('/good_day{{"language": ["French", "x"]}}', (StartFlow("hello"), SetSlot("language", "French"))),
    ("/good_day{nonsense}", (StartFlow("hello"),)),
    ("/feel_great", ()),
    ("/setslots(a=1)", ()),
]


@pytest.mark.parametrize(("message", "commands"), PAYLOADS)
def test_payloads(message: str, commands: tuple[Command, ...]) -> None:
    project = read("bank")
    found = read_payload(message, project.all_flows, project.domain)

    assert (found.commands if found else ()) == commands


@pytest.mark.parametrize("message", ["hello", "a /SetSlots(a=1)", "/", "/ a", "//"])
def test_words_are_no_payload(message: str) -> None:
    found = read_payload(message, {}, read("bank").domain)

    assert found is None or found.commands == ()


def test_an_intent_fills_a_slot_while_its_flow_is_active() -> None:
    project = read("bank")
    found = read_payload("/feel_great", project.all_flows, project.domain, "hello")

    assert found is not None
    assert found.commands == (SetSlot("mood", "great"),)


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


async def test_a_script_gives_its_turns_in_order() -> None:
    """Words that have commands of their own go first; a turn without commands is not understood."""
    chat = Chat("plain")
    script = Scripted([[StartFlow("two")], []], by_message={"my name": [SetSlot("first", "x")]})

    texts = [(await chat.player.say(text, script)).texts for text in ("go", "my name", "hm")]

    assert texts == [
        ["First?"],
        ["Second?"],
        ["Sorry, I did not understand that. Could you say it differently?", "Second?"],
    ]
    with pytest.raises(ScriptEndedError, match="no commands for the message 'more'"):
        await chat.player.say("more", script)


async def test_a_payload_needs_no_script() -> None:
    turn = await Chat("repair").player.say("/session_start", Scripted())

    assert turn.because == "the message is the intent 'session_start'"


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
