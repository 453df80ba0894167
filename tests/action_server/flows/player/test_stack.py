"""The stack: its frames, and the patches by which events tell how it changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from action_server.flows.commands.command import (
    SetSlot,
    StartFlow,
)
from action_server.flows.player.stack import Frame, Stack, apply_patch, frame_from, patch_between
from tests.action_server.flows.bots import sent_by


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
                built = apply_patch(built, event["update"])
        assert built == call["tracker"]["stack"]
    assert max(len(call["tracker"]["stack"]) for call in sent) >= 3


@pytest.mark.parametrize("update", ["[", "{}", '[{"op": "remove", "path": "/9"}]', '[{"op": "add"}]', "[1]", "null"])
def test_patches_that_do_not_fit(update: str) -> None:
    if update == "{}":
        assert apply_patch([], update) == []
        return
    with pytest.raises(ValueError, match=r"does not fit the stack|Expecting|delimiter"):
        apply_patch([{"frame_id": "a"}], update)


def test_patches_of_all_kinds() -> None:
    old: list[dict[str, Any]] = [{"frame_id": "A", "x": 1, "y": 2}, {"frame_id": "B"}, {"frame_id": "C"}]
    new: list[dict[str, Any]] = [{"frame_id": "A", "x": 3, "z": 4}, {"frame_id": "D"}]

    assert apply_patch(old, patch_between(old, new)) == new
    assert apply_patch(new, patch_between(new, old)) == old
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


def test_the_question_that_waits_is_the_one_on_top() -> None:
    """What is asked or checked names the slot; a flow on top asks nothing."""
    flow = Frame("1", "book")
    collect = Frame("2", "pattern_collect_information", kind="pattern_collect_information", context={"collect": "age"})
    validate = Frame("3", "pattern_validate_slot", kind="pattern_validate_slot", context={"validate": "iban"})

    assert (Stack([flow]).asking, Stack([flow]).asked_slot) == (None, "")
    assert (Stack([flow, collect]).asking, Stack([flow, collect]).asked_slot) == (collect, "age")
    assert Stack([flow, validate]).asked_slot == "iban"


def test_a_question_of_a_pattern_sees_the_pattern_s_context() -> None:
    """Which goes first, as that of the flow does that asks."""
    pattern = Frame("1", "pattern_completed", kind="pattern_completed", context={"previous_flow_name": "book", "a": 1})
    collect = Frame(
        "2", "pattern_collect_information", kind="pattern_collect_information", context={"collect": "more", "a": 2}
    )

    context = Stack([pattern, collect]).context_of(collect)
    assert (context["previous_flow_name"], context["collect"], context["a"]) == ("book", "more", 1)
    asking = Stack([Frame("0", "book"), collect]).context_of(collect)
    assert (asking["flow_id"], asking["collect"]) == ("book", "more")
    assert Stack().context_of(None) == {}


def test_a_pattern_below_a_flow_waits_for_no_answer() -> None:
    """What it asked is not what the user answers (rasa-pro 3.21.0, read)."""
    asking = Frame("A", "pattern_completed", kind="pattern_completed")

    assert Stack([asking]).open_pattern("pattern_completed") is asking
    assert Stack([asking, Frame("B", "flow")]).open_pattern("pattern_completed") is None


def test_what_a_flow_links_to_belongs_to_it() -> None:
    """Up to the next flow that somebody started (rasa-pro 3.21.0, read)."""
    first, linked, other = Frame("A", "a"), Frame("B", "b", frame_type="link"), Frame("C", "c", frame_type="interrupt")

    assert Stack([first, linked, other]).standalone_group("a") == [first, linked]
