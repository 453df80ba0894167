"""The MCP servers of an endpoints file, called over Streamable HTTP: a new session for each step, as engines do.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from action_server.endpoints import Block
from action_server.errors import SettingsError
from action_server.flows.player.tools import TIMEOUT, ToolReply, result_as_engines_have_it
from action_server.nearest import did_you_mean
from action_server.project.server_addresses import Address, address_of
from action_server.protocol.jsonable import JsonObject
from action_server.telemetry.durations import milliseconds_since
from action_server.tools.calling import ToolCaller

T = TypeVar("T")

PROTOCOL = "2025-11-25"
_CLIENT = {"name": "action-server", "version": "1"}
# Of a list; nobody offers more.
_MOST_PAGES = 50
# For the end of a session, which nobody waits for.
_ENDING = aiohttp.ClientTimeout(total=1)


@dataclass(frozen=True)
class McpServer:
    """An entry of `mcp_servers`: its address, the headers that a credential becomes, and what goes into `_meta`."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    static: Mapping[str, Any] = field(default_factory=dict, repr=False)
    from_slots: tuple[tuple[str, str], ...] = ()

    def meta(self, slots: Mapping[str, Any]) -> JsonObject:
        """Return what is sent as `_meta` while the slots are these."""
        return {**self.static, **{param: slots.get(slot) for slot, param in self.from_slots}}


def find_server(block: Block, name: str) -> McpServer:
    """Return a server by its name.

    Raises:
        SettingsError: there is none, a variable in it is not set, or the engine would not take it as it is.
    """
    entries = block.written if isinstance(block.written, list) else []
    names = [str(entry["name"]) for entry in entries if isinstance(entry, Mapping) and "name" in entry]
    if name not in names:
        raise SettingsError(block.where, f"has no server {name!r}{did_you_mean(name, names)}")
    index = next(i for i, e in enumerate(entries) if isinstance(e, Mapping) and str(e.get("name")) == name)
    part = block.part(entries[index], f"[{index}]")
    entry = part.content()
    if entry.get("type") not in ("http", "https"):
        raise SettingsError(f"{part.where}.type", "must be http or https; the engine refuses a server without it")
    if not isinstance(entry.get("url"), str):
        raise SettingsError(f"{part.where}.url", "must be the address of the server")
    for key in ("oauth", "module"):
        if key in entry:
            raise SettingsError(f"{part.where}.{key}", "is not played; use `token` or `api_key` for conversations here")
    meta_map = entry.get("meta_map") if isinstance(entry.get("meta_map"), Mapping) else {}
    pairs = [p for p in meta_map.get("from_slots") or () if isinstance(p, Mapping)]
    from_slots = tuple((str(p.get("slot")), str(p.get("param"))) for p in pairs)
    return McpServer(name, entry["url"], _credential(entry), meta_map.get("static") or {}, from_slots)


def _credential(entry: Mapping[str, Any]) -> dict[str, str]:
    if entry.get("token"):
        return {"Authorization": f"Bearer {entry['token']}"}
    if entry.get("api_key"):
        form = str(entry.get("header_format") or "Bearer {key}")
        return {str(entry.get("header_name") or "Authorization"): form.replace("{key}", str(entry["api_key"]))}
    return {}


@dataclass(frozen=True)
class OwnServer:
    """The project's own action server, whose actions run in this process: its addresses, as host and port, and tools.

    ``tools`` is None if none of its actions is offered.
    """

    addresses: frozenset[Address]
    tools: ToolCaller | None

    def is_at(self, url: str) -> bool:
        """Tell whether a URL is one of the server's."""
        return address_of(url) in self.addresses

    async def call(self, tool: str, arguments: JsonObject, meta: JsonObject) -> JsonObject:
        """Call a tool. Raises ValueError if there is none of the name."""
        if self.tools is None:
            raise ValueError("the project's action server offers no tools; name them in `action_server: mcp: actions:`")
        found = self.tools.offer.tools.get(tool)
        if found is None:
            raise ValueError(f"the server has no tool {tool!r}{did_you_mean(tool, list(self.tools.offer.tools))}")
        return (await self.tools.call(found, arguments, meta)).as_json


class McpServers:
    """The servers of an endpoints file. Each is looked up when a step calls it; ``own`` is asked in this process."""

    def __init__(
        self, block: Block, session: aiohttp.ClientSession, own: OwnServer | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        self._block = block
        self._session = session
        self._own = own
        self._timeout = timeout

    async def call(self, server: str, tool: str, arguments: JsonObject, slots: Mapping[str, Any]) -> ToolReply:
        """Call a tool, within the engine's time."""
        start = time.perf_counter()
        result: JsonObject = {}
        problem = ""
        try:
            found = find_server(self._block, server)
            result = await asyncio.wait_for(self._call(found, tool, arguments, found.meta(slots)), self._timeout)
        except SettingsError as exc:
            problem = str(exc)
        except asyncio.TimeoutError:
            problem = f"no result within {self._timeout:g} s, which is all that engines give a step"
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            problem = f"{type(exc).__name__}: {exc}" if isinstance(exc, (aiohttp.ClientError, OSError)) else str(exc)
        return ToolReply(result, milliseconds_since(start), problem)

    async def _call(self, server: McpServer, tool: str, arguments: JsonObject, meta: JsonObject) -> JsonObject:
        if self._own is not None and self._own.is_at(server.url):
            result = await self._own.call(tool, arguments, meta)
        else:
            params: JsonObject = {"name": tool, "arguments": arguments, **({"_meta": meta} if meta else {})}
            result = await _call(_Connection(self._session, server), tool, params)
        return result_as_engines_have_it(result)


async def list_tools(server: McpServer, *, timeout: float = TIMEOUT) -> list[JsonObject]:
    """Return the tools that a server lists, as they stand there.

    Raises:
        ValueError: it does not list them; says in words what it did instead.
    """
    try:
        async with aiohttp.ClientSession() as session:
            connection = _Connection(session, server)
            return await asyncio.wait_for(_in_session(connection, lambda: _tools(connection)), timeout)
    except asyncio.TimeoutError:
        raise ValueError(f"it did not answer within {timeout:g} s") from None
    except (aiohttp.ClientError, OSError) as exc:
        raise ValueError(f"{type(exc).__name__}: {exc}") from exc


async def _call(connection: _Connection, tool: str, params: JsonObject) -> JsonObject:
    async def call() -> JsonObject:
        names = [str(found.get("name")) for found in await _tools(connection)]
        if tool not in names:
            raise ValueError(f"the server has no tool {tool!r}{did_you_mean(tool, names)}")
        return await connection.request("tools/call", params)

    return await _in_session(connection, call)


async def _in_session(connection: _Connection, work: Callable[[], Awaitable[T]]) -> T:
    opened = await connection.request(
        "initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": _CLIENT}
    )
    connection.protocol = str(opened.get("protocolVersion") or PROTOCOL)
    try:
        await connection.notify("notifications/initialized")
        return await work()
    finally:
        await connection.end()


async def _tools(connection: _Connection) -> list[JsonObject]:
    tools: list[JsonObject] = []
    params: JsonObject = {}
    for _ in range(_MOST_PAGES):
        page = await connection.request("tools/list", params)
        tools += [tool for tool in page.get("tools") or () if isinstance(tool, dict)]
        if not page.get("nextCursor"):
            break
        params = {"cursor": page["nextCursor"]}
    return tools


class _Connection:
    """One session with a server. What a server says that is no answer of MCP raises ValueError."""

    def __init__(self, session: aiohttp.ClientSession, server: McpServer) -> None:
        self._session = session
        self._server = server
        self._id = ""
        self._number = 0
        self.protocol = ""

    async def request(self, method: str, params: JsonObject) -> JsonObject:
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        async with self._session.post(self._server.url, json=message, headers=self._headers()) as response:
            if response.status >= 400:
                raise ValueError(f"{method} was answered with HTTP {response.status}")
            self._id = response.headers.get("Mcp-Session-Id", self._id)
            answer = await _answer(response, self._number)
        if isinstance(answer.get("error"), Mapping):
            raise ValueError(f"{method} was refused: {answer['error'].get('message')}")
        result = answer.get("result")
        if not isinstance(result, dict):
            raise ValueError(f"{method} was answered without a result")
        return result

    async def notify(self, method: str) -> None:
        message = {"jsonrpc": "2.0", "method": method}
        async with self._session.post(self._server.url, json=message, headers=self._headers()) as response:
            if response.status >= 400:
                raise ValueError(f"{method} was answered with HTTP {response.status}")

    async def end(self) -> None:
        """Let the server forget the session, if it keeps one. Whether it can is its own affair."""
        if not self._id:
            return
        with contextlib.suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
            async with self._session.delete(self._server.url, headers=self._headers(), timeout=_ENDING):
                pass

    def _headers(self) -> dict[str, str]:
        headers = {**self._server.headers, "Accept": "application/json, text/event-stream"}
        if self._id:
            headers["Mcp-Session-Id"] = self._id
        if self.protocol:
            headers["MCP-Protocol-Version"] = self.protocol
        return headers


async def _answer(response: aiohttp.ClientResponse, number: int) -> JsonObject:
    """Return the answer to a request, which comes as JSON or as one of the events of a stream."""
    if response.content_type == "application/json":
        return _message(await response.read())
    if response.content_type != "text/event-stream":
        raise ValueError(f"the answer is {response.content_type}, neither JSON nor a stream of events")
    data: list[bytes] = []
    async for line in response.content:
        text = line.rstrip(b"\r\n")
        if text.startswith(b"data:"):
            data.append(text[5:].lstrip(b" "))
        elif not text and data:
            message = _message(b"\n".join(data))
            data = []
            if message.get("id") == number:
                return message
    raise ValueError("the stream of events ended without an answer")


def _message(body: bytes) -> JsonObject:
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise ValueError("the answer is no message of JSON-RPC")
    return message
