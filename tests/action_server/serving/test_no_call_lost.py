"""A reload under load, and the end of a gRPC server: callers notice nothing."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.testing import webhook_request
from tests.action_server.serving.grpc.test_service import free_port
from tests.action_server.serving.server_calls import edit
from tests.engine_calls import grpc_request
from tests.processes import PATIENCE, server
from tests.projects import GREET, project

RELOADS = 2
CALLERS = 4
# What each of them waits between two calls, in seconds.
_BETWEEN = 0.004
GREETING = webhook_request("action_greet", sender="tester")

Call = Callable[[], Awaitable[object]]


async def call_until(over: asyncio.Event, call: Call, outcomes: Counter[str]) -> None:
    """Call again and again; each outcome is counted by its name."""
    while not over.is_set():
        # A few hundred calls a second meet every moment of a reload, and leave the machine to other tests.
        await asyncio.sleep(_BETWEEN)
        try:
            outcomes[str(await call())] += 1
        except aiohttp.ClientError as exc:
            outcomes[repr(exc)] += 1
        except grpc.aio.AioRpcError as exc:
            outcomes[exc.code().name] += 1


async def reload_under_load(
    folder: Path, flags: list[str], make: Callable[[str], Call], reloads: int = RELOADS
) -> Counter[str]:
    """Call while a file is edited so many times; what came of the calls, and how many ran."""
    outcomes: Counter[str] = Counter()
    over = asyncio.Event()
    with server(folder, "--auto-reload", "--drain-delay", "0.5", *flags) as running:
        call = make(running.url)
        callers = [asyncio.create_task(call_until(over, call, outcomes)) for _ in range(CALLERS)]
        for number in range(reloads):
            edit(folder / "words.py", f"NUMBER = {number}")
            await asyncio.to_thread(running.wait_for, "reload.done")
        # Until the old workers have closed what is left of their connections.
        await asyncio.sleep(1)
        over.set()
        await asyncio.gather(*callers)
    outcomes["carried out"] = [line["event"] for line in running.log].count("greeting")
    return outcomes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a file to edit."""
    action = GREET.replace("import os", "import os\n    import words")
    return project(tmp_path, {"actions.py": action, "words.py": "NUMBER = 0"})


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_no_call_over_http_is_lost_by_reloads(folder: Path, workers: str) -> None:
    """On kept connections, which a worker that retires closes only after it has said so."""
    async with aiohttp.ClientSession() as session:

        def make(url: str) -> Call:
            async def call() -> int:
                async with session.post(f"{url}/webhook", json=GREETING) as response:
                    await response.read()
                    return response.status

            return call

        outcomes = await reload_under_load(folder, ["--workers", workers], make)

    assert set(outcomes) == {"200", "carried out"}
    assert outcomes["200"] == outcomes["carried out"]


def offer_tools(folder: Path) -> None:
    (folder / "endpoints.yml").write_text("action_server: {mcp: {actions: [action_greet]}}\n", encoding="utf-8")


def calls_of_tools(session: aiohttp.ClientSession) -> Callable[[str], Call]:
    """Return what makes a call of the tool, each over whatever connection the session has."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "action_greet", "arguments": {}}}

    def make(url: str) -> Call:
        async def call() -> str:
            async with session.post(f"{url}/mcp", json=message) as response:
                found = await response.json()
                return f"{response.status} {found.get('result', found).get('structuredContent', found).get('ok')}"

        return call

    return make


@pytest.mark.parametrize("close", [False, True], ids=["kept connections", "a connection for each call"])
async def test_no_call_of_a_tool_is_lost_by_reloads(folder: Path, close: bool) -> None:
    """One refused connection, reset or status ends the session of an engine's client, with all its calls."""
    offer_tools(folder)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=close)) as session:
        outcomes = await reload_under_load(folder, ["--workers", "2"], calls_of_tools(session))

    assert set(outcomes) == {"200 True", "carried out"}
    assert outcomes["200 True"] == outcomes["carried out"]


# gRPC alone, and beside HTTP.
GRPC = pytest.mark.parametrize(
    ("flags", "workers"), [(["--grpc", "--port"], "1"), (["--grpc", "--port"], "2"), (["--grpc-port"], "2")]
)


@GRPC
async def test_no_call_over_grpc_is_lost_by_reloads(folder: Path, flags: list[str], workers: str) -> None:
    """The old worker serves until its clients have gone: once gRPC is told to stop, it cancels what reaches it."""
    port = free_port()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = action_webhook_pb2_grpc.ActionServiceStub(channel)

        def make(_: str) -> Call:
            async def call() -> str:
                await stub.Webhook(grpc_request("action_greet"))
                return "OK"

            return call

        outcomes = await reload_under_load(folder, [*flags, str(port), "--workers", workers], make)

    assert set(outcomes) == {"OK", "carried out"}
    assert outcomes["OK"] == outcomes["carried out"]


@GRPC
async def test_a_grpc_server_that_drains_says_so_and_takes_calls_until_the_delay_is_over(
    folder: Path, flags: list[str], workers: str
) -> None:
    """Its health is NOT_SERVING at once, calls are answered, and then the channel finds nobody."""
    port = free_port()
    with server(folder, *flags, str(port), "--workers", workers, "--drain-delay", "1.5") as running:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            health = health_pb2_grpc.HealthStub(channel)
            await stub.Webhook(grpc_request("action_greet"), wait_for_ready=True)
            running.process.send_signal(signal.SIGTERM)
            for _ in range(int(workers)):
                await asyncio.to_thread(running.wait_for, "worker.stopping")

            state = await health.Check(health_pb2.HealthCheckRequest())
            assert state.status == health_pb2.HealthCheckResponse.NOT_SERVING
            await stub.Webhook(grpc_request("action_greet"))
            assert await asyncio.to_thread(running.process.wait, PATIENCE) == 0
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Webhook(grpc_request("action_greet"))
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_grpc_server_that_drains_cancels_no_call(folder: Path, workers: str) -> None:
    """Its connections end one by one while it still serves; who connects anew is refused, and goes to another one."""
    port = free_port()
    outcomes: Counter[str] = Counter()

    async def call_until_refused(number: int) -> None:
        # Channels to one address share a connection unless they differ in something.
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("caller", number)]) as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            await stub.Webhook(grpc_request("action_greet"), wait_for_ready=True)
            outcomes["OK"] += 1
            started.release()
            while True:
                try:
                    await stub.Webhook(grpc_request("action_greet"))
                    outcomes["OK"] += 1
                except grpc.aio.AioRpcError as exc:
                    refused = "Connection refused" in (exc.details() or "")
                    outcomes["refused" if refused else f"{exc.code().name}: {exc.details()}"] += 1
                    return

    started = asyncio.Semaphore(0)
    with server(folder, "--grpc", "--port", str(port), "--workers", workers, "--drain-delay", "0.5") as running:
        callers = [asyncio.create_task(call_until_refused(number)) for number in range(24)]
        for _ in callers:
            await started.acquire()
        running.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*callers)
        assert await asyncio.to_thread(running.process.wait, PATIENCE) == 0
        carried_out = [line["event"] for line in running.log].count("greeting")

    assert outcomes == {"OK": carried_out, "refused": len(callers)}
