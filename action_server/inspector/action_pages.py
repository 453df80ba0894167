"""The pages about actions: all of them, one with a form to call it, and what `check` finds."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanic import HTTPResponse, Request
from sanic.exceptions import NotFound
from sanic.response import redirect

from action_server.errors import ActionNotFoundError, ActionServerError
from action_server.findings.finding import by_severity
from action_server.flows.check.checking import check_text
from action_server.inspector.calls_file import Wanted
from action_server.inspector.catalogue import facts_of_all, tool_of
from action_server.inspector.forms import changed_slots, fields_of
from action_server.inspector.once import promise_of
from action_server.inspector.pages import Inspector, Routes, fields_in
from action_server.inspector.running import FACE_NAMES, request_of
from action_server.project.location import locate_project
from action_server.runtime.registry import RegisteredAction
from action_server.tools.code import read_code

_LAST_CALLS = 10


class ActionPages:
    """The catalogue and one action."""

    def __init__(self, inspector: Inspector, routes: Routes) -> None:
        self._inspector = inspector
        routes.add("/actions", self.all)
        routes.add("/findings", self.findings)
        routes.add("/actions/<name:str>", self.one)
        routes.add("/actions/<name:str>/run", self.run, runs=True)

    async def all(self, request: Request) -> HTTPResponse:
        """Show every action, and what the worker that answers has to tell of itself."""
        watchdog = self._inspector.assembly.watchdog
        blocked = watchdog.recent() if watchdog is not None else []
        return await self._inspector.page(
            "actions.html", lambda: {"actions": facts_of_all(self._inspector), "blocked": blocked}
        )

    async def findings(self, request: Request) -> HTTPResponse:
        """Show what `check` finds in the project; it is asked for when the page is there, as it takes a while."""
        return await self._inspector.page("findings.html", self._found)

    async def one(self, request: Request, name: str) -> HTTPResponse:
        """Show one action, with a form to call it."""
        action = self._action(name)
        return await self._inspector.page("action.html", lambda: self._shown(action))

    async def run(self, request: Request, name: str) -> HTTPResponse:
        """Call an action with the slots of the form, and show the call."""
        action = self._action(name)
        form = fields_in(request)
        try:
            slots = changed_slots({}, await asyncio.to_thread(self._fields, action), form)
            domain = await asyncio.to_thread(self._inspector.project.domain) if action.reads_domain else None
            body = request_of(action.name, slots, form.get("said", ""), domain)
            kept = await self._inspector.runs.run(body, form.get("face", FACE_NAMES[0]))
            return redirect(f"/inspector/calls/{kept}", status=303)
        except ActionServerError as exc:
            problem = str(exc)
        return await self._inspector.page("action.html", lambda: {**self._shown(action, form), "problem": problem}, 422)

    def _action(self, name: str) -> RegisteredAction:
        try:
            return self._inspector.assembly.executor.registry.get(name)
        except ActionNotFoundError:
            raise NotFound("there is no such action") from None

    def _fields(self, action: RegisteredAction) -> Any:
        return fields_of({}, self._inspector.project.slots, sorted(read_code(action.run).reads))

    def _shown(self, action: RegisteredAction, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        inspector = self._inspector
        owner = getattr(action.run, "__self__", None)
        documented = action.run if owner is None else type(owner)
        rule = inspector.assembly.settings.options.of(action.name, action.run).idempotent or None
        return {
            "facts": next(facts for facts in facts_of_all(inspector) if facts.action.name == action.name),
            "documentation": inspect.getdoc(documented) if vars(documented).get("__doc__") else "",
            "tool": tool_of(inspector, action),
            "callers": inspector.project.callers(action.name),
            "classic_callers": inspector.project.classic_callers(action.name),
            "fields": self._fields(action) if inspector.may_run else [],
            "rows": inspector.file.find(Wanted(action=action.name), _LAST_CALLS),
            "promise": promise_of(rule, is_again=False),
            "newest": None,
            "faces": FACE_NAMES,
            "face": FACE_NAMES[0],
            "form": form or {},
            "problem": "",
        }

    def _found(self) -> Mapping[str, Any]:
        settings = self._inspector.assembly.settings
        folder = locate_project(Path.cwd())
        endpoints = settings.endpoints if settings.endpoints.exists() else None
        try:
            findings = check_text(folder, settings.actions, endpoints) if folder is not None else []
        except ActionServerError as exc:
            return {"findings": [], "problem": str(exc), "has_project": True}
        return {"findings": by_severity(findings), "problem": "", "has_project": folder is not None}
