"""What a tool costs: a list of any length is bytes made once, and steps leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from rasa_sdk import Action

from action_server.config.settings import Settings
from action_server.protocol.calls import Call
from action_server.runtime.registry import Registry
from action_server.runtime.tool_options import McpSettings
from action_server.serving.mcp.endpoint import McpEndpoint
from action_server.tools.calling import Caller, ToolCaller
from action_server.tools.offer import make_offer
from tests.action_server.serving.mcp.tool_server import MODERN, ToolServer
from tests.counting import Entered, functions_of_async

LIST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
MODERN_LIST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": MODERN}}).encode()
STEPS = 40


async def _never(call: Call, **_: Any) -> tuple[None, None]:
    raise AssertionError("a list calls nothing")


def endpoint(count: int) -> McpEndpoint:
    """An endpoint with so many tools, which nobody calls."""
    registry = Registry()
    for number in range(count):
        registry.register_action(type(f"Action{number}", (Action,), {"name": lambda _, n=number: f"action_{n}"}))
    settings = McpSettings(actions=("*",))
    offer = make_offer(registry, settings, Settings().options, None)
    assert len(offer.tools) == count
    return McpEndpoint(ToolCaller(offer, _never, "conversation_id"), settings)


def asking(of: McpEndpoint, body: bytes) -> Callable[[], Awaitable[object]]:
    return lambda: of.answer(body, {}, Caller())


async def test_a_list_of_300_tools_costs_as_much_as_one_of_3() -> None:
    """In functions that run for it: it was encoded when the server started."""
    short, long = endpoint(3), endpoint(300)

    for body in (LIST, MODERN_LIST):
        assert len((await long.answer(body, {}, Caller()))[1]) > 50_000
        assert await functions_of_async(asking(long, body)) == await functions_of_async(asking(short, body))


async def test_steps_leave_nothing_behind(tools: ToolServer) -> None:
    """Neither a session nor anything else, though no client says goodbye."""
    counts = []
    for _ in range(2):
        for _ in range(STEPS):
            await _step(tools)
        await _forget_cancelled_timers()
        counts.append(_objects())

    assert counts[1] - counts[0] < STEPS // 4


async def test_the_next_message_of_a_client_is_read_with_what_is_known_of_it(tools: ToolServer) -> None:
    """Its head and Host were looked at, and there is no limit of time for a body that is there."""
    await tools.ask("ping")
    with Entered() as entered:
        await tools.ask("ping")

    again = {name: entered.by_name[name] for name in ("parse_head", "ip_address", "wait_for")}
    assert again == {"parse_head": 0, "ip_address": 0, "wait_for": 0}
    assert entered.by_name["http1_request_header"] > 0


async def _step(tools: ToolServer) -> None:
    opening: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
    await tools.ask("initialize", opening)
    await tools.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
    for method in ("ping", "ping", "tools/list", "ping"):
        await tools.ask(method)
    assert (await tools.call("action_echo", city="Ulm"))["structuredContent"]["ok"] is True


async def _forget_cancelled_timers() -> None:
    """Have the event loop throw them away, which it does once there are many; each keeps the context of its call."""
    loop = asyncio.get_running_loop()
    for _ in range(1000):
        loop.call_later(60, print, context=Context()).cancel()
    await asyncio.sleep(0)


def _objects() -> int:
    """Objects of our own types."""
    gc.collect()
    return sum(str(type(found).__module__).startswith("action_server.") for found in gc.get_objects())
