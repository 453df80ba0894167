"""The tracker: slots, events, the stack, and what each event does to them.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from action_server.flows.player.stack import Frame, Stack, apply_patch, frame_from
from action_server.project.domain import BUILT_IN_SLOTS, LANGUAGE, Domain
from action_server.protocol.jsonable import JsonObject


@dataclass(frozen=True)
class Snapshot:
    """What a conversation was at a moment."""

    events: int
    stack: Sequence[Frame]
    values: Mapping[str, Any]


class State:
    """One conversation. ``clock`` gives seconds since 1970, for the events' timestamps."""

    def __init__(self, domain: Domain, *, sender_id: str, channel: str, clock: Callable[[], float]) -> None:
        self.sender_id = sender_id
        self.channel = channel
        self.domain = domain
        self.events: list[JsonObject] = []
        self.stack = Stack()
        self.slots: dict[str, Any] = {}
        # Those that an event gave a value, null included.
        self.has_been_set: set[str] = set()
        self.latest_message: JsonObject = _no_message()
        self.latest_action = ""
        self.followup = ""
        self.is_paused = False
        self.has_ended = False
        self.active_loop: JsonObject = {}
        self.started: float | None = None
        self._clock = clock
        self._stack_at_message: list[JsonObject] = []
        self.reset_slots()

    def initial_value(self, name: str) -> Any:
        """Return what a slot starts with and goes back to."""
        slot = self.domain.slots.get(name)
        return BUILT_IN_SLOTS.get(name) if slot is None else slot.initial_value

    def reset_slots(self) -> None:
        """Give all slots the values they start with."""
        names = [*self.domain.slots, *BUILT_IN_SLOTS]
        if self.domain.forms:
            names.append("requested_slot")
        self.slots = {name: self.initial_value(name) for name in names}
        self.has_been_set = set()

    def add(self, event: Mapping[str, Any]) -> str:
        """Append an event and let it do what it does. Returns a sentence if it could not do it, otherwise nothing."""
        stamped = {**event}
        stamped["timestamp"] = event.get("timestamp") or self._clock()
        self.events.append(stamped)
        effect = _EFFECTS.get(str(event["event"]))
        return effect(self, stamped) if effect else ""

    @property
    def language(self) -> str:
        """Return the code of the language that is spoken: the slot's value if the settings list it, or nothing."""
        slot, value = self.domain.slots.get(LANGUAGE), self.slots.get(LANGUAGE)
        return str(value) if value and slot is not None and value in slot.values else ""

    @property
    def has_session(self) -> bool:
        """Tell whether a session runs: engines begin no other one before it ends or all is restarted."""
        last = next((e["event"] for e in reversed(self.events) if e["event"] in ("session_started", "restart")), "")
        return last == "session_started" and not self.has_ended

    @property
    def now(self) -> float:
        """Return the time, in seconds since 1970."""
        return self._clock()

    def snapshot(self) -> Snapshot:
        """Return what the conversation is now, to go back to."""
        # Nothing in a slot, and nothing of a message, is changed in place.
        kept = {name: copy.copy(getattr(self, name)) for name in _KEPT}
        return Snapshot(len(self.events), [frame.copy() for frame in self.stack], kept)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to what the conversation was."""
        del self.events[snapshot.events :]
        self.stack[:] = snapshot.stack
        for name, value in snapshot.values.items():
            setattr(self, name, value)

    # What events do. Each returns a sentence if it could not be done.

    def _slot(self, event: JsonObject) -> str:
        name = event["name"]
        if name not in self.slots:
            return f"the domain has no slot {name!r}, so it was not set"
        self.slots[name] = event.get("value")
        self.has_been_set.add(name)
        return ""

    def _reset_slots(self, event: JsonObject) -> str:
        self.reset_slots()
        return ""

    def _restart(self, event: JsonObject) -> str:
        self._begin_anew()
        # The one thing that is left to do.
        self.followup = "action_session_start"
        return ""

    def _begin_anew(self) -> None:
        self.latest_message, self.followup, self.is_paused, self.active_loop = _no_message(), "", False, {}
        self.stack.clear()
        self.reset_slots()

    def _session_started(self, event: JsonObject) -> str:
        # A session begins empty; what is carried over is set again by the events behind this one.
        self._begin_anew()
        self.has_ended = False
        self.started = event["timestamp"] if self.started is None else self.started
        return ""

    def _routing_session_ended(self, event: JsonObject) -> str:
        """Leave nothing but the slots that are shared with the classic part of an assistant, and listen."""
        shared = {name for name, slot in self.domain.slots.items() if slot.shared_for_coexistence}
        kept, were_set = {name: self.slots[name] for name in shared}, self.has_been_set & shared
        self._begin_anew()
        self.slots.update(kept)
        self.has_been_set = were_set
        self.has_ended, self.latest_action, self.followup = False, "", "action_listen"
        return ""

    def _session_ended(self, event: JsonObject) -> str:
        self.has_ended = True
        return ""

    def _followup(self, event: JsonObject) -> str:
        self.followup = event.get("name") or ""
        return ""

    def _pause(self, event: JsonObject) -> str:
        self.is_paused = event["event"] == "pause"
        return ""

    def _active_loop(self, event: JsonObject) -> str:
        name = event.get("name")
        self.active_loop = {"name": name, "is_interrupted": False, "rejected": False} if name else {}
        return ""

    def _user(self, event: JsonObject) -> str:
        self._stack_at_message = self.stack.as_json()
        self.latest_message = event.get("parse_data") or {**_no_message(), "text": event.get("text")}
        return ""

    def _action(self, event: JsonObject) -> str:
        self.latest_action = event.get("name") or self.latest_action
        return ""

    def _stack(self, event: JsonObject) -> str:
        try:
            self.stack[:] = [frame_from(frame) for frame in apply_patch(self.stack.as_json(), event["update"])]
        except ValueError as exc:
            return str(exc)
        return ""

    def _undo(self, event: JsonObject) -> str:
        """Take the last action back."""
        return self._back_to("action")

    def _rewind(self, event: JsonObject) -> str:
        """Take the last message of the user back, and all that followed."""
        problem = self._back_to("user")
        if not problem:
            self.stack[:] = [frame_from(frame) for frame in self._stack_at_message]
        return problem

    def _back_to(self, kind: str) -> str:
        before = len(self.events) - 1
        index = next((i for i in reversed(range(before)) if self.events[i]["event"] == kind), None)
        if index is None:
            return "there is nothing to take back"
        self.reset_slots()
        for event in self.events[:index]:
            if event["event"] in ("slot", "reset_slots"):
                _EFFECTS[event["event"]](self, event)
            elif event["event"] in ("restart", "session_started"):
                self.reset_slots()
        return ""


_KEPT = (
    "slots",
    "has_been_set",
    "latest_message",
    "latest_action",
    "followup",
    "is_paused",
    "has_ended",
    "active_loop",
)


def _no_message() -> JsonObject:
    return {"text": None, "intent": {}, "entities": [], "message_id": None, "metadata": {}}


_EFFECTS: Mapping[str, Callable[[State, JsonObject], str]] = {
    "slot": State._slot,
    "reset_slots": State._reset_slots,
    "restart": State._restart,
    "session_started": State._session_started,
    "session_ended": State._session_ended,
    "routing_session_ended": State._routing_session_ended,
    "followup": State._followup,
    "pause": State._pause,
    "resume": State._pause,
    "active_loop": State._active_loop,
    "form": State._active_loop,
    "user": State._user,
    "action": State._action,
    "stack": State._stack,
    "undo": State._undo,
    "rewind": State._rewind,
}
