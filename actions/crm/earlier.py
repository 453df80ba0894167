"""The outbox of earlier versions, `crm_outbox` with its leases: what waits there becomes jobs, in order, and it goes.

Servers of the version before may run on the same database until they are replaced, and go on writing there and telling
the CRM. So a contact is taken from them as they take one from each other, by its lease. It stays taken for a day, in
which they write and do not tell; what they write meanwhile is moved. Whoever replaces them one by one needs no longer:
a day after the migration, when nothing waits there, the tables are dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row, delete, inspect, or_, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, Job, job, later
from actions.crm.delivery import tell_crm
from actions.crm.models import Activity, Contact
from actions.crm.tables import leases, of_earlier_versions, outbox
from actions.crm.upsert import insert_into
from actions.scheduling.models import Change
from actions.wallclock import utc_now

_logger = logging.getLogger(__name__)

_WAITING, _DELIVERED, _PARKED = "waiting", "delivered", "parked"
# The holder of a contact that nobody delivers for, and of one whose changes are jobs.
_NOBODY, _JOBS = "", "jobs"
_TAKEN = timedelta(days=1)
# For so long, servers of the version before know a delivered change by its id.
_KEPT = timedelta(hours=1)
_PAGE = 500


def adopting(database: Database) -> Job[[], Coroutine[Any, Any, None]]:
    """Return the job that moves what is in the earlier outbox of this database, now and then."""

    @job(name="crm.adopt", every=30, timeout=None)
    async def adopt_outbox() -> None:
        await adopt(database)

    return adopt_outbox


async def adopt(database: Database) -> None:
    """Make jobs of what waits there, or was parked, of each contact that nobody delivers for just now.

    Drops the tables when nobody uses them any more. Raises `DatabaseError`; what was moved until then stays so.
    """
    if not await database.read(are_there):
        return
    moved, after = 0, ""
    while page := await database.read(partial(_contacts, after=after)):
        for contact in page:
            moved += await database.write(partial(_take_and_move, contact=contact))
        after = page[-1]
    await database.write(_forget)
    if moved:
        _logger.info("crm.outbox_moved", extra={"rows": moved})
    if await database.write(_is_dropped):
        _logger.info("crm.outbox_dropped")


async def are_there(connection: AsyncConnection) -> bool:
    """Tell whether the database has the tables."""
    return await connection.run_sync(lambda connection: inspect(connection).has_table(outbox.name))


async def comes_behind(connection: AsyncConnection, contact: Contact, activity: Activity) -> bool:
    """Write a change down there, if a server of the version before delivers for the contact just now.

    False if nobody does: then what waited there for the contact is jobs now, and the change is to be one, too. Leaves
    nothing behind in the transaction if the tables were dropped meanwhile.
    """
    try:
        async with connection.begin_nested():
            if not await _is_taken(connection, contact.key):
                await _put(connection, contact, activity)
                return True
            await _move(connection, contact.key)
    except DBAPIError:
        if await are_there(connection):
            raise
    return False


async def ask_for(connection: AsyncConnection, contact: Contact, activity: Activity) -> None:
    """Ask within the caller's transaction for the job that tells the CRM; what was asked for already is not again.

    Raises `DatabaseError` or `JobError`.
    """
    wish = tell_crm.having(key=activity.id, ordering_key=contact.key, connection=connection)
    await later(wish, contact=contact, activity=activity)


async def _contacts(connection: AsyncConnection, after: str) -> Sequence[str]:
    some = select(outbox.c.contact).where(outbox.c.state.in_((_WAITING, _PARKED)), outbox.c.contact > after)
    return (await connection.scalars(some.distinct().order_by(outbox.c.contact).limit(_PAGE))).all()


async def _is_taken(connection: AsyncConnection, contact: str) -> bool:
    """Take a contact for the jobs; False if somebody else has it. Nobody writes for it until the transaction ends."""
    now = utc_now()
    taken = {"holder": _JOBS, "until": now + _TAKEN}
    taking = insert_into(connection, leases).values(contact=contact, **taken)
    is_free = or_(leases.c.until <= now, leases.c.holder == _JOBS)
    upserting = taking.on_conflict_do_update(index_elements=[leases.c.contact], set_=taken, where=is_free)
    return (await connection.execute(upserting.returning(leases.c.contact))).first() is not None


async def _take_and_move(connection: AsyncConnection, contact: str) -> int:
    return await _move(connection, contact) if await _is_taken(connection, contact) else 0


async def _move(connection: AsyncConnection, contact: str) -> int:
    """Make jobs of the changes of a contact that was taken; return how many there were."""
    mine = (outbox.c.contact == contact, outbox.c.state.in_((_WAITING, _PARKED)))
    rows = (await connection.execute(select(outbox).where(*mine).order_by(outbox.c.seq))).all()
    for row in rows:
        await ask_for(connection, *_parts(row))
    if rows:
        await connection.execute(delete(outbox).where(outbox.c.seq.in_([row.seq for row in rows])))
    return len(rows)


async def _put(connection: AsyncConnection, contact: Contact, activity: Activity) -> None:
    """Write a change as servers of the version before do, one of which has the contact."""
    now = utc_now()
    row = {
        **{name: getattr(contact, name) for name in ("name", "email", "phone")},
        **asdict(activity),
        "change": activity.change.value,
        "contact": contact.key,
        "state": _WAITING,
        "not_before": now,
        "written_at": now,
        "failures": 0,
        "refusals": 0,
    }
    await connection.execute(insert_into(connection, outbox).values(row).on_conflict_do_nothing())
    queueing = insert_into(connection, leases).values(contact=contact.key, holder=_NOBODY, until=now)
    # A row that is there is written as it is, which locks it: whoever is about to delete it, since nothing waits any
    # more, sees the new row of the outbox first.
    same = {"holder": leases.c.holder}
    await connection.execute(queueing.on_conflict_do_update(index_elements=[leases.c.contact], set_=same))


async def _forget(connection: AsyncConnection) -> None:
    now = utc_now()
    await connection.execute(delete(outbox).where(outbox.c.state == _DELIVERED, outbox.c.settled_at < now - _KEPT))
    await connection.execute(delete(leases).where(leases.c.holder == _JOBS, leases.c.until <= now))


async def _is_dropped(connection: AsyncConnection) -> bool:
    """Drop the tables if nobody waits for what is in them; False if they are used, if only by a booking just now."""
    try:
        async with connection.begin_nested():
            if connection.dialect.name == "postgresql":
                # Nobody writes between the look and the end. Without waiting: bookings would wait behind it.
                await connection.execute(text("LOCK TABLE crm_outbox, crm_leases IN ACCESS EXCLUSIVE MODE NOWAIT"))
            waits = select(outbox.c.seq).where(outbox.c.state.in_((_WAITING, _PARKED))).limit(1)
            # That of nobody, which the migration wrote for a day, and those of servers that tell the CRM just now.
            of_others = or_(leases.c.contact == "", leases.c.holder != _JOBS)
            is_held = select(leases.c.contact).where(leases.c.until > utc_now(), of_others).limit(1)
            if [row for query in (waits, is_held) for row in await connection.execute(query)]:
                return False
            await connection.run_sync(of_earlier_versions.drop_all)
            return True
    except DBAPIError:
        return False


def _parts(row: Row[Any]) -> tuple[Contact, Activity]:
    contact = Contact(row.contact, row.name, row.email, row.phone)
    return contact, Activity(
        row.id, Change(row.change), row.reference, row.appointment_type, row.start, row.end, row.at
    )
