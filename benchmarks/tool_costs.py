"""What tools cost the server: a flow's call step beside the official SDK's servers, a long list, many steps, reloads.

    python -m benchmarks.tool_costs [--steps N] [--rounds N] [--many N] [--reloads N]

CPU is the server process's own, in an interleaved run; a step is the requests of an engine's client. Exit code 1 says
that a step costs more than a fifth of the stateless server's, a list of 300 tools more than a call with a payload of
size M, that memory grows with steps, or that a call was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks import payloads
from benchmarks.clients.environments import PROGRAMS
from benchmarks.load import cpu_seconds, rss_kb
from tests.action_server.serving.grpc.test_service import free_port
from tests.action_server.serving.test_no_call_lost import calls_of_tools, offer_tools, reload_under_load
from tests.mcp_clients import ENGINE, python_of, writes_bytecode
from tests.processes import server
from tests.projects import GREET, project

# Of the stateless SDK's server; and by how much memory may grow with steps, once all has been used.
_LARGEST_PART, _MOST_GROWTH_KB = 0.2, 2048
_WARM_UP = 200
_TOOLS, _ROUNDS = 300, 5
_START = 60.0

_NAMED = """
    from action_server import action
    from rasa_sdk import Tracker

    for number in range({n}):
        def greet(city: str | None = None, guests: int | None = None, outside: bool | None = None) -> dict[str, str]:
            '''Greet somebody who comes from a city, with guests, who would like to sit outside.'''
            return {{}}

        globals()[f"action_{{number}}"] = action(name=f"action_{{number}}")(greet)
"""


@dataclass(frozen=True)
class Served:
    """A server of tools: where it is, and its process."""

    url: str
    pid: int


@contextmanager
def _ours(folder: Path, files: dict[str, str], offered: str = "action_greet") -> Iterator[Served]:
    folder.mkdir()
    endpoints = f'action_server: {{mcp: {{actions: ["{offered}"]}}}}\n'
    project(folder, {**files, "endpoints.yml": endpoints})
    with server(folder) as running:
        yield Served(f"{running.url}/mcp", running.process.pid)


@contextmanager
def _sdk(kind: str) -> Iterator[Served]:
    port = free_port()
    command = [str(python_of(ENGINE)), str(PROGRAMS / "sdk_server.py"), str(port), kind]
    process = subprocess.Popen(  # noqa: S603 - ours
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=writes_bytecode()
    )
    try:
        yield Served(f"http://127.0.0.1:{port}/mcp", process.pid)
    finally:
        process.terminate()
        process.wait()


_HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
_OPENING = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "engine", "version": "1"}}
_CALL = {"name": "action_greet", "arguments": {"who": None}}


async def step(session: aiohttp.ClientSession, url: str) -> None:
    """Send what an engine's client sends for one step of a flow. Raises RuntimeError if the tool does not answer."""
    headers = dict(_HEADERS)

    async def send(method: str, params: object = None, *, has_answer: bool = True) -> bytes:
        message = {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}
        body = {**message, "id": 1} if has_answer else message
        async with session.post(url, json=body, headers=headers) as response:
            if "Mcp-Session-Id" in response.headers:
                headers["Mcp-Session-Id"] = response.headers["Mcp-Session-Id"]
            return await response.read()

    await send("initialize", _OPENING)
    await send("notifications/initialized", has_answer=False)
    await send("ping")
    await send("ping")
    await send("tools/list")
    await send("ping")
    answer = await send("tools/call", _CALL)
    if b"hello" not in answer:
        raise RuntimeError(f"{url} answered {answer[:200]!r}")
    if "Mcp-Session-Id" in headers:
        async with session.delete(url, headers=headers) as response:
            await response.read()


async def cpu_of(served: Served, times: int, work: Callable[[], Awaitable[object]]) -> float:
    """Return the server's CPU time for one piece of work, in milliseconds."""
    before = cpu_seconds(served.pid)
    for _ in range(times):
        await work()
    return (cpu_seconds(served.pid) - before) * 1000 / times


async def _until_up(session: aiohttp.ClientSession, served: Served) -> None:
    begun = time.monotonic()
    while True:
        try:
            return await step(session, served.url)
        except (aiohttp.ClientError, RuntimeError):
            if time.monotonic() - begun > _START:
                raise
            await asyncio.sleep(0.2)


async def compare_steps(folder: Path, steps: int, rounds: int) -> dict[str, float]:
    """Return the CPU time of a step for each server, in milliseconds: the least of the rounds."""
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        servers = {"action-server": stack.enter_context(_ours(folder, {"actions.py": GREET}))}
        servers |= {f"SDK, {kind}": stack.enter_context(_sdk(kind)) for kind in ("stateless", "default")}
        async with aiohttp.ClientSession() as session:
            for served in servers.values():
                await _until_up(session, served)
            for _ in range(rounds):
                for name, served in servers.items():

                    async def work(url: str = served.url) -> None:
                        await step(session, url)

                    found.setdefault(name, []).append(await cpu_of(served, steps, work))
    return {name: min(times) for name, times in found.items()}


async def compare_list(folder: Path, times: int) -> dict[str, float]:
    """Return the CPU time of a list of 300 tools and of a webhook call at M, in milliseconds."""
    body = payloads.body("M", "action_0")
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    with _ours(folder, {"actions.py": _NAMED.format(n=_TOOLS)}, "*") as served:
        async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:

            async def send(url: str, data: bytes) -> None:
                async with session.post(url, data=data) as response:
                    response.raise_for_status()
                    await response.read()

            webhook = served.url.removesuffix("/mcp") + "/webhook"
            works = {"a list of 300 tools": (served.url, message), "a call at M": (webhook, body)}
            found: dict[str, list[float]] = {}
            for _ in range(_ROUNDS):
                for name, (url, data) in works.items():

                    async def work(url: str = url, data: bytes = data) -> None:
                        await send(url, data)

                    found.setdefault(name, []).append(await cpu_of(served, times, work))
    return {name: min(costs) for name, costs in found.items()}


async def growth(folder: Path, steps: int) -> int:
    """Return by how many KB memory grew with so many steps, after the first."""
    with _ours(folder, {"actions.py": GREET}) as served:
        async with aiohttp.ClientSession() as session:
            for _ in range(min(_WARM_UP, steps)):
                await step(session, served.url)
            before = rss_kb(served.pid)
            for _ in range(steps):
                await step(session, served.url)
            return rss_kb(served.pid) - before


async def lost(folder: Path, reloads: int) -> dict[str, int]:
    """Return what came of calls of a tool while the server's code is edited so many times, by outcome."""
    project(folder, {"actions.py": GREET.replace("import os", "import os\n    import words"), "words.py": "NUMBER = 0"})
    offer_tools(folder)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        return dict(await reload_under_load(folder, ["--workers", "2"], calls_of_tools(session), reloads))


def problems_of(steps: dict[str, float], listed: dict[str, float], grown: int, outcomes: dict[str, int]) -> list[str]:
    """Say what is worse than it may be."""
    part = steps["action-server"] / steps["SDK, stateless"]
    found = [f"a step costs {part:.2f} of the stateless SDK's"] if part > _LARGEST_PART else []
    if listed["a list of 300 tools"] > listed["a call at M"]:
        found.append("a list of 300 tools costs more than a call at M")
    if grown > _MOST_GROWTH_KB:
        found.append(f"memory grew by {grown} KB")
    if set(outcomes) != {"200 True", "carried out"} or len(set(outcomes.values())) != 1:
        found.append(f"calls were lost: {outcomes}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tool_costs")
    for name, default in {"steps": 200, "rounds": 5, "many": 10_000, "reloads": 10}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _say(f"a step of a flow, {options.rounds} rounds of {options.steps} on each of three servers")
        steps = asyncio.run(compare_steps(folder / "steps", options.steps, options.rounds))
        _say(*_lines(steps), f"a list of {_TOOLS} tools, {_ROUNDS} rounds of {options.steps}")
        listed = asyncio.run(compare_list(folder / "list", options.steps))
        _say(*_lines(listed), f"memory over {options.many:,} steps")
        grown = asyncio.run(growth(folder / "growth", options.many))
        _say(f"  {grown:+,} KB", f"{options.reloads} reloads under calls")
        (folder / "reloads").mkdir()
        outcomes = asyncio.run(lost(folder / "reloads", options.reloads))
    problems = problems_of(steps, listed, grown, outcomes)
    _say(f"  {outcomes}", *(problems or ["all within their targets"]))
    return 1 if problems else 0


def _lines(costs: dict[str, float]) -> list[str]:
    return [f"  {name:24} {ms:8.3f} ms CPU" for name, ms in costs.items()]


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
