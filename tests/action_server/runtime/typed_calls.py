"""Calls typed functions as a server does, for the tests."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from rasa_sdk.executor import CollectingDispatcher

from action_server.runtime.functions import ActionFunction
from action_server.testing import make_tracker


async def play(
    function: ActionFunction[..., Any],
    slots: Mapping[str, object],
    dispatcher: CollectingDispatcher | None = None,
    domain: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Run the action of a function with these slots and return its events."""
    tracker = make_tracker(slots, sender="c")
    run = function.action_class().run(dispatcher or CollectingDispatcher(), tracker, domain or {})
    events: list[dict[str, Any]] = await run if inspect.isawaitable(run) else run
    return events


async def slots_after(function: ActionFunction[..., Any], **slots: object) -> dict[str, object]:
    """Run the action of a function, which sets slots only, and return them."""
    events = await play(function, slots)
    assert {event["event"] for event in events} <= {"slot"}
    return {event["name"]: event["value"] for event in events}
