"""What a message is answered with, by the wire: both generations, and everything that is no good message."""

from __future__ import annotations

import gzip
import json
from typing import Any, NoReturn

import pytest

from action_server.config.settings import Settings
from action_server.errors import InternalError, RequestError
from action_server.protocol.calls import Call
from action_server.runtime.registry import Registry
from action_server.runtime.tool_options import McpSettings
from action_server.serving.mcp.endpoint import McpEndpoint
from action_server.serving.mcp.messages import encode_refusal
from action_server.tools.calling import Caller, ToolCaller
from action_server.tools.offer import make_offer
from tests.action_server.serving.mcp.tool_actions import ActionEcho
from tests.action_server.serving.mcp.tool_server import MODERN, ToolServer, tool_server

CALL = {"name": "action_echo", "arguments": {"city": "Ulm"}}


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_the_version_of_a_client_is_echoed(tools: ToolServer, version: str) -> None:
    """An answer of a newer one would shut older clients out."""
    answer = await tools.ask("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": {}})

    assert answer["result"]["protocolVersion"] == version
    assert answer["result"]["capabilities"] == {"tools": {"listChanged": False}}
    assert set(answer["result"]["serverInfo"]) == {"name", "version"}


async def test_a_version_nobody_knows_gets_the_newest_with_a_handshake(tools: ToolServer) -> None:
    """Then the client decides."""
    answer = await tools.ask("initialize", {"protocolVersion": "1999-01-01"})

    assert answer["result"]["protocolVersion"] == "2025-11-25"


async def test_a_session_is_neither_given_nor_asked_for(tools: ToolServer) -> None:
    """Any replica answers any request: without a handshake, and with a session of somebody else."""
    listed = await tools.ask("tools/list", Mcp_Session_Id="of-another-replica")
    called = await tools.ask("tools/call", CALL)

    assert listed["result"]["tools"]
    assert called["result"]["structuredContent"]["ok"] is True


async def test_the_new_protocol_needs_no_handshake(tools: ToolServer) -> None:
    """Discovery, lists and results have what 2026-07-28 asks for."""
    meta = {"_meta": MODERN}

    discovered = (await tools.ask("server/discover", meta))["result"]
    listed = (await tools.ask("tools/list", meta))["result"]
    called = (await tools.ask("tools/call", {**CALL, **meta}))["result"]
    pinged = (await tools.ask("ping", meta))["result"]
    by_header = (await tools.ask("tools/list", MCP_Protocol_Version="2026-07-28"))["result"]

    assert discovered["capabilities"] == {"tools": {"listChanged": False}}
    assert discovered["supportedVersions"] == ["2026-07-28", "2025-11-25"]
    assert by_header == listed
    for found in (discovered, listed):
        assert found["resultType"] == "complete"
        assert isinstance(found["ttlMs"], int)
        assert found["cacheScope"] == "private"
    assert called["resultType"] == "complete"
    assert pinged == {"resultType": "complete"}


async def test_an_older_client_gets_nothing_of_the_new_protocol(tools: ToolServer) -> None:
    """Also one that sends the new header for methods, as a bridge does."""
    listed, pinged, called = [
        await tools.ask(method, params, Mcp_Method=method, MCP_Protocol_Version="2025-11-25")
        for method, params in (("tools/list", None), ("ping", None), ("tools/call", CALL))
    ]

    assert set(listed["result"]) == {"tools"}
    assert pinged["result"] == {}
    assert set(called["result"]) == {"content", "structuredContent"}


async def test_no_optional_key_is_null(tools: ToolServer) -> None:
    """One that is makes some clients refuse the whole list."""

    def nulls(value: Any, path: str = "") -> list[str]:
        if isinstance(value, dict):
            return [found for key, item in value.items() for found in nulls(item, f"{path}.{key}")]
        if isinstance(value, list):
            return [found for item in value for found in nulls(item, f"{path}[]")]
        return [path] if value is None else []

    for answer in (await tools.ask("tools/list"), await tools.ask("initialize", {"protocolVersion": "2025-11-25"})):
        assert nulls(answer) == []
    called = await tools.ask("tools/call", CALL)
    assert [path for path in nulls(called) if ".structuredContent." not in path] == []


async def test_a_switched_off_protocol_is_refused_in_the_way_that_lets_clients_fall_back() -> None:
    """-32601 for the new one, which all clients take for "begin with a handshake"."""
    async with tool_server(McpSettings(actions=("*",), protocols=("2025-11-25",))) as tools:
        discovered = await tools.ask("server/discover", {"_meta": MODERN})
        called = await tools.ask("tools/call", {**CALL, "_meta": MODERN})
        unnamed = await tools.ask("server/discover")
    async with tool_server(McpSettings(actions=("*",), protocols=("2026-07-28",))) as tools:
        shaken = await tools.ask("initialize", {"protocolVersion": "2025-11-25"})
        named = await tools.ask("ping", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2025-11-25"}})

    assert [found["error"]["code"] for found in (discovered, called, unnamed)] == [-32601] * 3
    assert named["error"]["code"] == -32022
    assert shaken["error"]["code"] == -32022
    assert shaken["error"]["data"] == {"supported": ["2026-07-28"], "requested": "2025-11-25"}


@pytest.mark.parametrize("junk", ["junk", "\u00ff", "", "2025-11-25", "2025-06-18"])
async def test_a_header_of_no_version_is_that_of_an_older_client(tools: ToolServer, junk: str) -> None:
    """Only what can be a later version is told from it; a `_meta` that is none says nothing."""
    message = {**REQUEST, "method": "tools/list", "params": {"_meta": ["x"]}}

    status, listed = await tools.post(message, MCP_Protocol_Version=junk)

    assert (status, set(listed["result"])) == (200, {"tools"})


async def test_the_older_version_may_stand_in_meta_too(tools: ToolServer) -> None:
    """Then it is answered as the older one; what is no text is told from no version."""
    version = "io.modelcontextprotocol/protocolVersion"
    old = await tools.ask("ping", {"_meta": {version: "2025-11-25"}})
    odd = await tools.ask("ping", {"_meta": {version: [5]}})
    discovered = await tools.ask("server/discover", {"_meta": MODERN})

    assert old["result"] == {}
    assert odd["error"]["data"] == {"supported": ["2026-07-28", "2025-11-25"], "requested": ""}
    assert discovered["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "action-server"


async def test_a_message_may_come_packed(tools: ToolServer) -> None:
    """As a body of the webhook may."""
    packed = gzip.compress(json.dumps({**REQUEST, "method": "ping"}).encode())

    assert await tools.post(packed, Content_Encoding="gzip") == (200, {**REQUEST, "result": {}})


def test_a_refusal_of_the_server_has_its_error_id() -> None:
    """And the code that says whose fault it was."""
    found = json.loads(encode_refusal(InternalError("e1")))

    assert (found["error"]["code"], found["error"]["data"]) == (-32603, {"error_id": "e1"})
    assert json.loads(encode_refusal(RequestError("no")))["error"] == {"code": -32600, "message": "no"}


async def test_a_later_version_is_refused_with_those_there_are(tools: ToolServer) -> None:
    """So that the client can choose another one."""
    answer = await tools.ask("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2027-01-01"}})

    assert answer["error"]["code"] == -32022
    assert answer["error"]["data"]["supported"] == ["2026-07-28", "2025-11-25"]


HEADERS: list[tuple[str, dict[str, str], bool]] = [
    ("what the body says", {"Mcp_Method": "tools/call", "Mcp_Name": "action_echo"}, True),
    ("the name in base64", {"Mcp_Name": "=?base64?YWN0aW9uX2VjaG8=?="}, True),
    ("another method", {"Mcp_Method": "tools/list"}, False),
    ("another tool", {"Mcp_Name": "action_fail"}, False),
    ("no base64", {"Mcp_Name": "=?base64?%%%?="}, False),
    ("base64 with something in between", {"Mcp_Name": "=?base64?YWN0%aW9uX2VjaG8=?="}, False),
    ("another version", {"MCP_Protocol_Version": "2025-11-25"}, False),
]


@pytest.mark.parametrize(("headers", "fits"), [h[1:] for h in HEADERS], ids=[h[0] for h in HEADERS])
async def test_headers_say_what_the_body_says(tools: ToolServer, headers: dict[str, str], fits: bool) -> None:
    """In the new protocol: a proxy may have let the request in by them."""
    answer = await tools.ask("tools/call", {**CALL, "_meta": MODERN}, **headers)

    assert ("result" in answer) is fits
    assert fits or answer["error"]["code"] == -32020


REQUEST = {"jsonrpc": "2.0", "id": 1}
WRONG: list[tuple[str, object, int, int]] = [
    ("no JSON", b"{", 400, -32700),
    ("nothing", b"", 400, -32700),
    ("no UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', 400, -32700),
    ("a batch", [{**REQUEST, "method": "ping"}], 400, -32600),
    ("a text", b'"ping"', 400, -32600),
    ("too deep", b'{"id":1,"params":' + b"[" * 200 + b"]" * 200 + b"}", 200, -32600),
    ("much too deep", b'{"id":1,"params":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, -32600),
    ("too deep, with an id that is none", b'{"id":[1],"params":' + b"[" * 200 + b"]" * 200 + b"}", 400, -32600),
    ("too deep, and cut off", b'{"id":1,"params":' + b"[" * 200, 400, -32600),
    ("an id that is null", {"jsonrpc": "2.0", "id": None, "method": "ping"}, 400, -32600),
    ("an id that is true", {"jsonrpc": "2.0", "id": True, "method": "ping"}, 400, -32600),
    ("an id that is a list", {"jsonrpc": "2.0", "id": [1], "method": "ping"}, 400, -32600),
    ("an id that is no number", b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', 400, -32600),
    ("an id beyond all numbers", b'{"jsonrpc":"2.0","id":1e999,"method":"ping"}', 400, -32600),
    ("another JSON-RPC", {"id": 1, "jsonrpc": "1.0", "method": "ping"}, 200, -32600),
    ("no method", REQUEST, 200, -32600),
    ("a method that is none", {**REQUEST, "method": 3}, 200, -32600),
    ("a method without a name", {**REQUEST, "method": ""}, 200, -32600),
    ("params that are a list", {**REQUEST, "method": "ping", "params": []}, 200, -32602),
    ("a method nobody knows", {**REQUEST, "method": "secret/method"}, 200, -32601),
    ("resources", {**REQUEST, "method": "resources/list"}, 200, -32601),
    ("a tool nobody knows", {**REQUEST, "method": "tools/call", "params": {"name": "secret_tool"}}, 200, -32602),
    ("a tool with two names", {**REQUEST, "method": "tools/call", "params": {"name": ["x"]}}, 200, -32602),
    ("a tool without a name", {**REQUEST, "method": "tools/call", "params": {}}, 200, -32602),
    (
        "arguments that are a list",
        {**REQUEST, "method": "tools/call", "params": {**CALL, "arguments": []}},
        200,
        -32602,
    ),
    ("a second page", {**REQUEST, "method": "tools/list", "params": {"cursor": "secret"}}, 200, -32602),
    ("no version", {**REQUEST, "method": "initialize"}, 200, -32602),
]


@pytest.mark.parametrize(("body", "status", "code"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
async def test_a_wrong_message_is_told_in_words(
    tools: ToolServer, body: object, status: int, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """With HTTP 200 and its id where it has one, so that nobody else's call ends; nothing of it is repeated."""
    found, answer = await tools.post(body, X_Request_ID="r-1")

    assert (found, answer["error"]["code"]) == (status, code)
    # Without an id, as null is none to some clients.
    assert answer.get("id", "none") == (1 if status == 200 else "none")
    assert "secret" not in answer["error"]["message"]
    assert set(answer["error"]) == {"code", "message"}
    [line] = [vars(r) for r in caplog.records if r.message == "call.refused"]
    assert (line["status"], line["problem"]) == (status, answer["error"]["message"])
    assert (line["request_id"], line["client"]) == ("r-1", "127.0.0.1")
    assert (await tools.ask("ping"))["result"] == {}


@pytest.mark.parametrize("identifier", [0, -1, 1.5, 2**70, "", "a", "\ud83d", "\u00fc"])
@pytest.mark.parametrize("method", ["ping", "nope"])
async def test_an_answer_has_the_id_of_its_request(tools: ToolServer, identifier: object, method: str) -> None:
    """As it came, whether it is a result or an error."""
    status, answer = await tools.post({"jsonrpc": "2.0", "id": identifier, "method": method})

    assert (status, answer["id"]) == (200, identifier)


async def test_a_batch_is_told_what_to_send_instead(tools: ToolServer) -> None:
    """Clients of 2025-03-26 may still send one."""
    _, answer = await tools.post([{**REQUEST, "method": "ping"}])

    assert answer["error"]["message"] == "the body is a batch; send one message in a request"


NO_DIFFERENCE: list[tuple[str, dict[str, Any], set[str]]] = [
    ("a page that is none", {"method": "tools/list", "params": {"cursor": None}}, {"tools"}),
    ("no page", {"method": "tools/list", "params": {"cursor": ""}}, {"tools"}),
    ("params that are null", {"method": "ping", "params": None}, set()),
    ("a result beside the method", {"method": "ping", "result": {"x": 1}}, set()),
    (
        "arguments that are null",
        {"method": "tools/call", "params": {"name": "action_echo", "arguments": None}},
        {"content", "structuredContent"},
    ),
    ("no arguments", {"method": "tools/call", "params": {"name": "action_echo"}}, {"content", "structuredContent"}),
]


@pytest.mark.parametrize(("sent", "keys"), [n[1:] for n in NO_DIFFERENCE], ids=[n[0] for n in NO_DIFFERENCE])
async def test_what_says_nothing_makes_no_difference(tools: ToolServer, sent: dict[str, Any], keys: set[str]) -> None:
    """Clients write a key that may be missing as null, or leave something beside it."""
    status, answer = await tools.post({**REQUEST, **sent})

    assert (status, set(answer["result"])) == (200, keys)


async def test_how_deep_a_message_may_nest_is_a_setting() -> None:
    """Of all bodies."""
    deep: Any = []
    for _ in range(7):
        deep = [deep]
    async with tool_server(max_json_depth=8) as tools:
        refused = await tools.post({**REQUEST, "method": "ping", "params": {"a": deep}})
        taken = await tools.post({**REQUEST, "method": "ping", "params": {"a": []}})

    assert (refused[0], refused[1]["id"], refused[1]["error"]["code"]) == (200, 1, -32600)
    assert taken == (200, {**REQUEST, "result": {}})


async def test_a_number_that_is_too_long_ends_nobody_elses_call(tools: ToolServer) -> None:
    """Python reads no integer of so many digits; the message is read all the same, and its id."""
    body = json.dumps({**REQUEST, "method": "tools/call", "params": CALL}).replace('"Ulm"', "9" * 5000)

    status, answer = await tools.post(body.encode())

    assert (status, answer["id"]) == (200, 1)
    assert answer["result"]["structuredContent"]["ok"] is True


async def test_a_failure_of_the_server_itself_is_told_with_200_and_an_id(caplog: pytest.LogCaptureFixture) -> None:
    """Any other status would end the session of the engine's client, with all its calls; the log says what it was."""

    async def fail(call: Call, **_: Any) -> NoReturn:
        raise RuntimeError("token hunter2")

    registry = Registry()
    registry.register_action(ActionEcho)
    settings = McpSettings(actions=("*",))
    offer = make_offer(registry, settings, Settings().options, None)
    body = json.dumps({**REQUEST, "method": "tools/call", "params": CALL}).encode()
    who = Caller(request_id="r-1")

    status, reply, _ = await McpEndpoint(ToolCaller(offer, fail, "c"), settings).answer(body, {}, who)

    answer = json.loads(reply)
    [line] = [r for r in caplog.records if r.message == "server.failed"]
    assert (status, answer["id"], answer["error"]["code"]) == (200, 1, -32603)
    assert answer["error"]["data"]["error_id"] == vars(line)["error_id"]
    assert vars(line)["error_id"] in answer["error"]["message"]
    assert (len(vars(line)["error_id"]), vars(line)["request_id"]) == (12, "r-1")
    assert line.exc_info is not None
    assert b"hunter2" not in reply


@pytest.mark.parametrize(
    ("headers", "body", "status", "said"),
    [
        ({}, b"[" * 2000, 413, "--max-request-bytes"),
        ({"Content_Encoding": "gzip"}, b"no gzip", 400, "gzip"),
        ({"Content_Encoding": "zip"}, b"{}", 415, "zip"),
    ],
)
async def test_what_is_refused_before_it_is_read_is_an_error_of_the_protocol(
    headers: dict[str, str], body: bytes, status: int, said: str
) -> None:
    """Without an id, which nobody has read."""
    async with tool_server(max_request_bytes=1024) as tools:
        found, answer = await tools.post(body, **headers)

    assert (found, set(answer), answer["error"]["code"]) == (status, {"jsonrpc", "error"}, -32600)
    assert said in answer["error"]["message"]


NOTIFICATIONS: list[tuple[str, object]] = [
    ("initialized", {"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ("cancelled", {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}),
    ("one with odd params", {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": [7]}),
    ("one of another JSON-RPC", {"method": "notifications/initialized"}),
    ("one nobody knows", {"jsonrpc": "2.0", "method": "notifications/of_tomorrow"}),
    ("an answer nobody asked for", {"jsonrpc": "2.0", "id": 3, "result": {}}),
    ("an error nobody asked for", {"jsonrpc": "2.0", "id": 3, "error": {"code": 1, "message": "no"}}),
]


@pytest.mark.parametrize("body", [n[1] for n in NOTIFICATIONS], ids=[n[0] for n in NOTIFICATIONS])
async def test_a_notification_is_taken_whatever_it_says(tools: ToolServer, body: object) -> None:
    """202 and nothing else: there are clients that do not connect otherwise."""
    assert await tools.post(body) == (202, None)


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "PUT", "PATCH"])
@pytest.mark.parametrize("path", ["", "/"])
async def test_there_is_no_stream_and_no_session_to_end(tools: ToolServer, method: str, path: str) -> None:
    """405 at once, which is the one answer that clients do not ask for again each second."""
    async with tools.session.request(method, tools.url + path) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"


async def test_a_slash_at_the_end_makes_no_difference(tools: ToolServer) -> None:
    """Nobody follows a redirect."""
    async with tools.session.post(f"{tools.url}/", json={**REQUEST, "method": "ping"}, allow_redirects=False) as found:
        assert (found.status, await found.json()) == (200, {**REQUEST, "result": {}})
        assert found.content_type == "application/json"


async def test_without_an_offered_action_there_is_no_such_path() -> None:
    """Offering is opt-in."""
    async with tool_server(McpSettings()) as tools:
        status, _ = await tools.post({**REQUEST, "method": "ping"})

    assert status == 404
