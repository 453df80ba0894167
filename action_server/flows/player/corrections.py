"""Corrections: what a user takes back, and where the flow goes on from then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from action_server.flows.player.frames import Frames
from action_server.flows.player.stack import Frame, Stack
from action_server.flows.player.state import State
from action_server.project.flows import CallStep, CollectStep, Flow, scoped_slots, with_called


def is_correction(state: State, flows: Mapping[str, Flow], name: str, value: Any) -> bool:
    """Tell a slot that has been filled in a flow that runs from one that is filled for the first time."""
    current = state.slots.get(name)
    if current is None or current == value or current == state.initial_value(name):
        return False
    if state.stack.asked_slot == name:
        return False
    # Interrupted flows count as well.
    running = [flows[frame.flow_id] for frame in state.stack if frame.is_flow and frame.flow_id in flows]
    return any(step.collect == name for flow in running for f in with_called(flow, flows) for step in f.collects)


def correction_frame(frames: Frames, corrected: Mapping[str, Any], filled_by: str) -> Frame:
    """Make the frame of pattern_correction for slots with their new values. ``filled_by`` is who found them."""
    target, step = _reset_target(frames, corrected)
    return frames.make(
        "pattern_correction",
        is_reset_only=_is_reset_only(frames, corrected),
        corrected_slots={name: {"value": value, "filled_by": filled_by} for name, value in corrected.items()},
        new_slot_values=list(corrected.values()),
        reset_flow_id=target.flow_id if target else None,
        reset_step_id=step or None,
    )


def _is_reset_only(frames: Frames, corrected: Mapping[str, Any]) -> bool:
    """Tell whether all these slots are asked for again anyway, so that the new values are not worth a word."""
    steps = [s for flow in frames.flows.values() for s in flow.collects if s.collect in corrected]
    return bool(steps) and all(step.ask_before_filling for step in steps)


def _reset_target(frames: Frames, corrected: Mapping[str, Any]) -> tuple[Frame | None, str]:
    """Return the frame to reset, and the first of its steps that a corrected slot has to do with."""
    stack = frames.stack
    active = stack.active
    root = stack.root_of(active) if active else None
    for frame in stack.group(root) if root else ():
        if not frame.is_flow or frame.flow_id not in frames.flows:
            continue
        child = stack.group(root)[-1] if root else frame
        is_inside = _runs_called_flow(stack, frame, child)
        step = _first_affected_step(frames.flows, frame, corrected, is_inside=is_inside)
        if step:
            return frame, step
    return None, ""


def _first_affected_step(
    flows: Mapping[str, Flow], frame: Frame, corrected: Mapping[str, Any], *, is_inside: bool
) -> str:
    flow = flows[frame.flow_id]
    for number, step_id in enumerate(frame.visited):
        step = flow.step(step_id)
        if isinstance(step, CollectStep) and step.collect in corrected:
            return step_id
        # A called flow that still runs is reset itself.
        runs = is_inside and number == len(frame.visited) - 1
        if isinstance(step, CallStep) and step.call in flows and not runs:
            called = flows[step.call]
            if set(scoped_slots(called, flows)) & set(corrected):
                return step_id
    return ""


def _runs_called_flow(stack: Stack, frame: Frame, top: Frame) -> bool:
    above = stack[stack.index(frame) + 1 :]
    return any(f.is_flow and f.frame_type == "call" for f in above) and top is not frame
