"""Corrections: what a user takes back, and where the flow goes on from then.

What engines do here was read in rasa-pro 3.21.0 (rasa/dialogue_understanding/commands/correct_slots_command.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from action_server.flows.commands.command import SetSlot
from action_server.flows.player.frames import Frames
from action_server.flows.player.stack import Frame, Stack
from action_server.flows.player.state import State
from action_server.project.flows import CallStep, CollectStep, Flow, scoped_slots, with_called


def is_correctable(state: State, name: str) -> bool:
    """Tell a slot that has been given a value from one that waits for its first, or is asked for right now."""
    return name in state.has_been_set and state.slots.get(name) is not None and state.stack.asked_slot != name


def is_collected(stack: Stack, flows: Mapping[str, Flow], name: str) -> bool:
    """Tell whether a flow that runs, interrupted or not, asks for a slot."""
    running = [flows[frame.flow_id] for frame in stack if frame.is_flow and frame.flow_id in flows]
    return any(step.collect == name for flow in running for f in with_called(flow, flows) for step in f.collects)


def correction_frame(frames: Frames, corrected: Sequence[SetSlot], filled_by: str) -> Frame:
    """Make the frame of pattern_correction for slots with their new values, as they were told.

    ``filled_by`` is who found them.
    """
    names = {command.name for command in corrected}
    target, step = _reset_target(frames, names)
    values = {command.name: command.value for command in corrected}
    return frames.make(
        "pattern_correction",
        is_reset_only=_is_reset_only(frames, names),
        corrected_slots={name: {"value": value, "filled_by": filled_by} for name, value in values.items()},
        new_slot_values=list(values.values()),
        reset_flow_id=target.flow_id if target else None,
        reset_step_id=step or None,
    )


def _is_reset_only(frames: Frames, corrected: set[str]) -> bool:
    """Tell whether all these slots are asked for again anyway, so that the new values are not worth a word."""
    steps = [s for flow in frames.flows.values() for s in flow.collects if s.collect in corrected]
    return all(step.ask_before_filling for step in steps)


def _reset_target(frames: Frames, corrected: set[str]) -> tuple[Frame | None, str]:
    """Return the frame to reset, and the first of its steps that a corrected slot has to do with.

    The question that waits for an answer counts as well, if it comes first.
    """
    stack, asked = frames.stack, frames.asking_step()
    asking = stack[-2] if asked is not None else None
    for frame in _frames_of_active(stack):
        if not frame.is_flow or frame.flow_id not in frames.flows:
            continue
        is_inside = any(f.is_flow and f.frame_type == "call" for f in stack[stack.index(frame) + 1 :])
        step = _first_affected_step(frames.flows, frame, corrected, is_inside=is_inside)
        if step and asked is not None and asking is frame:
            return frame, _first_of(frames.flows[frame.flow_id], step, asked.id)
        if step:
            return frame, step
    return (asking, asked.id) if asked is not None else (None, "")


def _frames_of_active(stack: Stack) -> list[Frame]:
    """Return the frames of the flow that stands alone; what it links to is not looked into."""
    active = stack.active_standalone
    return stack.group(active) if active is not None else []


def _first_of(flow: Flow, *ids: str) -> str:
    """Return the id of the step that asks first."""
    order = [step.id for step in flow.collects]
    return min(ids, key=lambda step: order.index(step) if step in order else -1)


def _first_affected_step(flows: Mapping[str, Flow], frame: Frame, corrected: set[str], *, is_inside: bool) -> str:
    flow = flows[frame.flow_id]
    for number, step_id in enumerate(frame.visited):
        step = flow.step(step_id)
        if isinstance(step, CollectStep) and step.collect in corrected:
            return step_id
        # A called flow that still runs is reset itself.
        runs = is_inside and number == len(frame.visited) - 1
        if isinstance(step, CallStep) and step.call in flows and not runs:
            called = flows[step.call]
            if set(scoped_slots(called, flows)) & corrected:
                return step_id
    return ""
