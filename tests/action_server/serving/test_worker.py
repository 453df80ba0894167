"""One worker: told to stop it drains, and what does not end is cut."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from action_server.assembly import assemble
from action_server.config.settings import Settings
from action_server.serving.server import listen
from action_server.serving.stopping.stop_signal import StopSignal
from action_server.serving.worker import serve_http
from tests.action_server.serving.server_calls import call, gate
from tests.processes import PATIENCE, server
from tests.projects import GREET, WAITING, project


async def test_a_worker_is_ready_while_it_serves_and_drains_afterwards(folder: Path) -> None:
    """Probes see it: calls come only between the two."""
    project(folder, {"greeting.py": GREET})
    sock = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    async with assemble(Settings(actions="greeting", metrics=False, watchdog=0.0, grace=0)) as assembly:
        before = assembly.readiness.state
        async with serve_http(assembly, sock, f"test-{uuid4().hex}", only_one=False):
            during = assembly.readiness.state
            status, body = await call(url, "action_greet")
        after = assembly.readiness.state
    sock.close()

    assert (before, during, after) == ("starting", "ready", "draining")
    assert (status, body["responses"][0]["text"]) == (200, f"hello from {os.getpid()}")


async def test_a_signal_asks_for_the_drain_once() -> None:
    """Whoever waits goes on; a second one during the drain does not matter to a worker that has a parent."""
    ours, theirs = multiprocessing.Pipe()
    stop = StopSignal(signal.SIGUSR1, parent=theirs)
    stop.arm()
    os.kill(os.getpid(), signal.SIGUSR1)

    await asyncio.wait_for(stop.wait(), PATIENCE)
    stop.stop()

    loop = asyncio.get_running_loop()
    assert loop.remove_signal_handler(signal.SIGUSR1)
    assert loop.remove_reader(theirs.fileno())
    ours.close()
    theirs.close()


async def test_a_worker_stops_when_its_parent_is_gone() -> None:
    """The parent's end of the pipe closes with the parent's process."""
    ours, theirs = multiprocessing.Pipe()
    stop = StopSignal(parent=theirs)
    stop.arm()

    ours.close()

    await asyncio.wait_for(stop.wait(), PATIENCE)
    assert not asyncio.get_running_loop().remove_reader(theirs.fileno())
    theirs.close()


async def test_an_action_that_never_ends_does_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    """After the grace period the call is cut and the process ends, its hanging thread with it."""
    project(tmp_path, {"actions.py": WAITING})
    async with gate() as (port, arrived):
        with server(tmp_path, "--grace", "0.1") as running:
            waiting = asyncio.create_task(call(running.url, "action_wait", port=port))
            writer = await arrived.get()

            assert await asyncio.to_thread(running.stop) == 0

            with pytest.raises(aiohttp.ClientError):
                await waiting
            writer.close()
    assert "call.cut" in [line["event"] for line in running.log]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_second_signal_ends_the_server_at_once(tmp_path: Path, workers: str) -> None:
    """Whoever does not want to wait for the drain sends the signal again."""
    project(tmp_path, {"actions.py": WAITING})
    async with gate() as (port, arrived):
        with server(tmp_path, "--grace", "3600", "--workers", workers) as running:
            waiting = asyncio.create_task(call(running.url, "action_wait", port=port))
            writer = await arrived.get()
            running.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(running.wait_for, "worker.stopping")

            assert await asyncio.to_thread(running.stop) == 1

            with pytest.raises(aiohttp.ClientError):
                await waiting
            writer.close()
