"""The conversation an action sees: rasa-sdk's own ``Tracker``, built from a checked call."""

from __future__ import annotations

from rasa_sdk import Tracker

from action_server.wire import Call


def tracker_of(call: Call) -> Tracker:
    """Build the tracker of a call. What the engine left out or sent as null is empty, never missing."""
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
