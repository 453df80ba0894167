"""Makes the frames of flows and patterns, puts them on the stack, and tells when they start, stop and go on."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Literal

from action_server.flows.player.event_log import EventLog
from action_server.flows.player.stack import QUIET_PATTERNS, Frame, FrameType, Stack
from action_server.project.flows import CollectStep, Flow, scoped_slots

FlowEvent = Literal["flow_completed", "flow_cancelled", "flow_interrupted", "flow_resumed"]


class Frames:
    """The frames of a conversation. ``seed`` decides their ids."""

    def __init__(self, flows: Mapping[str, Flow], stack: Stack, events: EventLog, seed: int) -> None:
        self.flows = flows
        self.stack = stack
        self._events = events
        self._ids = random.Random(f"frames {seed}")  # noqa: S311 - an id is no secret

    def make(self, flow_id: str, frame_type: FrameType = "regular", **context: Any) -> Frame:
        """Make a frame for a flow or, by its id, for a pattern."""
        frame_id = "".join(self._ids.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(8))
        flow = self.flows.get(flow_id)
        kind = flow_id if flow is not None and flow.is_pattern else "flow"
        return Frame(frame_id, flow_id, kind=kind, frame_type=frame_type, context=context)

    def push(self, frame: Frame) -> None:
        """Put a frame on top of the stack, and tell that its flow started."""
        self.stack.append(frame)
        self.emit_started(frame)

    def emit_started(self, frame: Frame) -> None:
        """Append the event that a frame's flow started."""
        if frame.flow_id not in QUIET_PATTERNS:
            event = {"event": "flow_started", "flow_id": frame.flow_id}
            self._events.emit({**event, "metadata": dict(frame.context)} if frame.context else event)

    def emit(self, event: FlowEvent, frame: Frame) -> None:
        """Append an event about a frame's flow."""
        if frame.flow_id not in QUIET_PATTERNS:
            self._events.emit({"event": event, "flow_id": frame.flow_id, "step_id": frame.step_id})

    def name_of(self, frame: Frame) -> str:
        """Return what users are told a frame's flow is called."""
        flow = self.flows.get(frame.flow_id)
        return flow.readable_name if flow else frame.flow_id

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

    def cancel(self, root: Frame) -> None:
        """Take a flow off the stack, with all it called and asked."""
        # What the group does not own lies above it only while it runs: patterns, the one that cancels among them.
        frames = [f for f in self.stack.group(root) if f.is_flow or f.flow_id in QUIET_PATTERNS]
        for frame in frames:
            if frame.is_flow:
                self.emit("flow_cancelled", frame)
        self.reset_slots_of(root)
        self.stack.remove_frames(frames)
