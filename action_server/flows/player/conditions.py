"""Evaluates conditions where a conversation stands."""

from __future__ import annotations

from action_server.flows.player.stack import Frame
from action_server.flows.player.state import State
from action_server.flows.player.trace import Decision
from action_server.flows.player.turn_recorder import TurnRecorder
from action_server.project.conditions import errors_of, evaluate
from action_server.project.flows import Condition, Flow


class Conditions:
    """The conditions of a conversation: over its slots, and over the context of a frame."""

    def __init__(self, state: State, recorder: TurnRecorder) -> None:
        self._state = state
        self._recorder = recorder

    def evaluate(self, condition: Condition, frame: Frame | None, led_to: str = "") -> Decision:
        """Evaluate a condition for a frame, None for no context. ``led_to`` is the step a branch leads to."""
        found = evaluate(condition.text, self._state.slots, self._state.stack.context_of(frame))
        return Decision(
            condition.text, found.value, condition.at, found.rendered, found.error, dict(found.values), led_to
        )

    def holds(self, condition: Condition, frame: Frame | None = None) -> bool:
        """Evaluate a condition that is not a branch, and record it with the step that runs."""
        return self._recorder.add_decision(self.evaluate(condition, frame)).value

    def is_startable(self, flow: Flow) -> bool:
        """Tell whether a flow's guard lets it be started by a message."""
        return flow.guard is None or evaluate(flow.guard.text, self._state.slots).value


def is_broken(condition: Condition) -> bool:
    """Tell a condition that can never be evaluated."""
    return bool(errors_of(condition.text))
