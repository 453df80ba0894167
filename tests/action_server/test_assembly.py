"""One road for a call: the same body is answered alike in this process, by the plain route and by the fast protocol."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from rasa_sdk import ActionExecutionRejection, Tracker
from rasa_sdk.executor import CollectingDispatcher

from action_server import assembly as assembly_module
from action_server.assembly import Assembly, CallHandler
from action_server.config.settings import Settings
from action_server.errors import ActionNotFoundError, RequestError
from action_server.flows.player.webhook import InProcess
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from action_server.serving.http.fast_webhook import Webhook
from action_server.serving.server import listen
from action_server.serving.worker import serve_http
from action_server.telemetry.metrics import Metrics

Answered = tuple[int, bytes]
Send = Callable[[bytes], Awaitable[Answered]]
# Not what engines send, and of no meaning here: such a request is the plain route's.
TO_THE_PLAIN_ROUTE = {"TE": "trailers"}


class Trackers:
    """The classes of trackers that actions saw."""

    def __init__(self) -> None:
        self.seen: list[type[Tracker]] = []

    def note(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        self.seen.append(type(tracker))
        return []

    def read_events(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[Any]:
        dispatcher.utter_message(text=f"{len(tracker.events)} events")
        return self.note(dispatcher, tracker, domain)


def reject(*_: Any) -> None:
    raise ActionExecutionRejection("action_reject", "not now")


def body_of(action: object, **tracker: Any) -> bytes:
    return json.dumps({"next_action": action, "tracker": {"sender_id": "s", **tracker}, "version": "3.21.0"}).encode()


DEEP = json.loads("[" * 200 + "]" * 200)
BODIES: list[tuple[str, bytes, int]] = [
    ("a good one", body_of("action_note", slots={"a": 1}, events=[{"event": "user"}]), 200),
    ("events nobody reads that are none", body_of("action_note", events=["not an event"]), 200),
    ("events somebody reads that are none", body_of("action_read_events", events=["not an event"]), 400),
    ("slots nobody reads that are none", body_of("action_note", slots=["not slots"]), 400),
    ("an action nobody registered", body_of("action_other"), 404),
    ("an action that rejects", body_of("action_reject"), 400),
    ("no action", body_of(None), 400),
    ("no JSON", b'{"next_action": ', 400),
    ("no object", b"[]", 400),
    ("slots nobody reads that are too deep", body_of("action_note", slots={"a": DEEP}), 200),
    ("events somebody reads that are too deep", body_of("action_read_events", events=[{"event": DEEP}]), 400),
    ("no UTF-8", body_of("action_note").replace(b'"s"', b'"\xff"'), 400),
]


@asynccontextmanager
async def serving(assembly: Assembly) -> AsyncIterator[str]:
    sock = listen("127.0.0.1", 0)
    try:
        async with serve_http(assembly, sock, f"test-{uuid4().hex}", only_one=False):
            yield f"http://127.0.0.1:{sock.getsockname()[1]}/webhook"
    finally:
        sock.close()


@pytest.fixture
def trackers() -> Trackers:
    return Trackers()


@pytest.fixture
async def assembly(trackers: Trackers) -> AsyncIterator[Assembly]:
    registry = Registry()
    registry.register_function("action_note", trackers.note)
    registry.register_function("action_read_events", trackers.read_events)
    registry.register_function("action_reject", reject)
    executor = Executor(registry)
    yield Assembly(Settings(grace=0), executor, Readiness())
    executor.close()


@pytest.fixture
async def by_http(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Send, Send]]:
    """Sends to the fast protocol and to the plain route; each is known to have answered by itself."""
    fast: list[bytes] = []
    real = Webhook.answer

    async def answer(self: Webhook, body: bytes | memoryview, head: Any, *more: Any) -> bytes:
        fast.append(bytes(body))
        return await real(self, body, head, *more)

    monkeypatch.setattr(Webhook, "answer", answer)
    async with serving(assembly) as url, aiohttp.ClientSession() as session:

        async def send(body: bytes, headers: dict[str, str]) -> Answered:
            fast.clear()
            async with session.post(url, data=body, headers={"Connection": "close", **headers}) as response:
                found = response.status, await response.read()
            assert fast == ([] if headers else [body])
            return found

        yield lambda body: send(body, {}), lambda body: send(body, TO_THE_PLAIN_ROUTE)


@pytest.mark.parametrize(("body", "status"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])
async def test_a_body_is_answered_alike_on_every_way_in(
    body: bytes, status: int, assembly: Assembly, by_http: tuple[Send, Send], trackers: Trackers
) -> None:
    """The same status and bytes, and the action sees a tracker of the same class."""
    fast, plain = by_http

    from_fast, from_plain = await fast(body), await plain(body)
    code, reply, error = await assembly.calls.answer(body)
    played = await InProcess(assembly.calls).post(body)

    assert from_fast == from_plain == (code, reply)
    assert (played.status, played.body) == (code, json.loads(reply))
    assert code == status == (200 if error is None else error.status)
    assert len(trackers.seen) in (0, 4)
    assert len(set(trackers.seen)) <= 1


async def test_an_error_comes_with_what_it_tells(assembly: Assembly) -> None:
    """Whoever speaks HTTP needs its headers, and nobody reads the bytes again for its class."""
    _, _, error = await assembly.calls.answer(body_of("action_other"))

    assert isinstance(error, ActionNotFoundError)
    assert error.action == "action_other"


class Counting(Metrics):
    """Metrics that remember why requests were refused."""

    def __init__(self) -> None:
        super().__init__(enabled=False)
        self.reasons: list[str] = []

    def refused(self, reason: str) -> None:
        self.reasons.append(reason)


async def test_a_refused_body_is_told_once(assembly: Assembly, caplog: pytest.LogCaptureFixture) -> None:
    """One line and one count for what did not become a call; the executor tells of what did."""
    metrics = Counting()
    calls = CallHandler(assembly.executor, metrics=metrics)
    caplog.set_level(logging.INFO, "action_server")

    await calls.answer(b"{")
    await calls.answer(body_of("action_other"))

    assert caplog.messages == ["call.refused", "action.finished"]
    assert metrics.reasons == ["malformed"]


async def test_a_defect_of_the_server_is_answered_with_an_id(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In this process too: what plays a flow sees the 500 that an engine would, and no exception's text."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(assembly_module, "read_call", broken)

    played = await InProcess(assembly.calls).post(body_of("action_note"))

    (record,) = [r for r in caplog.records if r.msg == "server.failed"]
    assert played.status == 500
    assert vars(record)["error_id"] == played.body["error_id"]
    assert "hunter2" not in str(played.body)


async def test_a_body_may_still_arrive(assembly: Assembly) -> None:
    """What gives it may fail in its own words, and a packed one is unpacked first."""

    async def arrive(body: bytes) -> bytes:
        return body

    async def fail() -> bytes:
        raise RequestError("it stopped")

    async def turn(body: bytes) -> bytes:
        return body[::-1]

    good = body_of("action_note")
    status, _, _ = await assembly.calls.answer(arrive(good[::-1]), decompress=turn)
    _, reply, error = await assembly.calls.answer(fail())

    assert status == 200
    assert json.loads(reply)["error"] == "it stopped"
    assert error is not None


async def test_whoever_is_cancelled_is_not_answered(trackers: Trackers) -> None:
    """A cancellation ends the caller's task, as it does everywhere."""
    started = asyncio.Event()

    async def wait(*_: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    registry = Registry()
    registry.register_function("action_wait", wait)
    executor = Executor(registry)
    task = asyncio.create_task(CallHandler(executor).answer(body_of("action_wait")))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    executor.close()
