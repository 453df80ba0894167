"""The pages about calls: the list, one call, running it again, and the stream that tells of new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from sanic import HTTPResponse, Request
from sanic.exceptions import NotFound
from sanic.response import redirect

from action_server.errors import ActionNotFoundError, ActionServerError
from action_server.inspector.calls_file import Newest, Wanted
from action_server.inspector.copies import copies_of
from action_server.inspector.forms import SlotField, changed_slots, fields_of
from action_server.inspector.guard import HEADERS
from action_server.inspector.job_pages import jobs_of
from action_server.inspector.kept import KeptCall
from action_server.inspector.once import outcome_of, promise_of
from action_server.inspector.one_call import difference_of, slots_of, view_of
from action_server.inspector.pages import Inspector, Routes, fields_in, static
from action_server.inspector.running import FACE_NAMES, FACES_BY_TRANSPORT
from action_server.runtime.registry import RegisteredAction

# More than a screen has: they are made anew whenever calls come.
_ROWS = 50
# How often the stream looks for new calls, how long it is silent after it told of some, and of so many that nobody can
# read them; after which silence it says that it is there; and for how long it lasts before the browser asks anew. In
# seconds.
_LOOK_EVERY, _SILENCE, _LONG_SILENCE = 0.25, 1.0, 2.0
_HEARTBEAT, _STREAM_LASTS = 10.0, 240.0
_LONGEST_SEARCH = 200


class CallPages:
    """The list and one call."""

    def __init__(self, inspector: Inspector, routes: Routes) -> None:
        self._inspector = inspector
        self._file = inspector.file
        routes.add("/", self.newest)
        routes.add("/rows", self.rows)
        routes.add("/live", self.live)
        routes.add("/calls/<number:int>", self.one)
        routes.add("/calls/<number:int>/run", self.run, runs=True)
        routes.add("/static/<name:str>", static)

    async def newest(self, request: Request) -> HTTPResponse:
        """Show the list."""
        return await self._inspector.page("calls.html", lambda: self._listed(request))

    async def rows(self, request: Request) -> HTTPResponse:
        """Give the rows of the list alone, to one that is shown."""
        return await self._inspector.page("rows.html", lambda: self._listed(request))

    async def live(self, request: Request) -> None:
        """Tell of new calls, by the number of the newest one, until the worker stops or the browser leaves."""
        headers = {**HEADERS, "Cache-Control": "no-store"}
        stream = await request.respond(content_type="text/event-stream", headers=headers)
        if stream is None:
            return
        loop = asyncio.get_running_loop()
        now = said_at = loop.time()
        ends, told = now + _STREAM_LASTS, Newest(-1, 0, 0.0)
        while now < ends and not self._inspector.is_stopping:
            newest, pause = self._file.newest, _LOOK_EVERY
            if newest != told:
                await stream.send(f"event: calls\ndata: {newest.number}\n\n")
                if told.number >= 0:
                    pause = _LONG_SILENCE if newest.number - told.number > _ROWS else _SILENCE
                told, said_at = newest, now
            elif now - said_at >= _HEARTBEAT:
                # A comment now and then shows whether the browser is there.
                await stream.send(":\n\n")
                said_at = now
            await asyncio.sleep(pause)
            now = loop.time()
        await stream.eof()

    async def one(self, request: Request, number: int) -> HTTPResponse:
        """Show one call."""
        return await self._page(request, await self._read(number))

    async def run(self, request: Request, number: int) -> HTTPResponse:
        """Run a call again, with the slots of the form, and show the new one; what is wrong is said above the form."""
        call = await self._read(number)
        form = fields_in(request)
        try:
            slots = changed_slots(slots_of(call), await asyncio.to_thread(self._fields, call), form)
            face = form.get("face", FACE_NAMES[0])
            kept = await self._inspector.runs.run(_with_slots(call, slots), face, number)
            return redirect(f"/inspector/calls/{kept}", status=303)
        except ActionServerError as exc:
            return await self._page(request, call, form, str(exc))

    async def _page(
        self, request: Request, call: KeptCall, form: Mapping[str, str] | None = None, problem: str = ""
    ) -> HTTPResponse:
        jobs = [] if call.row.job else await jobs_of(self._inspector, call.row.request_id)
        more = {"jobs": jobs, "problem": problem}
        make = partial(self._shown, request, call, form)
        return await self._inspector.page("call.html", lambda: {**make(), **more}, 422 if problem else 200)

    async def _read(self, number: int) -> KeptCall:
        call = await asyncio.to_thread(self._file.read, number)
        if call is None:
            raise NotFound("this call is not kept any more")
        return call

    def _fields(self, call: KeptCall) -> list[SlotField]:
        return fields_of(slots_of(call), self._inspector.project.slots)

    def _shown(self, request: Request, call: KeptCall, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        inspector = self._inspector
        action = self._action_of(call)
        first = None if call.row.again is None else self._file.read(call.row.again)
        assembly = inspector.assembly
        options = None if action is None else assembly.settings.options.of(action.name, action.run)
        rule = (options.idempotent or None) if options is not None else None
        return {
            "view": view_of(call),
            "is_known": action is not None,
            "callers": inspector.project.callers(call.row.action),
            "classic_callers": inspector.project.classic_callers(call.row.action),
            "fields": self._fields(call) if inspector.may_run and call.request is not None else [],
            "form": form or {},
            "faces": FACE_NAMES,
            "face": FACES_BY_TRANSPORT.get(call.row.face, FACE_NAMES[0]),
            "promise": promise_of(rule, is_again=True),
            "outcome": "" if first is None else outcome_of(rule, call.row),
            "difference": None if first is None else difference_of(first, call),
            "copies": copies_of(
                call,
                f"{request.scheme}://{request.host}",
                reads_domain=action is not None and action.reads_domain,
                needs_credential=assembly.authenticator is not None,
            ),
        }

    def _action_of(self, call: KeptCall) -> RegisteredAction | None:
        try:
            return self._inspector.assembly.executor.registry.get(call.row.action)
        except ActionNotFoundError:
            return None

    def _listed(self, request: Request) -> Mapping[str, Any]:
        text = (request.args.get("q") or "").strip()[:_LONGEST_SEARCH]
        wanted = Wanted(text, request.args.get("failed") == "1", request.args.get("action") or "")
        older = request.args.get("before", "")
        before = int(older) if older.isdecimal() and len(older) < 18 else None
        rows = self._file.find(wanted, _ROWS, before)
        return {
            # Workers write one after the other what came to them at the same time.
            "rows": sorted(rows, key=lambda row: row.at, reverse=True),
            "oldest": rows[-1].id if rows else None,
            "wanted": wanted,
            "newest": self._file.newest,
            "is_paused": request.args.get("paused") == "1" or before is not None,
            "before": before,
            "has_more": len(rows) == _ROWS,
        }


def _with_slots(call: KeptCall, slots: Mapping[str, Any]) -> dict[str, Any]:
    request = dict(call.request or {})
    tracker = request.get("tracker")
    request["tracker"] = {**(tracker if isinstance(tracker, dict) else {}), "slots": dict(slots)}
    return request
