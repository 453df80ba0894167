"""The outbox's rows: what waits, who delivers it, and what became of it. Every method is one or two transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from actions.crm.models import Activity, Contact
from actions.crm.tables import leases, outbox
from actions.crm.upsert import insert_into
from actions.scheduling.models import Change

Clock = Callable[[], datetime]

WAITING, DELIVERED, PARKED = "waiting", "delivered", "parked"
# Everything a row says about a patient and an appointment.
_PERSONAL = ("name", "email", "phone", "change", "reference", "appointment_type", "start", "end", "at")


@dataclass(frozen=True)
class Pending:
    """What has not been delivered: how many wait, how many are parked, and since when the oldest waits (UTC)."""

    waiting: int
    parked: int
    oldest: datetime | None


@dataclass(frozen=True)
class Delivery:
    """One row that this holder delivers now, and how often that has failed or been refused."""

    seq: int
    contact: Contact
    activity: Activity
    failures: int
    refusals: int


class Queue:
    """The rows of one database, for one holder of leases."""

    def __init__(self, database: Database, holder: str, clock: Clock) -> None:
        self._database = database
        self._holder = holder
        self._clock = clock

    async def put(self, connection: AsyncConnection, contact: Contact, activity: Activity) -> None:
        """Add a row within the caller's transaction; one that was told already is not added again."""
        now = self._clock()
        row = {
            **{name: getattr(contact, name) for name in ("name", "email", "phone")},
            **{name: value for name, value in asdict(activity).items() if name != "id"},
            "change": activity.change.value,
            "id": activity.id,
            "contact": contact.key,
            "state": WAITING,
            "not_before": now,
            "written_at": now,
            "failures": 0,
            "refusals": 0,
        }
        await connection.execute(insert_into(connection, outbox).values(row).on_conflict_do_nothing())

    async def claim(self, limit: int, lease: timedelta) -> Sequence[Delivery]:
        """Lease up to so many contacts for that time, and return the first row of each that is due.

        Only the first row that waits for a contact is ever given out, and only to one holder: that is the order.
        """
        now = self._clock()

        async def look(connection: AsyncConnection) -> Sequence[str]:
            taken = exists().where(leases.c.contact == outbox.c.contact, leases.c.until > now)
            first = select(func.min(outbox.c.seq)).where(outbox.c.state == WAITING).group_by(outbox.c.contact)
            due = select(outbox.c.contact).where(outbox.c.seq.in_(first), outbox.c.not_before <= now, ~taken)
            return (await connection.scalars(due.order_by(outbox.c.not_before, outbox.c.seq).limit(limit))).all()

        async def take(connection: AsyncConnection) -> Sequence[Delivery]:
            # In one order of contacts: two processes that lock rows in different orders would wait for each other.
            found = [await self._take(connection, contact, now, now + lease) for contact in sorted(candidates)]
            return [delivery for delivery in found if delivery]

        # Looking takes no write lock, so that an idle outbox is in nobody's way.
        candidates = await self._database.read(look) if limit > 0 else []
        return await self._database.write(take) if candidates else []

    async def _take(self, connection: AsyncConnection, contact: str, now: datetime, until: datetime) -> Delivery | None:
        row = {"contact": contact, "holder": self._holder, "until": until}
        taking = (
            insert_into(connection, leases)
            .values(row)
            .on_conflict_do_update(
                index_elements=[leases.c.contact],
                set_={"holder": self._holder, "until": until},
                where=leases.c.until <= now,
            )
        )
        if (await connection.execute(taking.returning(leases.c.contact))).first() is None:
            return None
        # Again, now that nobody else can deliver for the contact: what was seen before may be done.
        first = select(outbox).where(outbox.c.contact == contact, outbox.c.state == WAITING).order_by(outbox.c.seq)
        found = (await connection.execute(first.limit(1))).first()
        if found is None or found.not_before > now:
            await self._give_back(connection, contact)
            return None
        return _delivery(found)

    async def mark_delivered(self, delivery: Delivery) -> None:
        """Note that the CRM has it, forget what it said of the patient, and give the contact back."""
        gone: dict[str, Any] = dict.fromkeys(_PERSONAL)
        await self._settle(delivery, {"state": DELIVERED, "settled_at": self._clock(), "problem": None, **gone})

    async def postpone(self, delivery: Delivery, pause: timedelta, problem: str) -> None:
        """Let the row wait so long, and with it everything after it for the same contact."""
        changes = {"not_before": self._clock() + pause, "problem": problem, "failures": delivery.failures + 1}
        await self._settle(delivery, changes)

    async def note_refusal(self, delivery: Delivery, pause: timedelta, problem: str) -> None:
        """Do as `postponed`, and count that the CRM refused it."""
        changes = {"not_before": self._clock() + pause, "problem": problem, "refusals": delivery.refusals + 1}
        await self._settle(delivery, changes)

    async def park(self, delivery: Delivery, problem: str) -> None:
        """Put the row aside: what comes after it for the same contact is delivered without it."""
        changes = {"problem": problem, "refusals": delivery.refusals + 1}
        await self._settle(delivery, {"state": PARKED, "settled_at": self._clock(), **changes})

    async def _settle(self, delivery: Delivery, changes: dict[str, Any]) -> None:
        async def work(connection: AsyncConnection) -> None:
            still = (outbox.c.seq == delivery.seq, outbox.c.state == WAITING)
            await connection.execute(update(outbox).where(*still).values(changes))
            await self._give_back(connection, delivery.contact.key)

        await self._database.write(work)

    async def _give_back(self, connection: AsyncConnection, contact: str) -> None:
        mine = (leases.c.contact == contact, leases.c.holder == self._holder)
        await connection.execute(delete(leases).where(*mine))

    async def give_back_all(self) -> None:
        """Give back every contact this holder has."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(leases).where(leases.c.holder == self._holder))

        await self._database.write(work)

    async def unpark(self, refusals: int) -> int:
        """Let every parked row wait again, with so many refusals counted; return how many there were."""

        async def work(connection: AsyncConnection) -> int:
            again = {"state": WAITING, "settled_at": None, "not_before": self._clock(), "refusals": refusals}
            return (await connection.execute(update(outbox).where(outbox.c.state == PARKED).values(again))).rowcount

        async def look(connection: AsyncConnection) -> bool:
            return (
                await connection.execute(select(outbox.c.seq).where(outbox.c.state == PARKED).limit(1))
            ).first() is not None

        return await self._database.write(work) if await self._database.read(look) else 0

    async def forget(self, delivered_before: datetime, parked_before: datetime) -> int:
        """Delete the rows that were delivered or parked before; return how many of them were parked."""

        async def work(connection: AsyncConnection) -> int:
            old = delete(outbox).where(outbox.c.state == DELIVERED, outbox.c.settled_at < delivered_before)
            await connection.execute(old)
            lost = delete(outbox).where(outbox.c.state == PARKED, outbox.c.settled_at < parked_before)
            await connection.execute(delete(leases).where(leases.c.until < delivered_before))
            return (await connection.execute(lost)).rowcount

        return await self._database.write(work)

    async def pending(self) -> Pending:
        """Count what has not been delivered."""

        async def work(connection: AsyncConnection) -> Pending:
            state = select(outbox.c.state, func.count(), func.min(outbox.c.written_at))
            rows = (await connection.execute(state.where(outbox.c.state != DELIVERED).group_by(outbox.c.state))).all()
            found = {row[0]: (row[1], row[2]) for row in rows}
            waiting, oldest = found.get(WAITING, (0, None))
            return Pending(waiting, found.get(PARKED, (0, None))[0], oldest)

        return await self._database.read(work)


def _delivery(row: Row[Any]) -> Delivery:
    contact = Contact(row.contact, row.name, row.email, row.phone)
    activity = Activity(row.id, Change(row.change), row.reference, row.appointment_type, row.start, row.end, row.at)
    return Delivery(row.seq, contact, activity, row.failures, row.refusals)
