"""What all pages share: the routes, who may come, and how a page becomes an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanic import HTTPResponse, Request
from sanic.exceptions import Forbidden, NotFound
from sanic.response import html as html_response

from action_server.assembly import Assembly
from action_server.inspector.calls_file import CallsFile
from action_server.inspector.guard import HEADERS, Guard
from action_server.inspector.project_view import ProjectView
from action_server.inspector.rendering import Pages
from action_server.inspector.running import Runs
from action_server.jobs.keeping import one_for_each_database, queues_of
from action_server.serving.http.app import SanicApp

if TYPE_CHECKING:
    from action_server.jobs.queue import JobQueue

_STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

Handler = Callable[..., Awaitable[HTTPResponse | None]]


@dataclass(frozen=True)
class Inspector:
    """What the pages are made from. ``may_run`` tells that calls may be run from them: in development.

    ``since`` is when the server started, in seconds since 1970; ``hides_values`` tells that there are privacy rules, by
    which only what belongs to a call can be hidden.
    """

    assembly: Assembly
    file: CallsFile
    app: SanicApp
    may_run: bool
    since: float
    project: ProjectView
    hides_values: bool
    pages: Pages = field(init=False)
    runs: Runs = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pages", Pages(may_run=self.may_run, has_jobs=bool(self.queues)))
        object.__setattr__(self, "runs", Runs(self.assembly))

    @property
    def queues(self) -> Sequence[JobQueue]:
        """The queues of jobs, if the actions have any: one for each database."""
        return one_for_each_database(queues_of(self.assembly.readiness.services))

    @property
    def is_stopping(self) -> bool:
        """Whether the worker takes no more connections: a stream must not keep it."""
        return self.assembly.readiness.state != "ready" or not self.app.config.KEEP_ALIVE

    async def page(self, template: str, make: Callable[[], Mapping[str, Any]], status: int = 200) -> HTTPResponse:
        """Return a page of what ``make`` gives, which reads files and is called on a thread."""
        # Also the template: a page of large values takes longer than the event loop has.
        page = await asyncio.to_thread(lambda: self.pages.render(template, **make()))
        return html_response(page, status=status, headers={**HEADERS, "Cache-Control": "no-store"})


class Routes:
    """Adds routes below ``/inspector``, behind the guard."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._guard = Guard(local=inspector.may_run)

    def add(self, path: str, handler: Handler, *, runs: bool = False) -> None:
        """Add a page; one that ``runs`` something takes a form, and is there in development alone."""

        async def guarded(request: Request, **parts: Any) -> HTTPResponse | None:
            self._guard.check(request)
            if runs and not self._inspector.may_run:
                raise Forbidden("nothing is run from here: the server is not one of development (--dev)")
            return await handler(request, **parts)

        name = "inspector" + "-".join(part.partition(":")[0] for part in path.replace("<", "").split("/"))
        # Names of actions may be of any letters.
        methods = ["POST" if runs else "GET"]
        self._inspector.app.add_route(guarded, f"/inspector{path}", methods, name=name, unquote=True)


async def static(request: Request, name: str) -> HTTPResponse:
    """Give a file of ours."""
    file = _STATIC / name
    if file.parent != _STATIC or file.suffix not in _TYPES or not file.is_file():
        raise NotFound("there is no such file")
    content = await asyncio.to_thread(file.read_bytes)
    return HTTPResponse(content, 200, {**HEADERS, "Cache-Control": "no-cache"}, _TYPES[file.suffix])


def fields_in(request: Request) -> dict[str, str]:
    """Return the fields of a form; of two with one name the first."""
    return {name: values[0] for name, values in (request.form or {}).items() if values}
