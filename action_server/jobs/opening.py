"""Opens the queue for a server whose actions package has a job, and runs jobs for the length of a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server.errors import DatabaseError, SettingsError
from action_server.extras import packages_for
from action_server.jobs.finding import find_jobs
from action_server.runtime.services import Services
from action_server.runtime.threads import Threads
from action_server.source import one_line

if TYPE_CHECKING:
    from action_server.jobs.queue import JobQueue
    from action_server.telemetry.call_notes import Witnesses


async def open_queue(
    stack: AsyncExitStack, package: str, location: Callable[[], str | Path], password: Callable[[], str] | None
) -> JobQueue | None:
    """Open the queue in a database, a file or an URL, closed with the stack; None if the package has no job.

    Raises:
        RegistrationError: two jobs share a name, or one takes what cannot be JSON.
        SettingsError: the database cannot be opened, or its password cannot be read.
    """
    if not find_jobs(package):
        return None
    with packages_for("database"):  # here, as a server without jobs need not pay for SQLAlchemy
        from action_server.database import Database
        from action_server.jobs.queue import JobQueue
        from action_server.jobs.table import metadata

    if password is not None:
        password()
    try:
        database = await Database.open(location(), metadata.create_all, where="database", password=password)
    except DatabaseError as exc:
        raise SettingsError("database", one_line(exc)) from exc
    stack.push_async_callback(database.close)
    return JobQueue(database)


@asynccontextmanager
async def running_jobs(
    package: str,
    services: Services | None,
    threads: Threads,
    concurrency: int,
    witnesses: Callable[[], Witnesses | None] = lambda: None,
) -> AsyncIterator[Callable[[], None]]:
    """Run the jobs of a package within the block, so many at once; none if there is no queue, or for 0.

    ``witnesses`` is asked before each run who is to see it. Yields what is to be called when the process is about to
    stop: from then on no further job is begun.
    """
    queue = services.jobs if services is not None else None
    if queue is None or concurrency == 0:
        yield _nothing
        return
    from action_server.jobs.queue import JobQueue
    from action_server.jobs.runner import JobRunner

    assert isinstance(queue, JobQueue)  # noqa: S101 - for mypy: the room below does not know it
    options: dict[str, Any] = {"concurrency": concurrency, "witnesses": witnesses}
    async with JobRunner(queue, find_jobs(package), threads, services, **options) as runner:
        yield runner.claim_no_more


def _nothing() -> None:
    """Stop nothing: no job is run here."""
