"""A server of tools in this process, and messages to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.idempotency.store import IdempotencyStore
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from action_server.runtime.tool_options import McpSettings
from action_server.serving.server import listen
from action_server.serving.worker import serve_http
from tests.action_server.serving.mcp.tool_actions import ALL

MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


def message_of(params: dict[str, Any] | None, method: str = "tools/call") -> dict[str, Any]:
    """Return a request as :meth:`ToolServer.ask` sends it."""
    return {"jsonrpc": "2.0", "id": 7, "method": method, **({} if params is None else {"params": params})}


@dataclass(frozen=True)
class ToolServer:
    """A server, and a client that sends what it is told."""

    url: str
    session: aiohttp.ClientSession
    assembly: Assembly

    async def post(self, body: object, **headers: str) -> tuple[int, Any]:
        """Send a body, as JSON unless it is bytes; return the status, and the body if there is one."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(self.url, data=data, headers=sent) as response:
            text = await response.read()
            return response.status, json.loads(text) if text else None

    async def ask(self, method: str, params: dict[str, Any] | None = None, **headers: str) -> Any:
        """Send a request; return the message that answers it, with HTTP 200."""
        status, found = await self.post(message_of(params, method), **headers)
        assert status == 200
        assert found["id"] == 7
        return found

    async def call(self, tool: str, meta: dict[str, Any] | None = None, **arguments: Any) -> Any:
        """Call a tool; return its result."""
        params = {"name": tool, "arguments": arguments, **({"_meta": meta} if meta else {})}
        return (await self.ask("tools/call", params))["result"]


@asynccontextmanager
async def tool_server(
    mcp: McpSettings | None = None, store: Path | None = None, **settings: Any
) -> AsyncIterator[ToolServer]:
    """Serve the actions above as tools within the block. ``store`` is the database of those that run once."""
    registry = Registry()
    for action in ALL:
        registry.register_action(action)
    made = Settings(grace=0, mcp=mcp or McpSettings(actions=("*",)), **settings)
    opened = None if store is None else await IdempotencyStore.open(str(store), where="database")
    executor = Executor(registry, limits=made.limits, options=made.options, store=opened)
    sock = listen("127.0.0.1", 0)
    try:
        assembly = Assembly(made, executor, Readiness())
        async with (
            serve_http(assembly, sock, f"test-{uuid4().hex}", only_one=False),
            aiohttp.ClientSession() as session,
        ):
            yield ToolServer(f"http://127.0.0.1:{sock.getsockname()[1]}/mcp", session, assembly)
    finally:
        executor.close()
        sock.close()
        if opened is not None:
            await opened.close()
