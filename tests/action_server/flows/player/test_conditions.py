"""Conditions are evaluated over the slots and the context of a frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.player.trace import StepTaken
from action_server.project.flows import Condition
from action_server.source import Place
from tests.action_server.flows.player.playing import dialogue_of


def condition(text: str) -> Condition:
    return Condition(text=text, at=Place(file="flows.yml", line=3))


def test_a_condition_sees_slots_and_the_frame_s_context(tmp_path: Path) -> None:
    """The decision has the values that led to it, and the place."""
    dialogue = dialogue_of(tmp_path)
    frame = dialogue.frames.make("pattern_cannot_handle", reason="default")

    decision = dialogue.conditions.evaluate(condition("context.reason = 'default' and not slots.vip"), frame, "END")

    assert (decision.value, decision.led_to, str(decision.at)) == (True, "END", "flows.yml:3")
    assert decision.values == {"context.reason": "default", "slots.vip": False}


def test_a_condition_that_is_no_branch_is_recorded_with_the_step(tmp_path: Path) -> None:
    """A branch is recorded by whoever takes it."""
    dialogue = dialogue_of(tmp_path)
    frame = dialogue.frames.make("book")
    step = dialogue.recorder.add_step(frame, StepTaken("book", "ask", "collect", "collect day"))

    assert not dialogue.conditions.holds(condition("slots.vip"))
    dialogue.conditions.evaluate(condition("slots.day"), frame)

    assert [decision.condition for decision in step.decisions] == ["slots.vip"]


@pytest.mark.parametrize("vip", [True, False])
def test_a_flow_is_startable_if_its_guard_holds(tmp_path: Path, vip: bool) -> None:
    """At the very moment."""
    dialogue = dialogue_of(tmp_path)
    dialogue.events.set_slot("vip", vip)

    assert dialogue.conditions.is_startable(dialogue.flows["book"]) is vip


def test_a_rule_of_a_slot_sees_nothing_else(tmp_path: Path) -> None:
    """Another slot is not there, whatever it holds."""
    dialogue = dialogue_of(tmp_path)
    dialogue.events.set_slot("vip", True)

    assert not dialogue.conditions.evaluate_rejection(condition("slots.vip"), "day", "Monday").value
    assert dialogue.conditions.evaluate_rejection(condition("slots.day = 'Monday'"), "day", "Monday").value
