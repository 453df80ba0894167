"""Servers of tools for the tests: one made with the official SDK, as a process, and one that answers as it is told."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.mcp_clients import ENGINE, PATIENCE, python_of, writes_bytecode

# Its output is the line that says that it listens.
_SDK_SERVER = """
import asyncio, socket, sys
from typing import Any
import uvicorn
from mcp.server.fastmcp import Context, FastMCP
server = FastMCP("sdk", stateless_http=sys.argv[1] == "json", json_response=sys.argv[1] == "json")

@server.tool()
def book(day: str | None, size: float | None, ctx: Context) -> dict[str, Any]:
    meta = ctx.request_context.meta
    return {"code": f"{day}-{size}", "times": ["10:00"], "api": (meta.model_extra or {}) if meta else {}}

@server.tool()
def fail() -> dict[str, Any]:
    raise RuntimeError("no desk")

listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(server.streamable_http_app(), log_level="error")
asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))
"""


@asynccontextmanager
async def sdk_server(kind: str) -> AsyncIterator[str]:
    """Run a server of the engine's SDK within the block: `sessions` (streams) or `json` (stateless). Yield its URL."""
    python = await asyncio.to_thread(python_of, ENGINE)
    process = await asyncio.create_subprocess_exec(
        str(python), "-c", _SDK_SERVER, kind, stdout=asyncio.subprocess.PIPE, env=writes_bytecode()
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        await process.wait()


Answer = Callable[[Mapping[str, Any]], web.Response]


@asynccontextmanager
async def told_server(answer: Answer, *middlewares: Any) -> AsyncIterator[str]:
    """Serve within the block what ``answer`` makes of each message; yield the URL."""

    async def post(request: web.Request) -> web.Response:
        return answer(await request.json())

    app = web.Application(middlewares=middlewares)
    app.router.add_post("/mcp", post)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/mcp"
    finally:
        await runner.cleanup()


def result(message: Mapping[str, Any], found: Mapping[str, Any]) -> web.Response:
    """Answer a request with a result."""
    return web.json_response({"jsonrpc": "2.0", "id": message.get("id"), "result": found})


def stream(*messages: object) -> web.Response:
    """Answer with a stream of events."""
    text = "".join(f"event: message\ndata: {json.dumps(message)}\n\n" for message in messages)
    return web.Response(text=text, content_type="text/event-stream")
