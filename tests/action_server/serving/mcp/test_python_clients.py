"""The official Python clients list the tools and call them: that of engines, and the first without a handshake."""

from __future__ import annotations

from typing import Any

import pytest

from tests import mcp_clients
from tests.action_server.serving.mcp.tool_actions import ALL
from tests.action_server.serving.mcp.tool_server import ToolServer

SPOKEN = {mcp_clients.ENGINE: "2025-11-25", mcp_clients.MODERN: "2026-07-28"}
# All that answer; the first call is one of the engine, which sends unset slots as null.
NAMES = sorted(a().name() for a in ALL if a().name() not in ("action_wait", "validate_party_form"))


@pytest.mark.parametrize("version", SPOKEN)
async def test_the_official_client_calls_every_tool(tools: ToolServer, version: str) -> None:
    """It holds each answer against the published schema and raises where it does not fit."""
    engine: mcp_clients.Call = ("action_echo", {"city": "Ulm", "guests": None, "outside": None}, None)
    calls: list[mcp_clients.Call] = [engine, *((name, {}, None) for name in NAMES)]

    spoken, listed, results = await mcp_clients.use_client(version, tools.url, calls)

    assert spoken == SPOKEN[version]
    assert [tool["name"] for tool in listed] == sorted([*NAMES, "action_wait"])
    assert listed[NAMES.index("action_echo")]["description"] == "Say what the slots hold."
    assert [result for result in results if "raised" in result] == []
    answers: list[Any] = [result["structuredContent"] for result in results]
    assert answers[0]["text"] == "Ulm, None, None"
    assert [name for name, result in zip(NAMES, results[1:], strict=True) if result.get("isError")] == ["action_fail"]
