"""A server of the version before jobs, as far as its outbox goes: it may run while those of this version begin."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from actions.crm.identity import contact_of, key_secret
from actions.crm.models import Activity, Contact
from actions.crm.tables import leases, of_earlier_versions, outbox
from actions.crm.upsert import insert_into
from actions.scheduling.models import BookingChange, Change
from actions.wallclock import utc_now
from tests.actions.crm.memory_crm import MemoryCrm

_LEASE = timedelta(seconds=30)


async def make_tables(database: Database) -> None:
    """Make the tables, as the migration leaves them where a server of the version before may still run."""

    async def make(connection: AsyncConnection) -> None:
        await connection.run_sync(of_earlier_versions.create_all)
        day = {"contact": "", "holder": "jobs", "until": utc_now() + timedelta(days=1)}
        await connection.execute(insert(leases).values(**day))

    await database.write(make)


class EarlierServer:
    """Writes changes to `crm_outbox`, and tells a CRM of what is there: each contact under a lease of its own."""

    def __init__(self, database: Database, crm: MemoryCrm) -> None:
        self._database = database
        self._crm = crm
        self._holder = secrets.token_hex(8)

    async def write(self, *changes: BookingChange) -> None:
        """Write changes, each in the transaction of a booking."""
        for one in changes:

            async def work(connection: AsyncConnection, one: BookingChange = one) -> None:
                await self._put(connection, one)

            await self._database.write(work)

    async def _put(self, connection: AsyncConnection, change: BookingChange) -> None:
        contact = contact_of(change.patient, await key_secret(connection), ("name", "email", "phone"))
        booking, now = change.booking, utc_now()
        slot = booking.slot
        activity = Activity(change.id, change.change, booking.reference, "x", slot.start, slot.end, change.at)
        row = {
            **{name: getattr(contact, name) for name in ("name", "email", "phone")},
            **asdict(activity),
            "change": activity.change.value,
            "contact": contact.key,
            "state": "waiting",
            "not_before": now,
            "written_at": now,
            "failures": 0,
            "refusals": 0,
        }
        await connection.execute(insert_into(connection, outbox).values(row).on_conflict_do_nothing())
        queueing = insert_into(connection, leases).values(contact=contact.key, holder="", until=now)
        same = {"holder": leases.c.holder}
        await connection.execute(queueing.on_conflict_do_update(index_elements=[leases.c.contact], set_=same))

    async def claim(self) -> Any:
        """Lease a contact that nobody has, and return the first row of it that waits; None if there is none."""

        async def look(connection: AsyncConnection) -> str | None:
            due = select(leases.c.contact).where(leases.c.until <= utc_now()).order_by(leases.c.until).limit(1)
            found: str | None = await connection.scalar(due)
            return found

        async def take(connection: AsyncConnection) -> Any:
            now = utc_now()
            taking = update(leases).where(leases.c.contact == contact, leases.c.until <= now)
            if (await connection.execute(taking.values(holder=self._holder, until=now + _LEASE))).rowcount == 0:
                return None
            found = (await connection.execute(_first_of(str(contact)))).first()
            if found is None:
                await self._give_back(connection, str(contact))
            return found

        contact = await self._database.read(look)
        return None if contact is None else await self._database.write(take)

    async def deliver(self) -> bool:
        """Tell the CRM of one change; False if there is none that could be had."""
        row = await self.claim()
        if row is None:
            return False
        contact = Contact(row.contact, row.name, row.email, row.phone)
        parts = (row.reference, row.appointment_type, row.start, row.end, row.at)
        await self._crm.log_activity(
            await self._crm.upsert_contact(contact), Activity(row.id, Change(row.change), *parts)
        )

        async def settle(connection: AsyncConnection) -> None:
            still = (outbox.c.seq == row.seq, outbox.c.state == "waiting")
            await connection.execute(update(outbox).where(*still).values(state="delivered", settled_at=utc_now()))
            await self._give_back(connection, row.contact)

        await self._database.write(settle)
        return True

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            if not await self.deliver():
                await asyncio.sleep(0.01)

    async def _give_back(self, connection: AsyncConnection, contact: str) -> None:
        mine = (leases.c.contact == contact, leases.c.holder == self._holder)
        if await connection.scalar(select(leases.c.contact).where(*mine).with_for_update()) is None:
            return
        if (await connection.execute(_first_of(contact))).first() is None:
            await connection.execute(delete(leases).where(*mine))
        else:
            await connection.execute(update(leases).where(*mine).values(holder="", until=utc_now()))


def _first_of(contact: str) -> Select[Any]:
    waiting = select(outbox).where(outbox.c.contact == contact, outbox.c.state == "waiting")
    return waiting.order_by(outbox.c.seq).limit(1)
