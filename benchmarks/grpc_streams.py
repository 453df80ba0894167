"""Streams whose clients vanish, in numbers that no test has time for: ``python -m benchmarks.grpc_streams``.

First a crowd at once, of which every fifth client leaves in the middle; then thousands one after the other, each
cancelled by its client. Afterwards no call may run, and the server's memory is to be what it was after a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import grpc
from rasa_sdk.grpc_py import action_webhook_pb2 as pb
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from benchmarks.load import rss_kb
from benchmarks.servers import ROOT, free_port

ACTIONS = """
from rasa_sdk import Action

class ActionCount(Action):
    def name(self):
        return "action_count"

    async def run(self, dispatcher, tracker, domain):
        for number in range(50):
            await dispatcher.stream_chunk(text=str(number))
        return []

class ActionTalk(Action):
    def name(self):
        return "action_talk"

    async def run(self, dispatcher, tracker, domain):
        while True:
            await dispatcher.stream_chunk(text="word ")
"""
# Of the memory after the first tenth of the cancelled streams: what the last may have more.
_MOST_GROWTH = 1.05
_AT_ONCE = 20
_PATIENCE = 60.0


def request(action: str) -> pb.WebhookRequest:
    """Return a call."""
    return pb.WebhookRequest(next_action=action, version="3.21.0", tracker=pb.Tracker(sender_id="s"))


async def crowd(stub: Any, number: int) -> int:
    """Stream to a crowd of which every fifth leaves; return how many of the others heard all."""

    async def listen(place: int) -> int:
        rpc = stub.WebhookStream(request("action_count"), timeout=_PATIENCE, wait_for_ready=True)
        if place % 5 == 0:
            await rpc.read()
            rpc.cancel()
            return 0
        chunks = [event async for event in rpc if event.WhichOneof("event") == "chunk"]
        return len(chunks) // 50

    return sum(await asyncio.gather(*(listen(place) for place in range(number))))


async def cancelled(stub: Any, number: int) -> None:
    """Begin streams that never end, and leave each after its first event."""

    async def leave() -> None:
        rpc = stub.WebhookStream(request("action_talk"), timeout=_PATIENCE, wait_for_ready=True)
        await rpc.read()
        rpc.cancel()

    for _ in range(number // _AT_ONCE):
        await asyncio.gather(*(leave() for _ in range(_AT_ONCE)))


async def running(pages: str) -> int:
    """Return how many calls run, once none does or patience is over."""
    found = -1
    for _ in range(int(_PATIENCE)):
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(f"{pages}/ready", timeout=_PATIENCE).read())  # noqa: S310
        found = int(json.loads(text)["calls"]["running"])
        if found == 0:
            break
        await asyncio.sleep(1)
    return found


async def check(port: int, pages: str, pid: int, people: int, streams: int) -> list[str]:
    """Return what is wrong."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
        heard = await crowd(stub, people)
        left = await running(pages)
        sys.stdout.write(f"a crowd of {people}: {heard} heard all of it, {left} calls run on\n")
        await cancelled(stub, streams // 10)
        await running(pages)
        before = rss_kb(pid)
        await cancelled(stub, streams - streams // 10)
        still, after = await running(pages), rss_kb(pid)
        sys.stdout.write(f"{streams} cancelled: {still} calls run on, {before} KiB became {after}\n")
    problems = {
        "the crowd did not hear everything": heard != people - (people + 4) // 5,
        "calls go on for clients that have gone": bool(left or still),
        "memory grew": after > before * _MOST_GROWTH,
    }
    return [problem for problem, is_so in problems.items() if is_so]


def main() -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crowd", type=int, default=200)
    parser.add_argument("--cancelled", type=int, default=10_000)
    args = parser.parse_args()
    port, pages = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "actions.py").write_text(ACTIONS, encoding="utf-8")
        command = [sys.executable, "-m", "action_server", "run", "--grpc", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--monitoring-port", str(pages), "--log-level", "ERROR", "--drain-delay", "0", "--max-blocked", "0"]
        with subprocess.Popen(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}) as server:  # noqa: S603
            try:
                url = f"http://127.0.0.1:{pages}"
                problems = asyncio.run(check(port, url, server.pid, args.crowd, args.cancelled))
            finally:
                server.terminate()
    for problem in problems:
        sys.stdout.write(f"wrong: {problem}\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
