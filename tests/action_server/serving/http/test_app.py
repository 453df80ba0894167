"""The routes, over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from rasa_sdk import ActionExecutionRejection
from rasa_sdk.events import SlotSet

from action_server import assembly as assembly_module
from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.limits import Limits
from action_server.runtime.registry import Registry
from action_server.serving import worker
from action_server.serving.server import listen
from action_server.testing import webhook_request
from tests.engine_calls import call_body

LIMIT = 64 * 1024


def echo(dispatcher: Any, tracker: Any, domain: Any) -> Any:
    dispatcher.utter_message(text=tracker.latest_message.get("text"))
    return [SlotSet("seen", tracker.slots)]


def reject(*_: Any) -> None:
    raise ActionExecutionRejection("action_reject", "not now")


def fail(*_: Any) -> None:
    raise RuntimeError("token hunter2")


def domain_of(_: Any, tracker: Any, domain: Any) -> Any:
    return [SlotSet("domain", domain)]


class Client:
    """A client of one server."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def send(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        async with self.session.request(method, f"{self.url}{path}", **options) as response:
            assert response.content_type == "application/json"
            return response.status, await response.json(), response.headers

    async def call(self, action: object, **fields: Any) -> tuple[int, Any]:
        # As long as nobody asked for its domain.
        call = {name: part for name, part in webhook_request("action_echo").items() if not name.startswith("domain")}
        body = dict(call, next_action=action, **fields)
        status, answer, _ = await self.send("POST", "/webhook", data=json.dumps(body))
        return status, answer


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    registry = Registry()
    for function in (echo, reject, fail, domain_of):
        registry.register_function(f"action_{function.__name__}", function)
    executor = Executor(registry, limits=Limits(sync_workers=2, max_domains=2))
    settings = Settings(max_request_bytes=LIMIT, cors=("https://clinic.example",), grace=0)
    assembly = Assembly(settings, executor, Readiness())
    sock = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    serving = worker.serve_http(assembly, sock, f"test-{uuid4().hex}", only_one=False)
    async with serving, aiohttp.ClientSession() as session:
        yield Client(session, url)
    executor.close()
    sock.close()


async def test_health_and_actions_answer_as_rasa_sdk_does(client: Client) -> None:
    """The bodies that probes and tools look at."""
    assert (await client.send("GET", "/health"))[:2] == (200, {"status": "ok"})
    status, body, _ = await client.send("GET", "/actions")
    assert status == 200
    assert body == [{"name": f"action_{n}"} for n in ("echo", "reject", "fail", "domain_of")]


@pytest.mark.parametrize("path", ["/webhook", "/webhook/", "/webhook?token=t&tenant=a+b"])
async def test_the_webhook_answers_at_every_form_of_its_path(client: Client, path: str) -> None:
    """Engines use the configured URL exactly, with a slash, a token or parameters."""
    body = webhook_request("action_echo", said="hi")

    status, answer, _ = await client.send("POST", path, json=body)

    assert (status, answer["responses"][0]["text"]) == (200, "hi")


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("deflate", zlib.compress), ("gzip", gzip.compress), ("GZIP", gzip.compress)],
    ids=["deflate", "gzip", "upper case"],
)
async def test_compressed_bodies_are_understood(client: Client, encoding: str, compress: Any) -> None:
    """Engines deflate when they are told to; proxies use gzip."""
    body = compress(call_body("action_echo"))

    status, _, _ = await client.send("POST", "/webhook", data=body, headers={"Content-Encoding": encoding})

    assert status == 200


async def test_a_compressed_call_whose_action_fails_is_a_500(client: Client) -> None:
    """rasa-sdk answers a 400 without `action_name` there, which crashes the engine."""
    body = zlib.compress(call_body("action_fail"))

    status, answer, _ = await client.send("POST", "/webhook", data=body, headers={"Content-Encoding": "deflate"})

    assert (status, answer["action_name"]) == (500, "action_fail")


async def test_a_chunked_body_is_read(client: Client) -> None:
    """Engines that compress send no Content-Length."""

    async def chunks() -> AsyncIterator[bytes]:
        for byte in call_body("action_echo"):
            yield bytes([byte])

    assert (await client.send("POST", "/webhook", data=chunks()))[0] == 200


@pytest.mark.parametrize(
    ("action", "status", "error"),
    [
        ("action_reject", 400, "not now"),
        ("action_nobody", 404, "No registered action found for name 'action_nobody'."),
        (7, 400, "next_action must be a string, not a number"),
        (None, 400, "next_action is missing; it must be the name of an action"),
    ],
    ids=["rejection", "unknown action", "not a string", "missing"],
)
async def test_errors_carry_the_error_and_the_action(client: Client, action: object, status: int, error: str) -> None:
    """Both keys are in every error: an engine reads `action_name` of a 400 without looking."""
    name = action if isinstance(action, str) else ""

    assert await client.call(action) == (status, {"error": error, "action_name": name})


async def test_a_failing_action_is_a_500_with_an_id_and_no_details(client: Client) -> None:
    """Neither the exception's text nor anything of the request is in it."""
    status, body = await client.call("action_fail", tracker={"sender_id": "s", "slots": {"card": "4111"}})

    assert status == 500
    assert set(body) == {"error", "action_name", "error_id"}
    assert "hunter2" not in str(body)
    assert "4111" not in str(body)


async def test_a_domain_is_asked_for_with_449_only_if_there_is_a_digest(client: Client) -> None:
    """Without a digest an engine takes 449 for a failure."""
    status, body = await client.call("action_domain_of", domain_digest="d1")
    assert status == 449
    assert set(body) == {"error", "action_name"}
    assert body["action_name"] == "action_domain_of"

    assert (await client.call("action_domain_of"))[0] == 200
    assert (await client.call("action_domain_of", domain_digest="d1", domain={"a": 1}))[0] == 200
    status, body = await client.call("action_domain_of", domain_digest="d1")
    assert (status, body["events"][0]["value"]) == (200, {"a": 1})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/webhooks", 404),
        ("GET", "/metrics?token=hunter2", 404),
        ("GET", "/webhook", 405),
        ("DELETE", "/health", 405),
    ],
)
async def test_unknown_paths_and_methods_are_404_and_405(client: Client, method: str, path: str, status: int) -> None:
    """Where rasa-sdk answers 500 with a stack trace; the path is not echoed."""
    found, body, headers = await client.send(method, path)

    assert found == status
    assert set(body) == {"error", "action_name"}
    assert "hunter2" not in str(body)
    assert "POST /webhook" in body["error"]
    assert status != 405 or headers["Allow"]


@pytest.mark.parametrize("size", [LIMIT + 1, 4 * LIMIT])
async def test_a_body_over_the_limit_is_a_413(client: Client, size: int) -> None:
    """The error names the limit and how to raise it."""
    status, body, _ = await client.send("POST", "/webhook", data=b" " * size)

    assert status == 413
    assert f"larger than {LIMIT} bytes" in body["error"]
    assert "--max-request-bytes" in body["error"]


async def test_a_body_that_inflates_over_the_limit_is_a_413(client: Client) -> None:
    """However small it is on the wire."""
    bomb = zlib.compress(b" " * (100 * LIMIT))
    assert len(bomb) < LIMIT

    status, body, _ = await client.send("POST", "/webhook", data=bomb, headers={"Content-Encoding": "deflate"})

    assert (status, "--max-request-bytes" in body["error"]) == (413, True)


async def test_an_unknown_encoding_is_a_415(client: Client) -> None:
    """The error says which encodings there are, not which one was asked for."""
    status, body, _ = await client.send("POST", "/webhook", data=b"x", headers={"Content-Encoding": "br"})

    assert (status, body["error"]) == (
        415,
        "the Content-Encoding of the request is not supported; use deflate, gzip or none",
    )


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'{"next_action": "action_echo"}', b"[" * 60_000])
async def test_a_malformed_body_is_a_400_in_words(
    client: Client, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It says what is wrong, and the log has a line for it."""
    status, answer, _ = await client.send("POST", "/webhook", data=body)

    assert status == 400
    assert answer["error"]
    assert "call.refused" in [record.msg for record in caplog.records]


async def test_odd_but_valid_values_come_back_as_they_went_out(client: Client) -> None:
    """Lone surrogates, integers of any size, text beyond ASCII; infinity, which is no JSON, as null."""
    slots = {"surrogate": "\ud800", "big": 2**70, "inf": float("inf"), "name": "Zoë 🦷"}

    status, body = await client.call("action_echo", tracker={"sender_id": "s", "slots": slots})

    assert (status, body["events"][0]["value"]) == (200, slots | {"inf": None})


async def test_cors_is_answered_for_the_origins_that_are_set(client: Client) -> None:
    """A browser of that origin may call; another one is told nothing."""
    _, _, allowed = await client.send("GET", "/health", headers={"Origin": "https://clinic.example"})
    _, _, other = await client.send("GET", "/health", headers={"Origin": "https://evil.example"})

    assert allowed["Access-Control-Allow-Origin"] == "https://clinic.example"
    assert "Access-Control-Allow-Origin" not in other


async def test_an_unforeseen_error_of_the_server_itself_leaks_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect of ours is a 500 with an id; the details are in the log under it."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(assembly_module, "read_call", broken)

    status, body = await client.call("action_echo")

    assert status == 500
    assert "hunter2" not in str(body)
    (record,) = [r for r in caplog.records if r.msg == "server.failed"]
    assert vars(record)["error_id"] == body["error_id"]


async def test_half_a_request_does_not_disturb_the_others(client: Client) -> None:
    """A client that goes away in the middle of its body costs nobody else anything."""
    host, port = client.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.close()

    assert (await client.call("action_echo"))[0] == 200
