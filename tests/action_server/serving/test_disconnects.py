"""A caller that leaves while its action runs: one rule for every kind of action, whichever way it came in."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import grpc
import pytest
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server import action_options
from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.limits import Limits
from action_server.runtime.registry import Registry
from action_server.runtime.tool_options import McpSettings
from action_server.serving import worker
from action_server.serving.grpc.server import serve_grpc
from action_server.serving.server import listen
from tests.action_server.serving.grpc.test_service import free_port
from tests.action_server.serving.http.raw_calls import PLAIN, body_of, connected, request
from tests.engine_calls import grpc_request

HTTP_WAYS = ["fast", "plain", "mcp"]
WAYS = [*HTTP_WAYS, "grpc", "grpc stream"]
PATIENCE = 20.0

Leave = Callable[[], None]


@dataclass
class Job:
    """What an action does: it begins, waits for its release, and ends or is cancelled."""

    begun: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    outcome: list[str] = field(default_factory=list)

    def run_sync(self, *_: Any) -> list[Any]:
        self.begun.set()
        self.released.wait(PATIENCE)
        self.outcome.append("ended")
        return []

    async def run_async(self, *_: Any) -> list[Any]:
        self.begun.set()
        try:
            while not self.released.is_set():  # noqa: ASYNC110 - the event of two kinds of actions
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.outcome.append("cancelled")
            raise
        self.outcome.append("ended")
        return []


@pytest.fixture
def job() -> Iterator[Job]:
    made = Job()
    yield made
    made.released.set()


async def until(is_so: Callable[[], object]) -> None:
    async def poll() -> None:
        while not is_so():  # noqa: ASYNC110 - a server sets no event for tests
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), PATIENCE)


def assembly_of(
    job: Job, settings: Settings, mark: Callable[[Any], Any] | None = None, second: Job | None = None
) -> Assembly:
    async def run_async(*arguments: Any) -> list[Any]:
        return await job.run_async(*arguments)

    def run_sync(*arguments: Any) -> list[Any]:
        return job.run_sync(*arguments)

    registry = Registry()
    for name, run in (("action_async", run_async), ("action_sync", run_sync)):
        registry.register_function(name, mark(run) if mark is not None else run)
    if second is not None:
        registry.register_function("action_second", second.run_sync)
    executor = Executor(registry, limits=Limits(sync_workers=2), options=settings.options)
    # Set here, as each test has settings of its own.
    return Assembly(settings.model_copy(update={"mcp": McpSettings(actions=("*",))}), executor, Readiness())


@asynccontextmanager
async def called(way: str, assembly: Assembly, action: str) -> AsyncIterator[Leave]:
    """Call an action; gives what makes the caller leave."""
    if way.startswith("grpc"):
        async with serve_grpc(assembly), grpc.aio.insecure_channel(f"127.0.0.1:{assembly.settings.port}") as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            send = stub.WebhookStream if "stream" in way else stub.Webhook
            rpc = send(grpc_request(action), wait_for_ready=True)
            waiting = asyncio.ensure_future(rpc.read() if "stream" in way else _ended(rpc))
            yield rpc.cancel
            await asyncio.gather(waiting, return_exceptions=True)
        return
    sock = listen("127.0.0.1", 0)
    name = f"test-{uuid4().hex}"
    async with (
        worker.serve_http(assembly, sock, name, only_one=False),
        connected(sock.getsockname()[1]) as connection,
    ):
        connection.send(sent(way, action))
        yield connection.writer.close
    sock.close()


def sent(way: str, action: str) -> bytes:
    """A request that calls an action, over MCP as its tool."""
    if way != "mcp":
        return request(body_of(action), *([PLAIN] if way == "plain" else []))
    params = {"name": action, "arguments": {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return request(json.dumps(message).encode(), line="POST /mcp HTTP/1.1").replace(b"Host: x", b"Host: localhost")


async def _ended(rpc: Any) -> None:
    await rpc


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("action", ["action_async", "action_sync"])
async def test_what_has_begun_ends_though_its_caller_has_left(
    job: Job, way: str, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By default; the log tells of the call's end, and that nobody heard its answer."""
    caplog.set_level(logging.INFO, "action_server")
    assembly = assembly_of(job, Settings(grace=PATIENCE, host="127.0.0.1", port=free_port()))
    async with called(way, assembly, action) as leave:
        await until(job.begun.is_set)
        leave()
        await until(lambda: assembly.executor.disconnects.unattended)
        job.released.set()
        await until(lambda: not assembly.executor.disconnects.unattended)

    assert job.outcome == ["ended"]
    found = {record.msg: record for record in caplog.records}
    assert vars(found["action.finished"])["outcome"] == "ok"
    assert vars(found["call.refused"])["problem"] == "the client went away"


@pytest.mark.parametrize("way", WAYS)
async def test_an_async_action_is_cancelled_where_that_is_chosen(
    job: Job, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As under rasa-sdk; the log names the line at which it was."""
    assembly = assembly_of(job, Settings(on_disconnect="cancel", grace=1, host="127.0.0.1", port=free_port()))
    async with called(way, assembly, "action_async") as leave:
        await until(job.begun.is_set)
        leave()
        await until(lambda: job.outcome)
        await until(lambda: "call.refused" in [record.msg for record in caplog.records])

    assert job.outcome == ["cancelled"]
    [cancelled] = [record for record in caplog.records if record.msg == "action.cancelled"]
    line = Job.run_async.__code__.co_firstlineno + 4
    assert vars(cancelled)["place"] == f"tests/action_server/serving/test_disconnects.py:{line}"


async def test_an_action_says_itself_that_it_finishes(job: Job) -> None:
    """The author knows which ones have effects, whatever is set for the rest."""
    settings = Settings(on_disconnect="cancel", grace=PATIENCE, host="127.0.0.1", port=free_port())
    assembly = assembly_of(job, settings, action_options(on_disconnect="finish"))
    async with called("fast", assembly, "action_async") as leave:
        await until(job.begun.is_set)
        leave()
        await until(lambda: assembly.executor.disconnects.unattended)
        job.released.set()

    assert job.outcome == ["ended"]


@pytest.mark.parametrize("way", [*HTTP_WAYS, "grpc"])
async def test_a_server_that_stops_waits_for_what_goes_on_without_its_caller(job: Job, way: str) -> None:
    """Its services close only then, and its connection is no longer there to be waited for."""
    assembly = assembly_of(job, Settings(grace=PATIENCE, host="127.0.0.1", port=free_port()))
    async with called(way, assembly, "action_async") as leave:
        await until(job.begun.is_set)
        leave()
        await until(lambda: assembly.executor.disconnects.unattended)
        asyncio.get_running_loop().call_later(0.2, job.released.set)

    assert job.outcome == ["ended"]


@pytest.mark.parametrize("way", [*HTTP_WAYS, "grpc"])
async def test_what_goes_on_longer_than_the_grace_is_cut(job: Job, way: str, caplog: pytest.LogCaptureFixture) -> None:
    """And the log says where it was."""
    assembly = assembly_of(job, Settings(grace=0.2, host="127.0.0.1", port=free_port()))
    async with called(way, assembly, "action_async") as leave:
        await until(job.begun.is_set)
        leave()
        await until(lambda: assembly.executor.disconnects.unattended)

    assert job.outcome == ["cancelled"]
    assert {"call.cut", "action.cancelled"} <= {record.msg for record in caplog.records}


@pytest.mark.parametrize("way", HTTP_WAYS)
async def test_what_waits_for_a_thread_never_begins(job: Job, way: str) -> None:
    """Whoever left has perhaps asked elsewhere by then."""
    second = Job()
    assembly = assembly_of(job, Settings(grace=PATIENCE, host="127.0.0.1", port=free_port()), second=second)
    executor = assembly.executor
    executor.threads.close()
    executor.threads = type(executor.threads)(1)  # type: ignore[call-arg]
    sock = listen("127.0.0.1", 0)
    async with worker.serve_http(assembly, sock, f"test-{uuid4().hex}", only_one=False):
        port = sock.getsockname()[1]
        async with connected(port) as first, connected(port) as other:
            first.send(request(body_of("action_sync")))
            await until(job.begun.is_set)
            other.send(sent(way, "action_second"))
            await until(lambda: executor.threads.running == 2)
            other.writer.close()
            await until(lambda: executor.threads.running == 1)
            job.released.set()
            await first.answer()
    sock.close()

    assert (job.outcome, second.outcome) == (["ended"], [])


async def test_every_way_in_tells_the_log_who_called(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    """The address is in the call's line over gRPC as over HTTP."""
    caplog.set_level(logging.INFO, "action_server")
    job.released.set()
    for way in WAYS:
        assembly = assembly_of(job, Settings(grace=PATIENCE, host="127.0.0.1", port=free_port()))
        async with called(way, assembly, "action_async"):
            await until(lambda: len(job.outcome) == WAYS.index(way) + 1)  # noqa: B023 - awaited at once
    lines = [vars(record) for record in caplog.records if record.msg == "action.finished"]

    assert [line["client"] for line in lines] == ["127.0.0.1"] * len(WAYS)
