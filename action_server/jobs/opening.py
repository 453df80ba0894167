"""Opens the queue for a server whose actions package has a job, and runs jobs for the length of a block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from action_server.errors import DatabaseError, SettingsError
from action_server.extras import packages_for
from action_server.jobs.definitions import Job
from action_server.jobs.finding import find_jobs
from action_server.jobs.keeping import kept_here
from action_server.runtime.services import Services
from action_server.runtime.threads import Threads
from action_server.source import one_line
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from action_server.jobs.queue import JobQueue
    from action_server.telemetry.call_notes import Witnesses

# Seconds. Prometheus usually asks once in 15.
MEASURED_EVERY = 10.0


async def open_queue(
    stack: AsyncExitStack,
    package: str,
    kept: Collection[str],
    location: Callable[[], str | Path],
    password: Callable[[], str] | None,
) -> JobQueue | None:
    """Open the queue in a database, a file or an URL, closed with the stack.

    None if the package has no job beside those that it keeps by itself, whose names are ``kept``.

    Raises:
        RegistrationError: two jobs share a name, or one takes what cannot be JSON.
        SettingsError: the database cannot be opened, or its password cannot be read.
    """
    if not find_jobs(package).keys() - kept:
        return None
    with packages_for("database"):  # here, as a server without jobs need not pay for SQLAlchemy
        from action_server.database import Database
        from action_server.idempotency.host_clock import host_clock
        from action_server.jobs.queue import JobQueue
        from action_server.jobs.table import metadata

    if password is not None:
        password()
    try:
        database = await Database.open(location(), metadata.create_all, where="database", password=password)
        stack.push_async_callback(database.close)
        return JobQueue(database, clock=await host_clock(database))
    except DatabaseError as exc:
        raise SettingsError("database", one_line(exc)) from exc


@asynccontextmanager
async def running_jobs(
    package: str,
    services: Services | None,
    threads: Threads,
    concurrency: int,
    *,
    metrics: Metrics | None = None,
    tracing: Tracing | None = None,
    witnesses: Callable[[], Witnesses | None] = lambda: None,
) -> AsyncIterator[Callable[[], None]]:
    """Run the jobs of a package within the block, so many at once; none if there is no queue, or for 0.

    The queue is measured in either case, if there are ``metrics``; ``witnesses`` is asked before each run who is to see
    it. Yields what is to be called when the process is about to stop: from then on no further job is begun.
    """
    rooms = [] if services is None else _rooms(package, services, concurrency)
    if not rooms:
        yield _nothing
        return
    from action_server.jobs.runner import JobRunner

    known = [name for room in rooms for name in room.jobs]
    async with AsyncExitStack() as stack:
        if metrics is not None:
            for room in rooms:
                measuring = asyncio.create_task(_measure(room.queue, tuple(room.jobs), metrics))
                stack.push_async_callback(_cancel, measuring)
        if concurrency == 0:
            yield _nothing
            return
        tally = None if metrics is None else metrics.job_ran
        rest: Any = {"tally": tally, "tracing": tracing, "witnesses": witnesses, "known": known}
        runners = []
        for room in rooms:
            runner = JobRunner(room.queue, room.jobs, threads, services, concurrency=room.concurrency, **rest)
            runners.append(await stack.enter_async_context(runner))

        def claim_no_more() -> None:
            for runner in runners:
                runner.claim_no_more()

        yield claim_no_more


class _Room(NamedTuple):
    queue: JobQueue
    jobs: Mapping[str, Job[..., Any]]
    concurrency: int


def _rooms(package: str, services: Services, concurrency: int) -> Sequence[_Room]:
    """Return the queues of a worker: the server's own, and those that the package keeps."""
    kept = kept_here(services)
    rooms = [_Room(one.queue, {**one.jobs, **one.own_jobs}, one.concurrency) for one in kept]
    own: Any = services.jobs
    if own is not None:
        names = {name for one in kept for name in one.jobs}
        found = {name: job for name, job in find_jobs(package).items() if name not in names}
        rooms.insert(0, _Room(own, {**found, **services.own_jobs}, concurrency))
    return rooms


async def _measure(queue: JobQueue, names: Sequence[str], metrics: Metrics) -> None:
    """Measure the queue from time to time; while the database does not answer, the metrics stay what they were."""
    from action_server.jobs.measuring import Depth

    seen: dict[str, Depth] = {}
    while True:
        with suppress(DatabaseError):
            # Of a name that waits no more, and that nobody here knows, there are none from now on.
            seen = {**dict.fromkeys(seen, Depth(0, 0, 0, 0.0)), **await queue.measure(names)}
            for name, depth in seen.items():
                metrics.queue_measured(name, *depth)
        await asyncio.sleep(MEASURED_EVERY)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _nothing() -> None:
    """Stop nothing: no job is run here."""
