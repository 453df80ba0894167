"""A small HTTP proxy between a client and a real server that breaks chosen requests, in chosen ways.

In a test's own loop::

    async with FaultProxy.open(server_url, Fault("forward_then_reset", "PUT")) as proxy:
        ... use proxy.url as the server's base URL ...
        assert proxy.done["forward_then_reset"] == 1

As a process of its own, which several client processes can share::

    with proxy_process(server_url, Fault("hang", "POST")) as proxy:
        proxy.wait_for("hang")
        proxy.release()
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.request import Request, urlopen

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

# Longer than anything here takes on a busy machine, in seconds: a test that hangs fails instead.
PATIENCE = 60
_ROOT = Path(__file__).parents[3]
CONTROL = "/__faults__/"

# What belongs to one connection (RFC 9110, 7.6.1), and what each side works out itself.
_NOT_FORWARDED = (
    "Connection",
    "Content-Length",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)

Action = Literal[
    "reset",  # the server never hears of it
    "forward_then_reset",  # the server does it, the client never hears of that
    "answer",  # an answer of the proxy's own; the server never hears of it
    "forward_then_answer",  # the server does it, the client hears something else
    "hang",  # until released, then it goes on to the server
    "forward_then_hang",  # the server does it; its answer waits until released
]


@dataclass(frozen=True)
class Fault:
    """What to do with requests of a method whose path matches; None and "" match all.

    It is done to the `nth` request that matches and to the next ones, `times` altogether; None: to all from there.
    `status`, `headers` and `body` are those of the answers that the proxy gives itself.
    """

    action: Action
    method: str | None = None
    path: str = ""
    nth: int = 1
    times: int | None = 1
    status: int = 500
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and re.search(self.path, path) is not None


def too_many_requests(method: str | None = None, path: str = "", retry_after: str | None = None) -> Fault:
    """A 429, with or without Retry-After."""
    headers = () if retry_after is None else (("Retry-After", retry_after),)
    return Fault("answer", method, path, status=429, headers=headers)


class FaultProxy:
    """A running proxy. `done` counts what was done, by action; "forward" are the requests that reached the server."""

    def __init__(self, session: aiohttp.ClientSession, target: str, faults: Sequence[Fault]) -> None:
        self.url = ""
        self.done: Counter[str] = Counter()
        self._session = session
        self._target = target.rstrip("/")
        self._faults = [(fault, Counter[str]()) for fault in faults]
        self._changed = asyncio.Condition()
        self._released = asyncio.Event()
        self._ending = False

    @classmethod
    @asynccontextmanager
    async def open(cls, target: str, *faults: Fault) -> AsyncIterator[FaultProxy]:
        """Serve on a free port within the block; what still hangs at its end never reaches the server."""
        async with aiohttp.ClientSession(
            auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=PATIENCE)
        ) as session:
            proxy = cls(session, target, faults)
            app = web.Application(client_max_size=64 * 1024 * 1024)
            app.router.add_route("*", CONTROL + "{command}", proxy._control)
            app.router.add_route("*", "/{path:.*}", proxy._handle)
            # Without waiting: at the end nobody is interested in requests any more.
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
                yield proxy
            finally:
                proxy._ending = True
                proxy.release()
                await runner.cleanup()

    def plan(self, *faults: Fault) -> None:
        """Replace the faults; their counts begin anew."""
        self._faults = [(fault, Counter[str]()) for fault in faults]

    def release(self) -> None:
        """Let everything that hangs go on, and hang nothing any more."""
        self._released.set()

    async def wait_for(self, action: str, times: int = 1) -> None:
        """Return when the action has begun so many times."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.done[action] >= times), PATIENCE)

    async def _count(self, action: str) -> None:
        async with self._changed:
            self.done[action] += 1
            self._changed.notify_all()

    def _fault_for(self, method: str, path: str) -> Fault | None:
        chosen = None
        for fault, seen in self._faults:
            if fault.matches(method, path):
                # Each fault counts all requests that match it, whatever another does to them.
                seen["requests"] += 1
                number = seen["requests"] - fault.nth
                if chosen is None and number >= 0 and (fault.times is None or number < fault.times):
                    chosen = fault
        return chosen

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = self._fault_for(request.method, request.raw_path)
        body = await request.read()
        if fault is None:
            return await self._forward(request, body)
        if fault.action == "hang":
            await self._count(fault.action)
            await self._released.wait()
            return web.Response(status=502) if self._ending else await self._forward(request, body)
        answer = await self._forward(request, body) if fault.action.startswith("forward_then_") else None
        await self._count(fault.action)
        if fault.action == "forward_then_hang" and answer is not None:
            await self._released.wait()
            return answer
        if fault.action.endswith("reset"):
            _reset(request)
        return web.Response(status=fault.status, headers=CIMultiDict(fault.headers), text=fault.body)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        # Its Host as well: links that the server makes lead through the proxy.
        headers = _end_to_end(request.headers)
        url = URL(self._target + request.raw_path, encoded=True)
        skipped = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=skipped,
        ) as answer:
            content = await answer.read()
            await self._count("forward")
            return web.Response(status=answer.status, headers=_end_to_end(answer.headers), body=content)

    async def _control(self, request: web.Request) -> web.Response:
        """Do what another process asks for."""
        command = request.match_info["command"]
        if command == "release":
            self.release()
        elif command == "plan":
            self.plan(*_faults(await request.text()))
        elif command == "wait":
            await self.wait_for(request.query["action"], int(request.query["times"]))
        return web.json_response(self.done)


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in _NOT_FORWARDED:
        kept.popall(name, None)
    return kept


def _reset(request: web.Request) -> None:
    """Break the connection off with a TCP reset, not with an orderly end."""
    transport = request.transport
    if transport is not None:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


@dataclass(frozen=True)
class ProxyProcess:
    """A proxy in another process; `url` can be given to any number of others."""

    url: str

    @property
    def done(self) -> Counter[str]:
        """What was done, as in `FaultProxy`."""
        return self._ask("done")

    def plan(self, *faults: Fault) -> None:
        """Replace the faults."""
        self._ask("plan", json.dumps([asdict(fault) for fault in faults]))

    def release(self) -> None:
        """Let everything that hangs go on, and hang nothing any more."""
        self._ask("release")

    def wait_for(self, action: str, times: int = 1) -> None:
        """Return when the action has begun so many times."""
        self._ask(f"wait?action={action}&times={times}")

    def _ask(self, command: str, body: str | None = None) -> Counter[str]:
        request = Request(self.url + CONTROL + command, data=body.encode() if body is not None else None)  # noqa: S310
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 (its own URL)
            return Counter(json.load(answer))


@contextmanager
def proxy_process(target: str, *faults: Fault) -> Iterator[ProxyProcess]:
    """Run a proxy as a process within the block."""
    command = [
        sys.executable,
        "-m",
        "tests.actions.transport.fault_proxy",
        target,
        json.dumps([asdict(f) for f in faults]),
    ]
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, "the proxy did not start"
        yield ProxyProcess(url)
    finally:
        # It ends when nobody holds the other end, also if this process is killed.
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.stdout.close()


def _faults(text: str) -> list[Fault]:
    return [
        Fault(**{**fault, "headers": tuple((name, value) for name, value in fault["headers"])})
        for fault in json.loads(text)
    ]


async def _serve(target: str, faults: Sequence[Fault]) -> None:
    async with FaultProxy.open(target, *faults) as proxy:
        print(proxy.url, flush=True)  # noqa: T201 (the parent reads it)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], _faults(sys.argv[2])))
