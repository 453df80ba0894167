"""The pages about jobs: all of them, and one with its runs, the call that asked for it, and another try."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sanic import HTTPResponse, Request
from sanic.exceptions import NotFound
from sanic.response import redirect

from action_server.errors import DatabaseError, JobError
from action_server.inspector.calls_file import Wanted
from action_server.inspector.kept import CallRow
from action_server.inspector.pages import Handler, Inspector, Routes
from action_server.source import one_line
from action_server.telemetry.durations import length

if TYPE_CHECKING:
    from action_server.database import Database
    from action_server.jobs.overview import JobShown
    from action_server.jobs.queue import JobQueue

_STATES = ("parked", "running", "waiting", "cancelled", "done")
_JOBS, _RUNS, _OF_A_CALL = 100, 50, 20
_LONGEST_ID = 32
# Seconds, for a database: somebody waits for the page.
_PATIENCE = 2.0


@dataclass(frozen=True)
class JobView:
    """A job, when it was asked for, in seconds since 1970, and the call that did, if it is kept."""

    job: JobShown
    asked_at: float
    call: CallRow | None

    @property
    def note(self) -> str:
        """What there is to know of it at a glance."""
        job, parts = self.job, []
        if job.is_behind:
            parts.append("after another one of the same ordering key")
        if job.state == "waiting" and job.due_in is not None:
            parts.append("due" if job.due_in <= 0 else f"in {length(job.due_in)}")
        if job.state == "running":
            if job.due_in is not None and job.due_in <= 0:
                parts.append(f"silent for {length(-job.due_in)}")
            parts.append("" if job.progress is None else f"{job.progress:.0%}")
            parts.append(job.said or "")
        return "; ".join(part for part in (*parts, job.problem or "") if part)

    @property
    def needs_somebody(self) -> bool:
        """Whether it was given up."""
        return self.job.state == "parked"


class JobPages:
    """The queue as its database has it, whichever worker runs what."""

    def __init__(self, inspector: Inspector, routes: Routes) -> None:
        self._inspector = inspector
        routes.add("/jobs", self.all)
        routes.add("/jobs/<id:str>", self._or_why_not(self.one))
        routes.add("/jobs/<id:str>/retry", self._or_why_not(self.retry), runs=True)
        routes.add("/jobs/<id:str>/cancel", self._or_why_not(self.cancel), runs=True)

    async def all(self, request: Request) -> HTTPResponse:
        """Show the jobs: those that need somebody first."""
        state = request.args.get("state", "")
        states = (state,) if state in _STATES else _STATES
        found, missing = await self._listed(states)
        problems = [f"The jobs of a database that does not answer are not shown: {one}" for one in missing]
        return await self._list(found, problems, state)

    async def one(self, request: Request, id: str) -> HTTPResponse:
        """Show one job."""
        return await self._shown(id)

    async def retry(self, request: Request, id: str) -> HTTPResponse:
        """Let a job that was given up be run again, and show it."""
        from action_server.jobs.overview import retry_job

        queue, job = await self._find(id)
        try:
            is_run_again = await retry_job(queue.database, job.id)
        except JobError as exc:
            return await self._shown(id, str(exc))
        if not is_run_again:
            return await self._shown(id, f"It is {job.state}: only what is parked or cancelled can be run again.")
        queue.wake()
        return redirect(f"/inspector/jobs/{job.id}", status=303)

    async def cancel(self, request: Request, id: str) -> HTTPResponse:
        """Cancel a job, and show it."""
        queue, job = await self._find(id)
        before = await queue.cancel(job.id)
        if before not in ("waiting", "running", "parked"):
            return await self._shown(id, f"It is {before}: there is nothing to cancel.")
        return redirect(f"/inspector/jobs/{job.id}", status=303)

    async def _find(self, id: str) -> tuple[JobQueue, JobShown]:
        from action_server.jobs.overview import find_jobs_by_start

        queues = self._inspector.queues if len(id) == _LONGEST_ID else ()
        answers, problems = await _ask_all(queues, lambda database: find_jobs_by_start(database, id))
        for queue, jobs in answers:
            for job in jobs:
                return queue, job
        if problems:
            raise DatabaseError("; ".join(problems))
        raise NotFound("there is no such job any more")

    def _or_why_not(self, handler: Handler) -> Handler:
        """Return a handler that says what is wrong with the database of a job."""

        async def answer(request: Request, id: str) -> HTTPResponse | None:
            try:
                return await handler(request, id)
            except DatabaseError as exc:
                return await self._list([], [f"Nobody knows what this job does: {one_line(exc)}"], status=503)

        return answer

    async def _list(
        self, jobs: Sequence[JobShown], problems: Sequence[str], state: str = "", status: int = 200
    ) -> HTTPResponse:
        shown = {
            "problems": problems,
            "has_jobs": bool(self._inspector.queues),
            "states": ("", *_STATES),
            "state": state,
        }
        return await self._inspector.page("jobs.html", lambda: {**shown, "jobs": self._views(jobs)}, status)

    async def _listed(self, states: Sequence[str]) -> tuple[Sequence[JobShown], Sequence[str]]:
        """Return the jobs of all databases that answer, and what is wrong with the others."""
        from action_server.jobs.overview import URGENCY, list_jobs

        listing = partial(list_jobs, states=states, name=None, limit=_JOBS)
        answers, problems = await _ask_all(self._inspector.queues, listing)
        # Each database gives its own in this order.
        found = sorted(_jobs_in(answers), key=lambda job: (URGENCY.get(job.state, len(URGENCY)), job.age))
        return found, problems

    async def _shown(self, id: str, problem: str = "") -> HTTPResponse:
        from action_server.jobs.handover import engine_of
        from action_server.jobs.overview import contents_of_job

        queue, job = await self._find(id)
        contents = await contents_of_job(queue.database, job.id)
        values = {
            "problem": problem,
            "contents": None if self._inspector.hides_values else contents,
            "engine": engine_of(job.name, contents[0]) if contents else "",
            "newest": None,
        }
        return await self._inspector.page("job.html", lambda: {**values, **self._about(job)}, 409 if problem else 200)

    def _about(self, job: JobShown) -> Mapping[str, Any]:
        view = self._views([job])[0]
        return {"view": view, "job": job, "rows": self._inspector.file.find(Wanted(job.id), _RUNS)}

    def _views(self, jobs: Sequence[JobShown]) -> list[JobView]:
        now = time.time()
        calls = self._inspector.file.calls_with({job.request_id for job in jobs if job.request_id})
        return [JobView(job, now - job.age, calls.get(job.request_id)) for job in jobs]


async def jobs_of(inspector: Inspector, request_id: str) -> Sequence[JobShown]:
    """Return the jobs that a call asked for, of the databases that answer soon."""
    if not inspector.queues or not request_id:
        return []
    from action_server.jobs.overview import jobs_of_request

    answers, _ = await _ask_all(inspector.queues, partial(jobs_of_request, request_id=request_id, limit=_OF_A_CALL))
    return sorted(_jobs_in(answers), key=lambda job: job.age)


async def _ask_all(
    queues: Sequence[JobQueue], ask: Callable[[Database], Awaitable[Sequence[JobShown]]]
) -> tuple[Sequence[tuple[JobQueue, Sequence[JobShown]]], Sequence[str]]:
    """Ask the databases of queues at once; return the jobs of those that answer soon, and what is wrong with others."""
    asking = [asyncio.wait_for(ask(queue.database), _PATIENCE) for queue in queues]
    answers: list[tuple[JobQueue, Sequence[JobShown]]] = []
    problems = []
    for queue, answer in zip(queues, await asyncio.gather(*asking, return_exceptions=True), strict=True):
        if isinstance(answer, (DatabaseError, asyncio.TimeoutError)):
            said = answer.problem if isinstance(answer, DatabaseError) else one_line(answer)
            problems.append(f"{queue.database.place}: {said or 'it took too long'}")
        elif isinstance(answer, BaseException):
            raise answer
        else:
            answers.append((queue, answer))
    return answers, problems


def _jobs_in(answers: Sequence[tuple[JobQueue, Sequence[JobShown]]]) -> list[JobShown]:
    return [job for _, jobs in answers for job in jobs]
