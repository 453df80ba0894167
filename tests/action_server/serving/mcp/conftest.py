"""A server of tools for the tests of its messages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.action_server.serving.mcp.tool_server import ToolServer, tool_server


@pytest.fixture
async def tools() -> AsyncIterator[ToolServer]:
    async with tool_server() as running:
        yield running
