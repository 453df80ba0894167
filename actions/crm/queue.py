"""The outbox's rows: what waits, who delivers it, and what became of it. Every method is one or two transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from actions.crm.models import Activity, Contact
from actions.crm.tables import leases, outbox, records
from actions.crm.upsert import insert_into
from actions.scheduling.models import Change

Clock = Callable[[], datetime]

# The holder of a contact that nobody delivers for.
NOBODY = ""
# Rows that are forgotten in one transaction, and that are looked at for contacts which are not in the queue: bookings
# wait for the one, and other readers for the other.
FORGET_AT_ONCE, ADOPT_AT_ONCE = 100, 2000

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
    """The rows of one database, for one holder of leases; `system` is the CRM whose ids are kept (40 characters)."""

    def __init__(self, database: Database, holder: str, clock: Clock, system: str = "") -> None:
        self._database = database
        self._system = system
        self._holder = holder
        self._clock = clock
        self._held: set[str] = set()

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
        queueing = insert_into(connection, leases).values(contact=contact.key, holder=NOBODY, until=now)
        # A row that is there is written as it is, which locks it: whoever is about to delete it, since nothing waits
        # any more, sees the new row of the outbox first.
        same = {"holder": leases.c.holder}
        await connection.execute(queueing.on_conflict_do_update(index_elements=[leases.c.contact], set_=same))

    async def claim(self, limit: int, lease: timedelta) -> Sequence[Delivery]:
        """Lease up to so many contacts for that time, and return the first row of each that is due.

        Only the first row that waits for a contact is ever given out, and only to one holder: that is the order.
        """
        now = self._clock()

        async def look(connection: AsyncConnection) -> Sequence[str]:
            due = select(leases.c.contact).where(leases.c.until <= now).order_by(leases.c.until).limit(limit)
            return (await connection.scalars(due)).all()

        async def take(connection: AsyncConnection) -> Sequence[Delivery]:
            # In one order of contacts: two processes that lock rows in different orders would wait for each other.
            found = [await self._take(connection, contact, now, now + lease) for contact in sorted(candidates)]
            return [delivery for delivery in found if delivery]

        # Looking takes no write lock, so that an idle outbox is in nobody's way.
        candidates = await self._database.read(look) if limit > 0 else []
        return await self._database.write(take) if candidates else []

    async def _take(self, connection: AsyncConnection, contact: str, now: datetime, until: datetime) -> Delivery | None:
        taking = update(leases).where(leases.c.contact == contact, leases.c.until <= now)
        if (await connection.execute(taking.values(holder=self._holder, until=until))).rowcount == 0:
            return None
        # Again, now that nobody else can deliver for the contact: what was seen before may be done.
        found = (await connection.execute(_first_of(contact))).first()
        if found is None or found.not_before > now:
            await self._give_back(connection, contact)
            return None
        self._held.add(contact)
        known = select(records.c.record).where(records.c.contact == contact, records.c.system == self._system)
        return _delivery(found, await connection.scalar(known))

    async def mark_delivered(self, delivery: Delivery, record: str | None = None) -> None:
        """Note that the CRM has it, forget what it said of the patient, and give the contact back.

        The first `record` that is ever named is kept: a CRM finds by it whatever that was merged into.
        """
        gone: dict[str, Any] = dict.fromkeys(_PERSONAL)
        changes = {"state": DELIVERED, "settled_at": self._clock(), "problem": None, **gone}
        await self._settle(delivery, changes, record if delivery.contact.record is None else None)

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

    async def _settle(self, delivery: Delivery, changes: dict[str, Any], record: str | None = None) -> None:
        async def work(connection: AsyncConnection) -> None:
            if record is not None:
                row = {"contact": delivery.contact.key, "system": self._system, "record": record[:64]}
                await connection.execute(insert_into(connection, records).values(row).on_conflict_do_nothing())
            still = (outbox.c.seq == delivery.seq, outbox.c.state == WAITING)
            await connection.execute(update(outbox).where(*still).values(changes))
            await self._give_back(connection, delivery.contact.key)

        await self._database.write(work)

    async def _give_back(self, connection: AsyncConnection, contact: str) -> None:
        """Let others deliver for the contact when its next row is due; it leaves the queue if nothing waits."""
        mine = (leases.c.contact == contact, leases.c.holder == self._holder)
        self._held.discard(contact)
        # Locked before anybody looks whether something waits: see `put`.
        if await connection.scalar(select(leases.c.contact).where(*mine).with_for_update()) is None:
            return
        following = (await connection.execute(_first_of(contact))).first()
        if following is None:
            await connection.execute(delete(leases).where(*mine))
        else:
            # Not before now: all other contacts have their turn before the next row of this one.
            until = max(following.not_before, self._clock())
            await connection.execute(update(leases).where(*mine).values(holder=NOBODY, until=until))

    async def give_back_all(self) -> None:
        """Give back every contact this holder has."""

        async def work(connection: AsyncConnection) -> None:
            for contact in sorted(self._held):
                await self._give_back(connection, contact)

        await self._database.write(work)

    async def unpark(self, refusals: int) -> int:
        """Let every parked row wait again, with so many refusals counted; return how many there were."""

        async def work(connection: AsyncConnection) -> int:
            now = self._clock()
            parked = select(outbox.c.contact).where(outbox.c.state == PARKED).distinct()
            await _queue_up(connection, (await connection.scalars(parked)).all(), now)
            again = {"state": WAITING, "settled_at": None, "not_before": now, "refusals": refusals}
            return (await connection.execute(update(outbox).where(outbox.c.state == PARKED).values(again))).rowcount

        async def look(connection: AsyncConnection) -> bool:
            return (
                await connection.execute(select(outbox.c.seq).where(outbox.c.state == PARKED).limit(1))
            ).first() is not None

        return await self._database.write(work) if await self._database.read(look) else 0

    async def forget(self, delivered_before: datetime, parked_before: datetime) -> tuple[int, bool]:
        """Delete some of the rows that were delivered or parked before.

        Return how many of them were parked, and whether there may be more.
        """

        async def work(connection: AsyncConnection) -> tuple[int, bool]:
            gone = await _delete_settled(connection, DELIVERED, delivered_before)
            lost = await _delete_settled(connection, PARKED, parked_before)
            return lost, FORGET_AT_ONCE in (gone, lost)

        return await self._database.write(work)

    async def adopt(self, after: str = "") -> str:
        """Queue contacts that have rows waiting and are not queued; return after which contact to go on.

        Earlier versions of this program know nothing of the queue, and may run beside this one while it is replaced.
        """
        some = select(outbox.c.contact).where(outbox.c.state == WAITING, outbox.c.contact > after)
        page = some.order_by(outbox.c.contact).limit(ADOPT_AT_ONCE).subquery()
        queued = select(leases.c.contact).where(leases.c.contact == page.c.contact).exists()

        async def look(connection: AsyncConnection) -> tuple[Sequence[str], int, str | None]:
            missing = (await connection.scalars(select(page.c.contact).where(~queued).distinct())).all()
            count, last = (await connection.execute(select(func.count(), func.max(page.c.contact)))).one()
            return missing, count, last

        missing, count, last = await self._database.read(look)
        if missing:
            await self._database.write(lambda connection: _queue_up(connection, missing, self._clock()))
        return last if last is not None and count == ADOPT_AT_ONCE else ""

    async def pending(self) -> Pending:
        """Count what has not been delivered."""

        async def work(connection: AsyncConnection) -> Pending:
            waiting, parked = [await _count(connection, state) for state in (WAITING, PARKED)]
            # By an index: rows are written in order.
            first = select(outbox.c.written_at).where(outbox.c.state == WAITING, outbox.c.settled_at.is_(None))
            return Pending(waiting, parked, await connection.scalar(first.order_by(outbox.c.seq).limit(1)))

        return await self._database.read(work)


async def _count(connection: AsyncConnection, state: str) -> int:
    found = await connection.execute(select(func.count()).select_from(outbox).where(outbox.c.state == state))
    count: int = found.scalar_one()
    return count


def _first_of(contact: str) -> Select[Any]:
    waiting = select(outbox).where(outbox.c.contact == contact, outbox.c.state == WAITING)
    return waiting.order_by(outbox.c.seq).limit(1)


async def _delete_settled(connection: AsyncConnection, state: str, before: datetime) -> int:
    old = select(outbox.c.seq).where(outbox.c.state == state, outbox.c.settled_at < before)
    some = old.order_by(outbox.c.settled_at).limit(FORGET_AT_ONCE).with_for_update(skip_locked=True)
    return (await connection.execute(delete(outbox).where(outbox.c.seq.in_(some)))).rowcount


async def _queue_up(connection: AsyncConnection, contacts: Sequence[str], now: datetime) -> None:
    # In one order, as in `claim`.
    for contact in sorted(contacts):
        queueing = insert_into(connection, leases).values(contact=contact, holder=NOBODY, until=now)
        free = leases.c.holder == NOBODY
        await connection.execute(
            queueing.on_conflict_do_update(index_elements=[leases.c.contact], set_={"until": now}, where=free)
        )


def _delivery(row: Row[Any], record: str | None) -> Delivery:
    contact = Contact(row.contact, row.name, row.email, row.phone, record)
    activity = Activity(row.id, Change(row.change), row.reference, row.appointment_type, row.start, row.end, row.at)
    return Delivery(row.seq, contact, activity, row.failures, row.refusals)
