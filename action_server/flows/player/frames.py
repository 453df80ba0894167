"""Makes the frames of flows and patterns, puts them on the stack, and tells what becomes of them.

What engines do here was read in rasa-pro 3.21.0 (rasa/dialogue_understanding/commands and .../patterns).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Literal

from action_server.flows.player.event_log import EventLog
from action_server.flows.player.stack import Frame, FrameType
from action_server.flows.player.state import State
from action_server.project.flows import CollectStep, Flow, scoped_slots

FlowEvent = Literal["flow_completed", "flow_cancelled", "flow_interrupted", "flow_resumed"]

# A link to any other pattern plays it as a flow.
_HANDOFF = "pattern_human_handoff"


class Frames:
    """The frames of a conversation. ``seed`` decides their ids."""

    def __init__(self, flows: Mapping[str, Flow], state: State, events: EventLog, seed: int) -> None:
        self.flows = flows
        self.stack = state.stack
        self._state = state
        self._events = events
        self._ids = random.Random(f"frames {seed}")  # noqa: S311 - an id is no secret

    def make(self, flow_id: str, frame_type: FrameType = "regular", **context: Any) -> Frame:
        """Make a frame for a flow or, by its id, for a pattern."""
        frame_id = "".join(self._ids.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(8))
        flow = self.flows.get(flow_id)
        is_pattern = flow is not None and flow.is_pattern and (frame_type != "link" or flow_id == _HANDOFF)
        return Frame(frame_id, flow_id, kind=flow_id if is_pattern else "flow", frame_type=frame_type, context=context)

    def push(self, frame: Frame) -> None:
        """Put a frame on top of the stack. Its flow has started once its first step is taken."""
        self.stack.append(frame)

    def link(self, flow_id: str) -> None:
        """Put a flow below the one on top, which links to it and ends."""
        self.stack.insert(len(self.stack) - 1, self.make(flow_id, "link"))

    def start(self, flow_id: str, interrupted: Frame | None) -> None:
        """Put a flow on top that a user or an action starts; ``interrupted`` is the one that waits for it."""
        if interrupted is not None:
            self.emit("flow_interrupted", interrupted)
        self.push(self.make(flow_id, "interrupt" if interrupted is not None else "regular"))

    def emit(self, event: FlowEvent, frame: Frame, step_id: str = "") -> None:
        """Append an event about a frame's flow; ``step_id`` is its step, if it is another than the frame's."""
        self._events.emit({"event": event, "flow_id": frame.flow_id, "step_id": step_id or frame.step_id})

    def name_of(self, frame: Frame, *, translated: bool = True) -> str:
        """Return what users are told a frame's flow is called, in the language that is spoken or without it."""
        flow = self.flows.get(frame.flow_id)
        return flow.name_in(self._state.language if translated else "") if flow else frame.flow_id

    def asking_step(self) -> CollectStep | None:
        """Return the collect step whose question waits for an answer, None if none does."""
        asking = self.stack.asking
        index = self.stack.index(asking) if asking else 0
        below = self.stack[index - 1] if index else None
        flow = self.flows.get(below.flow_id) if below else None
        step = flow.step(below.step_id) if flow and below else None
        return step if isinstance(step, CollectStep) else None

    def reset_slots_of(self, frame: Frame) -> None:
        """Reset what a flow, and those it calls, collected and set, unless it is to persist."""
        flow = self.flows.get(frame.flow_id)
        for name in scoped_slots(flow, self.flows) if flow else ():
            self._events.reset_slot(name)

    def remove_patterns(self) -> None:
        """Take the patterns off the top of the stack: what they asked is answered."""
        while self.stack and not self.stack[-1].is_flow:
            self.emit("flow_completed", self.stack.pop())

    def resume(self, flow_id: str) -> bool:
        """Bring a flow to the top with all that belongs to it. False if it does not run."""
        frames = self.stack.standalone_group(flow_id)
        if frames:
            self.stack.move_to_top(frames)
            self.emit("flow_resumed", frames[0])
        return bool(frames)

    def cancelled_ids(self) -> list[str]:
        """Return the ids of what ends if the user gives up: all from the top to the flow that others did not call."""
        index = next(i for i in reversed(range(len(self.stack))) if self.stack[i].is_root)
        return [frame.frame_id for frame in reversed(self.stack[index:])]

    def wrap_up(self, frame_ids: list[str]) -> None:
        """Let frames end, each in its turn."""
        for frame in self.stack:
            if frame.frame_id in frame_ids:
                frame.wrap_up()
