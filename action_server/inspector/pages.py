"""The routes of the pages: the list of calls, one call, and the stream that tells of new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanic import HTTPResponse, Request
from sanic.response import html as html_response

from action_server.assembly import Assembly
from action_server.errors import RequestError
from action_server.inspector.calls_file import CallsFile, Wanted
from action_server.inspector.guard import HEADERS, Guard
from action_server.inspector.one_call import view_of
from action_server.inspector.rendering import Pages
from action_server.serving.http.app import SanicApp

_ROWS = 100
# How often the stream looks for new calls, and for how long it lasts before the browser asks anew, in seconds.
_LOOK_EVERY = 0.5
_STREAM_LASTS = 240.0
_STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_LONGEST_SEARCH = 200

Handler = Callable[..., Awaitable[HTTPResponse | None]]


@dataclass(frozen=True)
class Inspector:
    """What the pages are made from. ``may_run`` tells that calls may be run from them: in development."""

    assembly: Assembly
    file: CallsFile
    app: SanicApp
    may_run: bool

    @property
    def is_stopping(self) -> bool:
        """Whether the worker takes no more connections: a stream must not keep it."""
        return self.assembly.readiness.state != "ready" or not self.app.config.KEEP_ALIVE


class NotKeptError(RequestError):
    """The page is about what is not here."""

    status = 404


def add_pages(app: SanicApp, inspector: Inspector) -> None:
    """Add the routes below ``/inspector``."""
    pages = Pages(may_run=inspector.may_run)
    guard = Guard(local=inspector.may_run)

    def route(path: str, handler: Handler, method: str = "GET") -> None:
        async def guarded(request: Request, **parts: Any) -> HTTPResponse | None:
            guard.check(request)
            return await handler(request, **parts)

        name = f"inspector-{handler.__name__}"
        app.add_route(guarded, f"/inspector{path}", [method], name=name)

    calls = CallPages(inspector, pages)
    route("/", calls.list)
    route("/rows", calls.rows)
    route("/live", calls.live)
    route("/calls/<number:int>", calls.one)
    route("/static/<name:str>", static)


class CallPages:
    """The list and one call."""

    def __init__(self, inspector: Inspector, pages: Pages) -> None:
        self._inspector = inspector
        self._pages = pages

    async def list(self, request: Request) -> HTTPResponse:
        """Show the list."""
        return await self._page("calls.html", **await self._listed(request))

    async def rows(self, request: Request) -> HTTPResponse:
        """Give the rows of the list alone, to one that is shown."""
        return await self._page("rows.html", **await self._listed(request))

    async def live(self, request: Request) -> None:
        """Tell of new calls, by the number of the newest one, until the worker stops or the browser leaves."""
        headers = {**HEADERS, "Cache-Control": "no-store"}
        stream = await request.respond(content_type="text/event-stream", headers=headers)
        if stream is None:
            return
        loop = asyncio.get_running_loop()
        ends, last = loop.time() + _STREAM_LASTS, (-1, -1)
        while loop.time() < ends and not self._inspector.is_stopping:
            newest = await asyncio.to_thread(self._inspector.file.newest)
            # A comment now and then shows that the browser is there.
            await stream.send(f"event: calls\ndata: {newest[0]}\n\n" if newest != last else ":\n\n")
            last = newest
            await asyncio.sleep(_LOOK_EVERY)
        await stream.eof()

    async def one(self, request: Request, number: int) -> HTTPResponse:
        """Show one call."""
        call = await asyncio.to_thread(self._inspector.file.read, number)
        if call is None:
            raise NotKeptError("this call is not kept any more")
        return await self._page("call.html", view=view_of(call))

    async def _listed(self, request: Request) -> dict[str, Any]:
        text = (request.args.get("q") or "").strip()[:_LONGEST_SEARCH]
        wanted = Wanted(text, request.args.get("failed") == "1", request.args.get("action") or "")
        older = request.args.get("before", "")
        before = int(older) if older.isdecimal() and len(older) < 18 else None
        rows = await asyncio.to_thread(self._inspector.file.find, wanted, _ROWS, before)
        newest, missed = await asyncio.to_thread(self._inspector.file.newest)
        is_paused = request.args.get("paused") == "1" or before is not None
        return {
            "rows": rows,
            "wanted": wanted,
            "missed": missed,
            "newest": newest,
            "is_paused": is_paused,
            "before": before,
            "has_more": len(rows) == _ROWS,
        }

    async def _page(self, template: str, **values: Any) -> HTTPResponse:
        # A page of large values takes longer than the event loop has.
        page = await asyncio.to_thread(self._pages.render, template, **values)
        return html_response(page, headers={**HEADERS, "Cache-Control": "no-store"})


async def static(request: Request, name: str) -> HTTPResponse:
    """Give a file of ours."""
    file = _STATIC / name
    if file.parent != _STATIC or file.suffix not in _TYPES or not file.is_file():
        raise NotKeptError("there is no such file")
    content = await asyncio.to_thread(file.read_bytes)
    return HTTPResponse(content, 200, {**HEADERS, "Cache-Control": "no-cache"}, _TYPES[file.suffix])
