"""What the fakes of CRM vendors share: real sockets, failures that can be switched on, and a process of their own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

ROOT = Path(__file__).parents[3]
PATIENCE = 60


@dataclass
class Failure:
    """What is answered instead of the truth."""

    status: int
    body: object
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Switches:
    """What goes wrong, until it is switched off again.

    Attributes:
        down: connections are cut before anything is done.
        cut_after_write: so many of the next writes are done, and their connections are cut.
        failures: answers for the next requests, one each; nothing is done.
        allowance: how many requests are granted before the rate limit.
        retry_after: what the rate limit says, if anything.
        stall_at: writes to a path with this in it are done, and never answered; `stalled` is set then.
        requests: method and path of everything that arrived, tokens excepted.
    """

    down: bool = False
    cut_after_write: int = 0
    failures: list[Failure] = field(default_factory=list)
    allowance: int | None = None
    retry_after: str | None = None
    stall_at: str | None = None
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[str] = field(default_factory=list)


class Vendor(Protocol):
    """A fake: its routes, its switches, and what its rate limit says."""

    switches: Switches

    def routes(self) -> list[web.RouteDef]: ...

    def too_many(self) -> Failure: ...

    def unauthorized(self, request: web.Request) -> Failure | None: ...


def application(vendor: Vendor) -> web.Application:
    """Return the fake as an application that checks credentials and limits before anything else."""
    switches = vendor.switches

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        switches.requests.append(f"{request.method} {request.path}")
        if switches.down:
            return _cut(request)
        refused = vendor.unauthorized(request)
        if refused is None and switches.failures:
            refused = switches.failures.pop(0)
        if refused is None and switches.allowance is not None:
            refused = vendor.too_many() if switches.allowance <= 0 else None
            switches.allowance -= 1
        if refused is not None:
            return web.json_response(refused.body, status=refused.status, headers=refused.headers)
        answer = await handler(request)
        if request.method == "POST" and switches.stall_at is not None and switches.stall_at in request.path:
            switches.stalled.set()
            await asyncio.Event().wait()
        if request.method != "GET" and switches.cut_after_write > 0:
            switches.cut_after_write -= 1
            return _cut(request)
        return answer

    app = web.Application(middlewares=[guard])
    app.add_routes(vendor.routes())
    return app


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


@asynccontextmanager
async def serving(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serve on a free port for the length of the block, and give its URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        bound = runner.addresses[0][1]
        yield f"http://127.0.0.1:{bound}"
    finally:
        await runner.cleanup()


def serve_as_process(vendor: Vendor, port: int, log: Path) -> None:
    """Serve until the process is killed; each write that was done is a line of the file `log`."""

    async def main() -> None:
        async with serving(application(vendor), port) as url:
            print(url, flush=True)  # noqa: T201 (the parent reads it)
            await asyncio.Event().wait()

    log.touch()
    asyncio.run(main())


@contextmanager
def process(module: str, log: Path, port: int = 0) -> Iterator[str]:
    """Run a fake as a process of its own for the length of the block, and give its URL."""
    command = [sys.executable, "-m", f"tests.actions.crm.{module}", str(port), str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            url = child.stdout.readline().strip()
            assert url, f"{module} did not start"
            yield url
        finally:
            child.kill()


async def json_object(request: web.Request) -> dict[str, Any] | None:
    """Return the body if it is a JSON object, None if not."""
    if request.content_type != "application/json":
        return None
    try:
        found = json.loads(await request.read())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
