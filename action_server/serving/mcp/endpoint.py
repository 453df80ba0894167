"""Answers one message of MCP: a body in, a status and a body out. Nothing is kept between two of them.

Two generations are spoken at once. 2025-11-25 and what came before begin with a handshake, which is answered and
forgotten. 2026-07-28 has none: its version stands in each request, in ``_meta`` and in a header.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Mapping

from action_server import __version__
from action_server.errors import RequestError
from action_server.protocol.jsonable import JsonObject
from action_server.runtime.tool_options import McpSettings
from action_server.serving.mcp import messages
from action_server.serving.mcp.messages import Message, MessageError, dump
from action_server.tools.calling import Caller, ToolCaller
from action_server.tools.offer import encode_listing
from action_server.tools.results import ToolResult

logger = logging.getLogger(__name__)

HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"
# An answer of another version than theirs shuts older clients out; tools are the same in all of them.
_ECHOED = ("2024-11-05", "2025-03-26", "2025-06-18", HANDSHAKE)
_VERSION = "io.modelcontextprotocol/protocolVersion"
_SERVER_INFO = "io.modelcontextprotocol/serverInfo"
# How long a list may be kept, in milliseconds: it changes with the server's code alone.
_LIST_LIFETIME = 60_000
_SERVER: JsonObject = {"name": "action-server", "version": __version__}
_CAPABILITIES: JsonObject = {"tools": {"listChanged": False}}
_CACHED: JsonObject = {"resultType": "complete", "ttlMs": _LIST_LIFETIME, "cacheScope": "private"}

Reply = tuple[int, bytes, RequestError | None]


class McpEndpoint:
    """Answers the messages of all clients of a worker."""

    def __init__(self, tools: ToolCaller, settings: McpSettings, *, max_json_depth: int = 100) -> None:
        self._tools = tools
        self._protocols = settings.protocols
        self._max_json_depth = max_json_depth
        # Made once: a client asks for it with each step of a flow.
        listed = b'{"tools":%b' % encode_listing(tools.offer)
        self._listing = listed + b"}"
        self._modern_listing = b"%b,%b" % (listed, dump(_CACHED)[1:])

    async def answer(self, body: bytes, headers: Mapping[str, str], caller: Caller) -> Reply:
        """Answer a body: the status, the body, and what is wrong with the message if something is."""
        try:
            message = messages.read_message(body, self._max_json_depth)
        except MessageError as exc:
            status = messages.NO_ID if exc.id is None else 200
            return status, messages.encode_error(exc.id, exc), RequestError(exc.problem)
        identifier = message.id
        if message.is_response or identifier is None:
            # Whatever it says: there are clients that do not come back after anything else. A notification that cancels
            # names a request by an id that every client counts from the start, so it may be somebody else's.
            return 202, b"", None
        try:
            return 200, messages.encode_result(identifier, await self._result(message, headers, caller)), None
        except MessageError as exc:
            return 200, messages.encode_error(identifier, exc), RequestError(exc.problem)
        except Exception as exc:  # noqa: BLE001 - logged with its traceback, answered without it
            return 200, messages.encode_error(identifier, _internal_error(exc, caller)), None

    async def _result(self, message: Message, headers: Mapping[str, str], caller: Caller) -> bytes:
        is_modern = self._is_modern(message, headers)
        if message.method == "tools/call":
            return _encode(await self._call(message, caller), is_modern=is_modern)
        if message.method == "tools/list":
            if message.params.get("cursor"):
                raise MessageError(messages.INVALID_PARAMS, "there is no such cursor: all tools are on one page")
            return self._modern_listing if is_modern else self._listing
        if message.method == "initialize":
            return dump(self._initialize(message))
        if message.method == "ping":
            return b'{"resultType":"complete"}' if is_modern else b"{}"
        if message.method == "server/discover" and MODERN in self._protocols:
            found = {"supportedVersions": self._supported(), "capabilities": _CAPABILITIES}
            return dump({**_CACHED, **found, "_meta": {_SERVER_INFO: _SERVER}})
        raise MessageError(
            messages.METHOD_NOT_FOUND, "there is no such method; this server has tools, and nothing else"
        )

    def _is_modern(self, message: Message, headers: Mapping[str, str]) -> bool:
        """Tell whether a request is of 2026-07-28.

        By its version, and by no other header: a bridge of older clients sends ``Mcp-Method`` too.
        """
        said, header = message.meta.get(_VERSION), headers.get("mcp-protocol-version")
        if said is None and (header is None or header < MODERN or not header[:1].isdigit()):
            return False
        version = header if said is None else said
        if MODERN not in self._protocols:
            # Not "this version is not supported", which some clients take for the end.
            raise MessageError(messages.METHOD_NOT_FOUND, f"this server speaks {HANDSHAKE}: begin with initialize")
        _check_headers(message, headers)
        if version != MODERN and not (version == HANDSHAKE and HANDSHAKE in self._protocols):
            data = {"supported": self._supported(), "requested": version if isinstance(version, str) else ""}
            raise MessageError(messages.UNSUPPORTED_PROTOCOL_VERSION, "this protocol version is not spoken here", data)
        return bool(version == MODERN)

    def _initialize(self, message: Message) -> JsonObject:
        wanted = message.params.get("protocolVersion")
        if not isinstance(wanted, str):
            raise MessageError(messages.INVALID_PARAMS, "protocolVersion has to be a string")
        if HANDSHAKE not in self._protocols:
            data = {"supported": self._supported(), "requested": wanted}
            raise MessageError(messages.UNSUPPORTED_PROTOCOL_VERSION, f"this server speaks {MODERN} only", data)
        version = wanted if wanted in _ECHOED else HANDSHAKE
        return {"protocolVersion": version, "capabilities": _CAPABILITIES, "serverInfo": _SERVER}

    async def _call(self, message: Message, caller: Caller) -> ToolResult:
        name, arguments = message.params.get("name"), message.params.get("arguments")
        if not isinstance(name, str):
            raise MessageError(messages.INVALID_PARAMS, "name has to be a string")
        if arguments is not None and not isinstance(arguments, dict):
            raise MessageError(messages.INVALID_PARAMS, "arguments has to be an object")
        tool = self._tools.offer.tools.get(name)
        if tool is None:
            raise MessageError(messages.INVALID_PARAMS, "there is no tool of this name; tools/list has those there are")
        return await self._tools.call(tool, arguments or {}, message.meta, caller)

    def _supported(self) -> list[str]:
        return sorted(self._protocols, reverse=True)


def _check_headers(message: Message, headers: Mapping[str, str]) -> None:
    """Check that headers say what the body says: a proxy may have let the request in by them."""
    said = {"mcp-protocol-version": message.meta.get(_VERSION), "mcp-method": message.method}
    if message.method == "tools/call":
        said["mcp-name"] = message.params.get("name")
    for header, value in said.items():
        found = headers.get(header)
        if found is not None and value is not None and _decode(found) != value:
            raise MessageError(messages.HEADER_MISMATCH, f"the header {header} says something else than the body")


def _decode(value: str) -> str:
    """Return a header's value; what is no plain text travels as ``=?base64?...?=``."""
    if not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode("utf-8")
    except ValueError:
        return ""


def _encode(result: ToolResult, *, is_modern: bool) -> bytes:
    """Encode a tool's result; its text is its structure, which need not be encoded twice."""
    structured = result.text.encode("utf-8")
    parts = [b'{"content":[{"type":"text","text":%b}],"structuredContent":%b' % (dump(result.text), structured)]
    if result.is_error:
        parts.append(b',"isError":true')
    if is_modern:
        parts.append(b',"resultType":"complete"')
    return b"".join([*parts, b"}"])


def _internal_error(exc: Exception, caller: Caller) -> MessageError:
    error_id = secrets.token_hex(6)
    logger.error("server.failed", extra={"error_id": error_id, "request_id": caller.request_id}, exc_info=exc)
    problem = f"The action server failed. The details are in its log under the error_id {error_id}."
    return MessageError(messages.INTERNAL_ERROR, problem, {"error_id": error_id})
