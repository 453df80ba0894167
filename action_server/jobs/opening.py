"""Opens the queue for a server whose actions package has a job, and runs jobs for the length of a block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server.errors import DatabaseError, RegistrationError, SettingsError
from action_server.extras import packages_for
from action_server.jobs.definitions import Job
from action_server.jobs.finding import find_jobs
from action_server.jobs.keeping import QueuedJobs, kept_here, one_for_each_database
from action_server.runtime.services import Services
from action_server.runtime.threads import Threads
from action_server.source import one_line, place_of
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from action_server.jobs.measuring import Depth
    from action_server.jobs.queue import JobQueue
    from action_server.jobs.runner import JobRunner
    from action_server.telemetry.call_notes import Witnesses

# Seconds. Prometheus usually asks once in 15.
MEASURED_EVERY = 10.0


async def open_queue(
    stack: AsyncExitStack,
    package: str,
    services: Services,
    location: Callable[[], str | Path],
    password: Callable[[], str] | None,
) -> JobQueue | None:
    """Open the queue in a database, a file or an URL, closed with the stack.

    None if the package has no job beside those that it keeps by itself.

    Raises:
        RegistrationError: two jobs share a name, or one takes what cannot be JSON.
        SettingsError: the database cannot be opened, or its password cannot be read.
    """
    found = _not_kept(package, services)
    if not found:
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
        queue = JobQueue(database, clock=await host_clock(database))
    except DatabaseError as exc:
        raise SettingsError("database", one_line(exc)) from exc
    queue.names = found.keys()
    return queue


def _not_kept(package: str, services: Services) -> Mapping[str, Job[..., Any]]:
    """Return the jobs of a package's modules that it does not keep by itself."""
    found, kept = find_jobs(package), {name: job for one in kept_here(services) for name, job in one.jobs.items()}
    for name in found.keys() & kept.keys():
        if found[name] is not kept[name]:
            place, other = place_of(kept[name].function), place_of(found[name].function)
            raise RegistrationError(f"job {name!r}", place, f"has the name of the one at {other}")
    return {name: job for name, job in found.items() if name not in kept}


def queued_jobs(package: str, services: Services | None, concurrency: int) -> Sequence[QueuedJobs]:
    """Return the jobs that a worker runs, by their queues; ``concurrency`` is that of the server's own queue.

    Raises:
        RegistrationError: two jobs share a name, or one takes what cannot be JSON.
    """
    kept = kept_here(services)
    if services is None:
        return ()
    every = [QueuedJobs(one.queue, {**one.jobs, **services.own_jobs}, one.concurrency) for one in kept]
    own: Any = services.jobs
    if own is not None:
        # What the package has begun to keep may still wait here, and is asked for here no more.
        elsewhere = [one for one in kept if not one.queue.database.is_same_as(own.database)]
        left = {name: job for one in elsewhere for name, job in one.jobs.items() if job.rules.every is None}
        jobs = {**left, **_not_kept(package, services), **services.own_jobs}
        every.insert(0, QueuedJobs(own, jobs, concurrency))
    return every


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

    Those that the package keeps have a number of their own, unless this one is 0. Queues are measured in either case,
    if there are ``metrics``; ``witnesses`` is asked before each run who is to see it. Yields what is to be called when
    the process is about to stop: from then on no further job is begun.
    """
    every = queued_jobs(package, services, concurrency)
    if not every:
        yield _nothing
        return
    from action_server.jobs.runner import JobRunner

    async with AsyncExitStack() as stack:
        if metrics is not None:
            stack.push_async_callback(_cancel, asyncio.create_task(_measure(every, metrics)))
        if concurrency == 0:
            yield _nothing
            return
        seen: Any = {"tally": None if metrics is None else metrics.job_ran, "tracing": tracing, "witnesses": witnesses}
        runners = []
        for one in every:
            known = _names_beside(one.queue, every)
            runner = JobRunner(one.queue, one.jobs, threads, services, concurrency=one.concurrency, known=known, **seen)
            runners.append(await runner.__aenter__())
        stack.push_async_callback(_stop, runners)
        yield lambda: _claim_no_more(runners)


def _names_beside(queue: JobQueue, every: Sequence[QueuedJobs]) -> set[str]:
    """Return the names of all jobs of this worker that are in the database of a queue."""
    return {name for one in every if one.queue.database.is_same_as(queue.database) for name in one.jobs}


async def _measure(every: Sequence[QueuedJobs], metrics: Metrics) -> None:
    """Measure the queues from time to time; while a database does not answer, what it had is what it has."""
    from action_server.jobs.measuring import Depth

    queues = one_for_each_database(one.queue for one in every)
    # In which database which names are looked for, and what was found there.
    names = [_names_beside(queue, every) for queue in queues]
    seen: list[dict[str, Depth]] = [{} for _ in queues]
    while True:
        for number, queue in enumerate(queues):
            with suppress(DatabaseError):
                # Of a name that waits no more, and that nobody here knows, there are none from now on.
                none = dict.fromkeys(seen[number], Depth(0, 0, 0, 0.0))
                seen[number] = {**none, **await queue.measure(names[number])}
        for name in {name for depths in seen for name in depths}:
            metrics.queue_measured(name, *_together([depths[name] for depths in seen if name in depths]))
        await asyncio.sleep(MEASURED_EVERY)


def _together(depths: Sequence[Depth]) -> tuple[int, int, int, float]:
    counts = [sum(column) for column in zip(*(depth[:3] for depth in depths), strict=True)]
    return counts[0], counts[1], counts[2], max(depth.late for depth in depths)


async def _stop(runners: Sequence[JobRunner]) -> None:
    # All at once: they have one grace between them.
    await asyncio.gather(*(runner.stop() for runner in runners))


def _claim_no_more(runners: Sequence[JobRunner]) -> None:
    for runner in runners:
        runner.claim_no_more()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _nothing() -> None:
    """Stop nothing: no job is run here."""
