"""Evaluates conditions where a conversation stands.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from typing import Any

from action_server.flows.player.stack import Frame
from action_server.flows.player.state import State
from action_server.flows.player.trace import Decision
from action_server.flows.player.turn_recorder import TurnRecorder
from action_server.project.conditions import Evaluation, evaluate
from action_server.project.flows import Condition, Flow


class Conditions:
    """The conditions of a conversation: over its slots, and over the context of a frame."""

    def __init__(self, state: State, recorder: TurnRecorder) -> None:
        self._state = state
        self._recorder = recorder

    def evaluate(self, condition: Condition, frame: Frame | None, led_to: str = "") -> Decision:
        """Evaluate a condition for a frame, None for no context. ``led_to`` is the step a branch leads to.

        Jinja sees the context only: a slot it looks up raises, in the engine as here.
        """
        context = self._state.stack.context_of(frame)
        found = evaluate(condition.text, self._state.slots, context, template={"context": context})
        return _decision_of(condition, found, led_to)

    def holds(self, condition: Condition) -> bool:
        """Evaluate the condition of a response, and record it with the step that runs.

        It sees slots only, in Jinja as well (rasa-pro 3.21.0, read).
        """
        found = evaluate(condition.text, self._state.slots, template={"slots": self._state.slots})
        return self._recorder.add_decision(_decision_of(condition, found)).value

    def evaluate_rejection(self, condition: Condition, slot: str, value: Any) -> Decision:
        """Evaluate a rule of a slot, which sees that slot and nothing else (rasa-pro 3.21.0, read)."""
        return self._recorder.add_decision(_decision_of(condition, evaluate(condition.text, {slot: value})))

    def is_startable(self, flow: Flow) -> bool:
        """Tell whether a flow's guard lets it be started by a message. Jinja in it is not rendered.

        It sees the context of what is on top; what runs there may start (rasa-pro 3.21.0, read).
        """
        if flow.guard is None:
            return True
        context = self._state.stack.context_of(self._state.stack.top)
        is_active = context.get("flow_id") == flow.id
        return is_active or evaluate(flow.guard.text, self._state.slots, context, is_template=False).value


def _decision_of(condition: Condition, found: Evaluation, led_to: str = "") -> Decision:
    return Decision(
        condition.text,
        found.value,
        condition.at,
        found.rendered,
        found.error,
        dict(found.values),
        led_to,
        found.is_rendered,
    )
