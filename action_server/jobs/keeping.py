"""``keep_jobs``: jobs of a package that are kept in a database of its own, with the data that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from action_server.errors import JobError
from action_server.jobs.definitions import Job
from action_server.jobs.rules import check_count
from action_server.runtime.services import Services

if TYPE_CHECKING:
    import svcs

    from action_server.database import Database
    from action_server.jobs.queue import JobQueue

# How many of them a worker runs at once.
CONCURRENCY = 4


@dataclass(frozen=True)
class QueuedJobs:
    """Jobs by name, the queue they are in, and how many of them a worker runs at once."""

    queue: JobQueue
    jobs: Mapping[str, Job[..., Any]]
    concurrency: int


class KeptJobs(list[QueuedJobs]):
    """All that a package keeps, as its registry holds it."""


async def keep_jobs(
    registry: svcs.Registry, database: Database, jobs: Iterable[Job[..., Any]], *, concurrency: int = CONCURRENCY
) -> None:
    """Keep these jobs in a database of the package's own, and have them run there: to be called in its ``lifespan``.

    They can be written in the transaction of the package's own data: ``later(job.having(connection=connection), ...)``.
    The tables of jobs are made there. Each worker that runs jobs runs ``concurrency`` of these at once, beside those of
    the server's ``database``. The database has to stay open until the lifespan ends.

    A job that is to run only where it is kept need not be one of a module: a function of the lifespan can be marked.

    Raises:
        JobError: a job of this name is kept already, or what is given is of another kind.
        RegistrationError: a job takes or returns what cannot be JSON.
        DatabaseError: the database does not answer.
    """
    from action_server.database import Database
    from action_server.idempotency.host_clock import host_clock
    from action_server.jobs.queue import JobQueue
    from action_server.jobs.table import metadata

    check_count("keep_jobs: `concurrency`", concurrency, 1)
    if not isinstance(database, Database):
        raise JobError("keep_jobs: `database` is what `await Database.open(...)` returns")
    if isinstance(jobs, Job):
        raise JobError(f"keep_jobs: `jobs` is a list of them, and not the job {jobs.name}")
    before = kept_in(registry)
    taken = {name for one in before for name in one.jobs}
    by_name: dict[str, Job[..., Any]] = {}
    for job in jobs:
        if not isinstance(job, Job):
            raise JobError(f"keep_jobs: {getattr(job, '__name__', job)} is no function that is marked @job")
        if job.name in taken or by_name.setdefault(job.name, job) is not job:
            raise JobError(f"keep_jobs: a job {job.name} is kept already")
        job.prepare()
    await database.create(metadata.create_all)
    queue = JobQueue(database, clock=await host_clock(database))
    registry.register_value(KeptJobs, KeptJobs([*before, QueuedJobs(queue, by_name, concurrency)]))


def kept_in(registry: svcs.Registry | None) -> Sequence[QueuedJobs]:
    """Return what a package keeps by itself, in the order in which it said so."""
    if registry is None or KeptJobs not in registry:
        return ()
    import svcs

    return svcs.Container(registry).get(KeptJobs)


def kept_here(services: Services | None) -> Sequence[QueuedJobs]:
    """Return what the package of these services keeps by itself."""
    return () if services is None else kept_in(services.registry)


def queues_of(services: Services | None) -> Sequence[JobQueue]:
    """Return the queues there are, the server's own first."""
    own: Any = None if services is None else services.jobs
    return [*([] if own is None else [own]), *(one.queue for one in kept_here(services))]


def one_for_each_database(queues: Iterable[JobQueue]) -> Sequence[JobQueue]:
    """Return these without those whose database is that of an earlier one."""
    found: list[JobQueue] = []
    for queue in queues:
        if not any(queue.database.is_same_as(other.database) for other in found):
            found.append(queue)
    return found
