"""Corrections: what a user takes back, and where the flow goes on from then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from action_server.flows.player.dialogue import Dialogue, scoped_slots
from action_server.flows.player.stack import Frame
from action_server.project.flows import CallStep, CollectStep, Flow, with_called


def is_correction(dialogue: Dialogue, name: str, value: Any) -> bool:
    """Tell a slot that has been filled in the active flow from one that is filled for the first time."""
    current = dialogue.state.slots.get(name)
    if current is None or current == value or current == dialogue.state.initial_value(name):
        return False
    if dialogue.asked_slot == name:
        return False
    active = dialogue.state.stack.active
    root = dialogue.state.stack.root_of(active) if active else None
    flow = dialogue.flows.get(root.flow_id) if root else None
    collected = {s.collect for f in with_called(flow, dialogue.flows) for s in f.collects} if flow else set()
    return name in collected


def correction_frame(dialogue: Dialogue, corrected: Mapping[str, Any]) -> Frame:
    """Make the frame of pattern_correction for slots with their new values."""
    target, step = _where_to(dialogue, corrected)
    return dialogue.frame(
        "pattern_correction",
        is_reset_only=_is_reset_only(dialogue, corrected),
        corrected_slots=dict(corrected),
        new_slot_values=list(corrected.values()),
        reset_flow_id=target.flow_id if target else None,
        reset_step_id=step or None,
    )


def _is_reset_only(dialogue: Dialogue, corrected: Mapping[str, Any]) -> bool:
    """Tell whether all these slots are asked for again anyway, so that the new values are not worth a word."""
    steps = [s for flow in dialogue.flows.values() for s in flow.collects if s.collect in corrected]
    return bool(steps) and all(step.ask_before_filling for step in steps)


def _where_to(dialogue: Dialogue, corrected: Mapping[str, Any]) -> tuple[Frame | None, str]:
    """Return the frame to reset, and the first of its steps that a corrected slot has to do with."""
    stack = dialogue.state.stack
    active = stack.active
    root = stack.root_of(active) if active else None
    for frame in stack.group(root) if root else ():
        flow = dialogue.flows.get(frame.flow_id)
        if not frame.is_flow or flow is None:
            continue
        child = stack.group(root)[-1] if root else frame
        step = _first(dialogue, flow, frame, corrected, is_inside=_calls_on(dialogue, frame, child))
        if step:
            return frame, step
    return None, ""


def _first(dialogue: Dialogue, flow: Flow, frame: Frame, corrected: Mapping[str, Any], *, is_inside: bool) -> str:
    for number, step_id in enumerate(frame.visited):
        step = flow.step(step_id)
        if isinstance(step, CollectStep) and step.collect in corrected:
            return step_id
        # A called flow that still runs is reset itself.
        runs = is_inside and number == len(frame.visited) - 1
        if isinstance(step, CallStep) and step.call in dialogue.flows and not runs:
            called = dialogue.flows[step.call]
            if set(scoped_slots(called, dialogue.flows)) & set(corrected):
                return step_id
    return ""


def _calls_on(dialogue: Dialogue, frame: Frame, top: Frame) -> bool:
    stack = dialogue.state.stack
    above = stack[stack.index(frame) + 1 :]
    return any(f.is_flow and f.frame_type == "call" for f in above) and top is not frame
