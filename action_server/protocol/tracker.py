"""The conversation an action sees: rasa-sdk's own ``Tracker``, built from a checked call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rasa_sdk import Tracker

from action_server.protocol.calls import Call
from action_server.protocol.jsonable import JsonObject
from action_server.protocol.lazy import LazyCall, Parts
from action_server.protocol.tool_calls import ToolCall, ToolTracker

# The attributes that are decoded when they are first read.
_HEAVY = frozenset({"events", "slots", "latest_message", "active_loop", "stack"})
# The attributes there are, without making those that are not there yet.
_attributes = vars(Tracker)["__dict__"].__get__


def tracker_of(call: Call) -> Tracker:
    """Build the tracker of a call. What the engine left out or sent as null is empty, never missing."""
    if isinstance(call, LazyCall) and (parts := call.parts) is not None:
        return LazyTracker.of(call.sender_id, parts)
    if isinstance(call, ToolCall):
        return ToolTracker.of(call)
    state = call.tracker
    return Tracker(
        call.sender_id,
        state.get("slots") or {},
        state.get("latest_message"),
        state.get("events") or [],
        bool(state.get("paused")),
        state.get("followup_action"),
        # `active_form` is what engines before Rasa 2 called it.
        state.get("active_loop") or state.get("active_form") or {},
        state.get("latest_action_name"),
        state.get("stack"),
        state.get("user_id"),
    )


class LazyTracker(Tracker):
    """A tracker whose large attributes are decoded when something reads them; then it turns into a plain Tracker.

    Reading may raise :class:`action_server.errors.RequestError`: only then it shows what is wrong inside of a part.
    """

    def __init__(self, *args: Any, **fields: Any) -> None:
        raise TypeError("made by LazyTracker.of")

    @classmethod
    def of(cls, sender_id: str, parts: Parts) -> LazyTracker:
        """Make one."""
        tracker: LazyTracker = cls.__new__(cls)
        fields = parts.fields
        attributes = _attributes(tracker)
        attributes["sender_id"] = sender_id
        attributes["followup_action"] = fields.followup_action
        attributes["_paused"] = bool(fields.paused)
        attributes["latest_action_name"] = fields.latest_action_name
        attributes["user_id"] = fields.user_id
        attributes["_parts"] = parts
        return tracker

    def __getattr__(self, name: str) -> Any:
        attributes = _attributes(self)
        parts: Parts | None = attributes.get("_parts")
        if parts is None or name not in _HEAVY:
            if name in attributes:
                # Another thread has decoded the last part in this moment.
                return attributes[name]
            raise AttributeError(f"'Tracker' object has no attribute {name!r}", name=name, obj=self)
        found = attributes.setdefault(name, _value(parts, name))
        if attributes.keys() >= _HEAVY:
            _become_plain(self)
        return found

    # Whoever asks for all attributes at once (vars, copy, pickle, ==) gets a plain tracker's.
    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        attributes: dict[str, Any] = vars(self._plain())
        return attributes

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._plain().__reduce_ex__(protocol)

    def __eq__(self, other: object) -> bool:
        others = other._plain() if isinstance(other, LazyTracker) else other
        return bool(self._plain() == others)

    def slots_to_validate(self) -> dict[str, Any]:
        """Get the slots at the end of the events, reading no more than those."""
        attributes = _attributes(self)
        parts: Parts | None = attributes.get("_parts")
        trailing = None if parts is None or "events" in attributes else parts.trailing_slots()
        if trailing is None:
            found: dict[str, Any] = Tracker.slots_to_validate(self)
            return found
        return {event["name"]: event["value"] for event in trailing}

    def add_slots(self, slots: list[JsonObject]) -> None:
        """Add slots as rasa-sdk does; events that nobody has read yet stay as they came."""
        for event in slots:
            attributes = _attributes(self)
            parts: Parts | None = attributes.get("_parts")
            if parts is None or "events" in attributes:
                Tracker.add_slots(self, [event])
            elif event.get("event") == "slot":
                self.slots[event["name"]] = event["value"]
                parts.add_event(event)

    def _plain(self) -> Tracker:
        """Decode what is left."""
        attributes = _attributes(self)
        for name in _HEAVY - attributes.keys():
            getattr(self, name)
        _become_plain(self)
        return self


def _become_plain(tracker: Tracker) -> None:
    attributes: dict[str, Any] = _attributes(tracker)
    attributes.pop("_parts", None)
    tracker.__class__ = Tracker


def _value(parts: Parts, name: str) -> Any:
    """Return what rasa-sdk's constructor would make of a part."""
    found = parts.value(name)
    if name in ("events", "stack"):
        return found or []
    if name == "active_loop":
        found = found or parts.value("active_form")
    return found if isinstance(found, Mapping) and found else {}
