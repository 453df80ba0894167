"""The outbox as a worker has it: what is written in a database of its own, and the jobs that tell a CRM of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import svcs
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, Job, keep_jobs
from action_server.jobs.keeping import kept_here
from action_server.jobs.runner import JobRunner
from action_server.jobs.table import jobs
from action_server.runtime import services
from action_server.runtime.threads import ThreadPool
from actions.crm.delivery import OutboxSettings, Postman, tell_crm
from actions.crm.outbox import Outbox
from actions.crm.port import CrmBackend
from actions.scheduling.models import BookingChange
from tests.actions.crm.memory_crm import eventually

QUICK = OutboxSettings(first_pause=0.001, longest_pause=0.01, delivery_timeout=5.0)
# How often a worker looks for what others wrote, in seconds.
POLL = 0.02


@asynccontextmanager
async def writing(database: Database, settings: OutboxSettings = QUICK) -> AsyncIterator[Outbox]:
    """Write changes down within the block; nobody is told of them."""
    registry = svcs.Registry()
    await keep_jobs(registry, database, [tell_crm])
    with services.activate(registry):
        yield await Outbox.open(database, settings)


@asynccontextmanager
async def telling(
    database: Database,
    crm: CrmBackend,
    settings: OutboxSettings = QUICK,
    *,
    poll: float = POLL,
    grace: float = 5.0,
    chance: Callable[[], float] = lambda: 0.0,
    beside: Sequence[Job[..., Any]] = (),
) -> AsyncIterator[Outbox]:
    """Tell a CRM of changes within the block, and write them down, as one worker does, with other jobs `beside`."""
    registry = svcs.Registry()
    registry.register_value(Postman, Postman(database, crm, settings, chance))
    await keep_jobs(registry, database, [tell_crm, *beside])
    with services.activate(registry) as opened:
        [kept] = kept_here(opened)
        threads = ThreadPool(1)
        async with JobRunner(kept.queue, kept.jobs, threads, opened, poll=poll, grace=grace):
            yield await Outbox.open(database, settings)
        threads.close()


async def tell(database: Database, outbox: Outbox, *changes: BookingChange) -> None:
    """Write changes, each in a transaction of its own, as a ledger does."""
    for one in changes:

        async def work(connection: AsyncConnection, one: BookingChange = one) -> None:
            await outbox.on_change(connection, one)

        await database.write(work)


async def rows(database: Database) -> list[dict[str, Any]]:
    """Return the jobs that tell the CRM, in the order in which they were asked for."""
    mine = select(jobs).where(jobs.c.name == tell_crm.name).order_by(jobs.c.created_at)

    async def work(connection: AsyncConnection) -> list[dict[str, Any]]:
        return [dict(row) for row in (await connection.execute(mine)).mappings()]

    return await database.read(work)


async def states(database: Database) -> list[str]:
    """Return the states of those jobs."""
    return [row["state"] for row in await rows(database)]


async def until_told(database: Database) -> None:
    """Wait until nothing waits for delivery."""

    async def is_told() -> bool:
        return not {"waiting", "running"} & set(await states(database))

    await eventually(is_told)


async def let_leases_end(database: Database) -> None:
    """Have the leases of all runs be over, as they are when their process has been dead for long enough."""
    ending = update(jobs).where(jobs.c.state == "running").values(due_at=0)
    await database.autocommit(lambda connection: connection.execute(ending))


def renaming(old: str, new: str) -> Callable[[AsyncConnection], Awaitable[None]]:
    """Return a transaction that renames a table: whoever needs it finds a database that does not answer."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    return work
