"""The author's code around every call."""

from __future__ import annotations

from typing import Any

import pytest
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server import Answer, Call, Next, middleware
from action_server.errors import ActionFailedError
from action_server.runtime.executor import Executor
from action_server.runtime.middleware import find_middlewares
from action_server.runtime.registry import Registry
from tests.engine_calls import decoded_call


def fails_half_way(dispatcher: CollectingDispatcher, *_: object) -> None:
    dispatcher.utter_message(text="looking it up")
    raise ConnectionError("hunter2")


async def test_middlewares_run_around_every_call_in_their_order() -> None:
    """They see the call and its outcome, may change the answer, and answer in the action's place."""
    seen = []

    @middleware(order=2)
    async def inner(call: Call, run: Next) -> Answer:
        seen.append("inner")
        return await run(call)

    @middleware
    async def outer(call: Call, run: Next) -> Answer:
        seen.append(f"outer {call.sender_id}")
        try:
            answer = await run(call)
        except ActionFailedError:
            return Answer([SlotSet("caught", True)], [])
        seen.append(f"{len(answer.events)} events")
        return answer

    registry = Registry()
    registry.register_function("action_x", lambda *_: [SlotSet("a", 1)])
    registry.register_function("action_y", fails_half_way)
    executor = Executor(registry, middlewares=find_middlewares([inner, outer, outer, "not one"]))

    assert (await executor.run(decoded_call())).events == [SlotSet("a", 1)]
    assert seen == ["outer tester", "inner", "1 events"]
    assert (await executor.run(decoded_call("action_y"))).events == [SlotSet("caught", True)]


def test_a_middleware_has_to_be_async() -> None:
    """Said where it is written."""
    with pytest.raises(TypeError, match="is an async function"):

        @middleware
        def wrong(call: Call, run: Next) -> Any:
            return run(call)
