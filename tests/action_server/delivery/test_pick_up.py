"""The action that says what is ready: in a tool's call as well, and with words of one's own where nothing is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from action_server import ActionJobResult
from action_server.delivery.store import Kept
from action_server.errors import JobError
from action_server.protocol.tool_calls import ToolCall
from action_server.protocol.tracker import tracker_of
from action_server.runtime.engine_call import engine_call
from action_server.runtime.services import Services, use_services
from tests.action_server.delivery.delivery_fixtures import Opening

pytest_plugins = ["tests.databases", "tests.action_server.delivery.delivery_fixtures"]


class Result(ActionJobResult):
    """Says so if there is nothing."""

    async def nothing_yet(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Say that there is nothing."""
        dispatcher.utter_message(text="Not yet.")
        return []


async def answered(store: object, tracker: Tracker) -> list[str]:
    """What the action says."""
    opened = Services(None, asyncio.get_running_loop())
    opened.deliveries = store
    dispatcher = CollectingDispatcher()
    with use_services(opened):
        await Result().run(dispatcher, tracker, {})
    return [message["text"] for message in dispatcher.messages]


async def test_a_tool_hears_it_on_every_call(opened: Opening) -> None:
    """It has no history by which it would be known what it heard, and is not reproached with looking for one."""
    store = opened().store
    call = ToolCall("action_job_result", "ann", {"slots": {}})
    token = engine_call.set(call)
    try:
        assert await answered(store, tracker_of(call)) == ["Not yet."]
        await store.keep(Kept("a1", ["Two."], {}), "ann")
        assert await answered(store, tracker_of(call)) == ["Two."]
        assert await answered(store, tracker_of(call)) == ["Two."]
    finally:
        engine_call.reset(token)
    assert call.missed == set()


async def test_without_jobs_there_is_nothing_to_pick_up() -> None:
    """The package has none, and the line says so."""
    with pytest.raises(JobError, match="no @job"):
        await answered(None, Tracker.from_dict({"sender_id": "ann"}))
