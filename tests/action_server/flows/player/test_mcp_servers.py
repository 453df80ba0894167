"""Tools are called on servers as an engine calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from action_server.endpoints import Block
from action_server.errors import SettingsError
from action_server.flows.player.mcp_servers import McpServers, find_server
from action_server.flows.player.tools import ToolReply
from tests.action_server.flows.player.mcp_peers import Answer, result, sdk_server, stream, told_server


def block(environment: Mapping[str, str] | None = None, **entry: object) -> Block:
    written = {"name": "clinic", "type": "http", "url": "http://127.0.0.1:1/mcp", **entry}
    return Block("endpoints.yml: mcp_servers", [written], environment or {})


async def call(servers: Block, tool: str = "book", limit: float = 10.0, **arguments: object) -> ToolReply:
    async with aiohttp.ClientSession() as session:
        opened = McpServers(servers, session, timeout=limit)
        return await opened.call("clinic", tool, arguments, {"who": "Ann"})


@pytest.mark.parametrize("kind", ["sessions", "json"])
async def test_a_server_of_the_engine_s_sdk_is_called(kind: str) -> None:
    """With a session and streams of events, or without either; nulls and `_meta` arrive."""
    meta_map = {"static": {"api": "1"}, "from_slots": [{"slot": "who", "param": "patient"}]}
    async with sdk_server(kind) as url:
        reply = await call(block(url=url, meta_map=meta_map), day="Monday", size=None)
        failed = await call(block(url=url), "fail")
        missing = await call(block(url=url), "boook")

    assert reply.problem == ""
    assert reply.result["isError"] is False
    assert reply.result["structuredContent"] == {
        "code": "Monday-None",
        "times": ["10:00"],
        "api": {"api": "1", "patient": "Ann"},
    }
    assert failed.result["isError"] is True
    assert missing.problem == "the server has no tool 'boook'; did you mean 'book'?"


def usual(message: Mapping[str, Any]) -> web.Response:
    """Answer as a server without sessions does."""
    if message["method"] == "initialize":
        return result(message, {"protocolVersion": "2025-06-18"})
    if "id" not in message:
        return web.Response(status=202)
    if message["method"] == "tools/list":
        # On the second page.
        page = {"tools": [{"name": "book"}]} if message["params"] else {"tools": [], "nextCursor": "2"}
        return result(message, page)
    return result(message, {"content": [], "structuredContent": {"sent": message["params"]["arguments"]}})


async def test_credentials_are_sent_as_the_entry_says() -> None:
    """A token, a key in the usual header, and one in another form; a variable is replaced."""
    seen: list[str] = []

    @web.middleware
    async def keep(request: web.Request, handler: Any) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", "") + request.headers.get("X-Key", ""))
        answered: web.StreamResponse = await handler(request)
        return answered

    environment = {"KEY": "k"}
    async with told_server(usual, keep) as url:
        for entry in (
            {"token": "${KEY}"},
            {"api_key": "${KEY}"},
            {"api_key": "${KEY}", "header_name": "X-Key", "header_format": "Key {key}"},
        ):
            assert (await call(block(environment, url=url, **entry))).problem == ""

    assert set(seen) == {"Bearer k", "Key k"}


def _refuses(message: Mapping[str, Any]) -> web.Response:
    if message["method"] != "tools/call":
        return usual(message)
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -1, "message": "no such day"}})


def _streams_nothing(message: Mapping[str, Any]) -> web.Response:
    return stream({"jsonrpc": "2.0", "method": "notifications/message"})


ANSWERS: dict[str, tuple[Answer, str]] = {
    "a credential is missing": (lambda _: web.Response(status=401), "initialize was answered with HTTP 401"),
    "no JSON": (
        lambda _: web.Response(text="{", content_type="application/json"),
        "the answer is no message of JSON-RPC",
    ),
    "a page": (lambda _: web.Response(text="<p>"), "the answer is text/plain, neither JSON nor a stream of events"),
    "no result": (lambda _: web.json_response({"id": 1}), "initialize was answered without a result"),
    "an error": (_refuses, "tools/call was refused: no such day"),
    "a stream that ends": (_streams_nothing, "the stream of events ended without an answer"),
}


@pytest.mark.parametrize(("answer", "problem"), ANSWERS.values(), ids=ANSWERS)
async def test_what_goes_wrong_is_a_problem_in_words(answer: Answer, problem: str) -> None:
    """Of the conversation with the server; nothing is raised."""
    async with told_server(answer) as url:
        assert (await call(block(url=url))).problem == problem


async def test_nobody_at_the_address_is_a_problem_too() -> None:
    """With the address."""
    assert "127.0.0.1:1" in (await call(block())).problem


async def test_a_server_that_does_not_answer_in_time_is_given_up() -> None:
    """The engine's time is for the whole step."""
    asked = asyncio.Event()
    never = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await never.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        reply = await call(block(url=url), limit=0.2)
    finally:
        never.set()
        server.close()

    assert asked.is_set()
    assert reply.problem == "no result within 0.2 s, which is all that engines give a step"


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "no type": ({"type": None}, r"mcp_servers\[0\].type: must be http or https"),
    "another type": ({"type": "stdio"}, r"mcp_servers\[0\].type: must be http or https"),
    "no address": ({"url": None}, r"mcp_servers\[0\].url: must be the address of the server"),
    "a variable that is not set": ({"token": "${NOBODY}"}, r"mcp_servers\[0\].token: the environment variable NOBODY"),
    "OAuth": ({"oauth": {}}, r"mcp_servers\[0\].oauth: is not played"),
}


@pytest.mark.parametrize(("entry", "message"), REFUSED.values(), ids=REFUSED)
def test_an_entry_that_the_engine_would_not_take_is_refused_with_its_place(
    entry: dict[str, object], message: str
) -> None:
    """Its value is not shown."""
    with pytest.raises(SettingsError, match=message):
        find_server(block({}, **entry), "clinic")


def test_a_server_that_is_not_there_is_named_with_the_nearest() -> None:
    """Also where the block is none."""
    with pytest.raises(SettingsError, match=r"has no server 'clinics'; did you mean 'clinic'\?"):
        find_server(block(), "clinics")
    with pytest.raises(SettingsError, match=r"has no server 'clinic'$"):
        find_server(Block("x", {"a": 1}), "clinic")
