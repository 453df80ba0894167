"""Whatever process an action starts is its own: it gets none of the server's signals and sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from tests.action_server.serving.grpc.test_service import free_port
from tests.action_server.serving.server_calls import call
from tests.engine_calls import grpc_request
from tests.processes import PATIENCE, server
from tests.projects import project

ACTIONS = """
    import multiprocessing
    import os
    import signal
    import subprocess
    import sys
    import time
    from concurrent.futures import ProcessPoolExecutor
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet


    def add(a, b):
        return a + b


    def terminate(p):
        p.start()
        p.join(0.2)
        p.terminate()
        p.join()
        return p.exitcode


    class ActionTerminate(Action):
        def name(self):
            return "action_terminate"

        def run(self, dispatcher, tracker, domain):
            p = multiprocessing.get_context("fork").Process(target=time.sleep, args=(120,))
            return [SlotSet("seen", terminate(p))]


    class ActionTerminateAsync(Action):
        def name(self):
            return "action_terminate_async"

        async def run(self, dispatcher, tracker, domain):
            p = multiprocessing.get_context("fork").Process(target=time.sleep, args=(120,))
            return [SlotSet("seen", terminate(p))]


    class ActionKillAtOnce(Action):
        def name(self):
            return "action_kill_at_once"

        def run(self, dispatcher, tracker, domain):
            return [SlotSet("seen", [self.killed() for _ in range(8)])]

        def killed(self):
            child = os.fork()
            if child == 0:
                time.sleep(120)
            os.kill(child, signal.SIGTERM)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


    class ActionInterrupt(Action):
        def name(self):
            return "action_interrupt"

        def run(self, dispatcher, tracker, domain):
            program = "import signal, time; print('up', flush=True); time.sleep(120)"
            child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            child.stdout.readline()
            child.send_signal(signal.SIGINT)
            code = child.wait()
            child.stdout.close()
            return [SlotSet("seen", code)]


    class ActionPool(Action):
        def name(self):
            return "action_pool"

        def run(self, dispatcher, tracker, domain):
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
                return [SlotSet("seen", sum(pool.map(add, [1, 2], [3, 4])))]


    class ActionSpawn(Action):
        def name(self):
            return "action_spawn"

        def run(self, dispatcher, tracker, domain):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                return [SlotSet("seen", pool.submit(add, 1, 2).result())]


    class ActionLeave(Action):
        def name(self):
            return "action_leave"

        def run(self, dispatcher, tracker, domain):
            child = os.fork()
            if child == 0:
                time.sleep(600)
            return [SlotSet("seen", [os.getpid(), child])]


    class ActionReturn(Action):
        def name(self):
            return "action_return"

        def run(self, dispatcher, tracker, domain):
            child = os.fork()
            if child == 0:
                sys.exit(7)
            return [SlotSet("seen", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))]
"""


async def seen(url: str, action: str) -> Any:
    """What the action saw of its child."""
    status, answer = await call(url, action)
    assert status == 200, answer
    return answer["events"][0]["value"]


CHILDREN = [
    ("action_terminate", -signal.SIGTERM),
    ("action_terminate_async", -signal.SIGTERM),
    ("action_kill_at_once", [-signal.SIGTERM] * 8),
    ("action_interrupt", -signal.SIGINT),
    ("action_pool", 10),
    ("action_spawn", 3),
    ("action_return", 7),
]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_process_that_an_action_starts_and_ends_is_its_own(tmp_path: Path, workers: str) -> None:
    """Signals reach the child alone, however it was made, and the server goes on as if nothing had been."""
    project(tmp_path, {"actions.py": ACTIONS})
    with server(tmp_path, "--workers", workers) as running:
        for _ in range(2):
            assert [(name, await seen(running.url, name)) for name, _ in CHILDREN] == CHILDREN
        assert not [line for line in running.log if line["event"] in ("worker.stopping", "worker.died")]

        assert running.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_child_that_outlives_the_server_holds_nothing_of_it(tmp_path: Path, workers: str) -> None:
    """The server ends without waiting for it, and the address is free."""
    project(tmp_path, {"actions.py": ACTIONS})
    with server(tmp_path, "--workers", workers) as running:
        _, child = await seen(running.url, "action_leave")
        try:
            assert running.stop() == 0
            os.kill(child, 0)
            port = int(running.url.rpartition(":")[2])
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("127.0.0.1", port))
                sock.listen()
        finally:
            os.kill(child, signal.SIGKILL)
    assert not [line for line in running.log if line["event"] == "worker.killed"]


async def test_a_worker_that_dies_is_replaced_though_its_child_lives(tmp_path: Path) -> None:
    """What tells the supervisor of a worker's end is not held by the child."""
    project(tmp_path, {"actions.py": ACTIONS})
    with server(tmp_path, "--workers", "2") as running:
        worker, child = await seen(running.url, "action_leave")
        try:
            os.kill(worker, signal.SIGKILL)
            died = await asyncio.to_thread(running.wait_for, "worker.died")
            assert died["pid"] == worker
            await asyncio.wait_for(asyncio.to_thread(running.wait_for, "worker.replaced"), PATIENCE)
        finally:
            os.kill(child, signal.SIGKILL)


async def test_a_child_of_a_grpc_server_holds_no_socket_of_it(tmp_path: Path) -> None:
    """gRPC's sockets are opened in C, and are found all the same."""
    project(tmp_path, {"actions.py": ACTIONS})
    port = free_port()
    with server(tmp_path, "--grpc", "--port", str(port)) as running:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            answer = await stub.Webhook(grpc_request("action_leave"), wait_for_ready=True)
        _, child = (int(number) for number in answer.events[0]["value"])
        try:
            assert running.stop() == 0
            os.kill(child, 0)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=5)
        finally:
            os.kill(child, signal.SIGKILL)
