"""Records a turn while it is played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from action_server.flows.player.stack import Frame
from action_server.flows.player.trace import ActionCall, BotMessage, Decision, Failure, StepTaken, Turn
from action_server.source import Place


class TurnRecorder:
    """The record of the turn that is played. What a step does is recorded with the step and with the turn."""

    def __init__(self) -> None:
        self.turn = Turn("")
        self._steps: dict[str, StepTaken] = {}

    def begin_turn(self, message: str, slots: Mapping[str, Any]) -> None:
        """Begin the record of a turn; ``slots`` are those before it."""
        self.turn = Turn(message, slots_before=dict(slots))
        self._steps = {}

    def add_step(self, frame: Frame, step: StepTaken) -> StepTaken:
        """Record a step of a frame."""
        self.turn.steps.append(step)
        self._steps[frame.frame_id] = step
        return step

    def last_step_of(self, frame: Frame) -> StepTaken | None:
        """Return the step a frame took last in this turn."""
        return self._steps.get(frame.frame_id)

    def add_note(self, sentence: str) -> None:
        """Note something with the step that runs, or with the turn if none does. An empty sentence is none."""
        notes = self.turn.steps[-1].notes if self.turn.steps else self.turn.notes
        if sentence:
            notes.append(sentence)

    def add_failure(self, what: str, at: Place | None = None, frame: Frame | None = None) -> None:
        """Record a failure, with the step of the frame it happened in."""
        flow, step = (frame.flow_id, frame.step_id) if frame else ("", "")
        self.turn.failures.append(Failure(what, at, flow, step))

    def add_decision(self, decision: Decision) -> Decision:
        """Record a condition that is not a branch."""
        if self.turn.steps:
            self.turn.steps[-1].decisions.append(decision)
        return decision

    def add_call(self, call: ActionCall) -> None:
        """Record a call of the action server."""
        self.turn.calls.append(call)
        if self.turn.steps:
            self.turn.steps[-1].call = call

    def add_message(self, message: BotMessage) -> None:
        """Record what the bot said."""
        self.turn.messages.append(message)
        if self.turn.steps:
            self.turn.steps[-1].messages.append(message)
