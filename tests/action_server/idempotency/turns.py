"""Calls of one conversation, as an engine sends them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from action_server.protocol.calls import Call


def turn(*events: dict[str, Any], action: str = "action_book", sender_id: str = "alice", **tracker: Any) -> Call:
    return Call(action, sender_id, {"sender_id": sender_id, "events": list(events), **tracker})


def said(message_id: str | None = "m-1", at: float | None = 100.0) -> dict[str, Any]:
    return {"event": "user", "timestamp": at, "text": "book it", "message_id": message_id}


def done(action: str, at: float | None = 101.0) -> dict[str, Any]:
    return {"event": "action", "name": action, "timestamp": at}


def with_slots(call: Call | None = None, **slots: Any) -> Call:
    call = call or turn(said())
    return replace(call, tracker={**call.tracker, "slots": slots})
