"""Appends events to the tracker, and tells the turn's record of them.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from action_server.flows.player.stack import patch_between
from action_server.flows.player.state import State
from action_server.flows.player.turn_recorder import TurnRecorder
from action_server.protocol.jsonable import JsonObject


class EventLog:
    """The events of a conversation. All that changes its slots goes through here."""

    def __init__(self, state: State, recorder: TurnRecorder) -> None:
        self._state = state
        self._recorder = recorder
        # The stack as the events so far have it.
        self._logged_stack: list[JsonObject] = []

    def emit(self, event: Mapping[str, Any]) -> None:
        """Append an event to the tracker."""
        known = len(self._state.events)
        self._recorder.add_note(self._state.add(event))
        self._recorder.turn.events += self._state.events[known:]
        if event["event"] in ("stack", "restart", "session_started", "routing_session_ended"):
            self._logged_stack = self._state.stack.as_json()

    def set_slot(self, name: str, value: Any, **more: Any) -> None:
        """Set a slot, by an event; ``more`` are further keys of the event."""
        self.emit({"event": "slot", "name": name, "value": value, **more})

    def reset_slot(self, name: str) -> None:
        """Give a slot the value it starts with. Engines append the event even if it has it already."""
        if name not in self._state.slots:
            return
        initial = self._state.initial_value(name)
        if self._state.slots[name] != initial:
            self._recorder.add_note(f"slot {name} goes back to {json.dumps(initial, ensure_ascii=False, default=str)}")
        self.set_slot(name, initial)

    def forget_stack(self) -> None:
        """Take the stack for the one that is told, after a turn was taken back."""
        self._logged_stack = self._state.stack.as_json()

    def emit_stack(self) -> None:
        """Append a `stack` event if the stack has changed since the last one."""
        current = self._state.stack.as_json()
        if current != self._logged_stack:
            update = patch_between(self._logged_stack, current)
            # Not through `emit`: the stack is already what the event makes of it.
            event = {"event": "stack", "timestamp": self._state.now, "update": update}
            self._state.events.append(event)
            self._recorder.turn.events.append(event)
            self._logged_stack = current
