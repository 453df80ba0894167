"""Every operation of the clinic on its own database, and of the idempotency store on its own, one after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

import svcs

from action_server import Database, keep_jobs
from action_server.idempotency.store import IdempotencyStore
from action_server.jobs.keeping import kept_in
from action_server.runtime import services
from actions.crm.delivery import OutboxSettings, Postman, tell_crm
from actions.crm.earlier import adopt
from actions.crm.embedded import EmbeddedCrm
from actions.crm.models import Activity, Contact
from actions.crm.outbox import Outbox
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import Change, Patient, Window
from actions.scheduling.references import References
from actions.scheduling.remote import Seen, Written
from tests.action_server.idempotency.store_fixtures import Job, call
from tests.actions.clinic import NOW, FixedClock, slot_at
from tests.actions.crm.earlier_server import EarlierServer, make_tables
from tests.actions.crm.memory_crm import MemoryCrm, change
from tests.actions.crm.outbox_kit import tell
from tests.actions.scheduling.scheduling_contract import BOTH_DAYS, ELEVEN, TEN, TUESDAY, WEDNESDAY_TEN, key_of

Steps: TypeAlias = dict[str, Callable[[], Awaitable[object]]]

_SYSTEM = "calendar"
WEDNESDAY_ELEVEN = slot_at("2026-11-25T11:00")
_ERIKA = Patient("c", "Erika Mustermann")


async def booking_elsewhere(ledger: Ledger) -> None:
    """Live the life of a booking that a calendar elsewhere keeps, too."""
    record, _ = await ledger.claim(key_of("c"), TEN, _ERIKA, _SYSTEM)
    await ledger.list_unsettled(_SYSTEM, timedelta())
    confirmed = await ledger.confirm(record, Seen(TEN, ("name",), is_requested=True))
    assert confirmed is not None
    await ledger.asked_for(_SYSTEM, timedelta())
    moving = await ledger.claim_move(confirmed, ELEVEN, _SYSTEM)
    assert moving is not None
    moved = await ledger.confirm(moving[0])
    assert moved is not None
    await ledger.finish(await ledger.reread(record.id))
    followed = await ledger.follow(moved, Seen(slot_at("2026-11-24T12:00")))
    assert followed is not None
    begun = await ledger.begin_cancel(followed)
    assert begun is not None
    await ledger.being_cancelled(key_of("c"))
    restored = await ledger.restore(begun)
    assert restored is not None
    assert await ledger.cancel(restored, untold=True)
    assert len(await ledger.tell_cancelled("c", NOW)) == 1


async def booking_of_another_host(ledger: Ledger) -> None:
    """Let a record stand for what another host wrote, which has its reference from an earlier failure here."""
    references = await References.of("e", "general")
    failed, _ = await ledger.claim(key_of("e"), WEDNESDAY_TEN, Patient("e"), _SYSTEM, references)
    assert await ledger.release(failed)
    record, _ = await ledger.claim(key_of("e", BOTH_DAYS), WEDNESDAY_ELEVEN, Patient("e"), _SYSTEM, references)
    adopted = await ledger.adopt(record, Written("uid of another host", WEDNESDAY_TEN, failed.entry.reference))
    assert adopted is not None
    assert adopted.entry.reference == failed.entry.reference
    assert await ledger.release(adopted)


def ledger_steps(database: Database) -> Steps:
    """Return what is done with the ledger, by name."""
    clock = FixedClock()
    ledger = Ledger(database, clock=clock)

    async def own() -> None:
        record, _ = await ledger.claim(key_of("d"), TEN, Patient("d"))
        moved = await ledger.claim_move(record, ELEVEN)
        assert moved is not None
        await ledger.find_moved(key_of("d"), ELEVEN)
        assert await ledger.cancel(moved[0])

    return {
        "a booking elsewhere": lambda: booking_elsewhere(ledger),
        "a booking here": own,
        "what is free": lambda: ledger.free([TEN, ELEVEN]),
        "who has a time": lambda: ledger.holders(TEN),
        "a patient's bookings": lambda: ledger.upcoming("c", NOW),
        "the booking of a key": lambda: ledger.live(key_of("c", Window(TUESDAY.start, TUESDAY.end))),
        "what is unsettled": lambda: ledger.list_unsettled(_SYSTEM, timedelta()),
        "what the clinic has not agreed to": lambda: ledger.asked_for(_SYSTEM, timedelta()),
        "a move on its way": lambda: ledger.pending_moves(key_of("c")),
        "a booking beside another one": lambda: ledger.pending_besides(key_of("c")),
        "what has changed": lambda: ledger.changed("c", NOW),
        "a booking of another host": lambda: booking_of_another_host(ledger),
        "a ping": ledger.ping,
    }


async def crm_steps(database: Database) -> Steps:
    """Return what is done with the outbox and in the embedded CRM, by name; the tables of jobs are there afterwards."""
    registry, settings, crm = svcs.Registry(), OutboxSettings(), EmbeddedCrm(database)
    await keep_jobs(registry, database, [tell_crm])
    [kept] = kept_in(registry)
    await make_tables(database)
    outbox, queue = await Outbox.open(database, settings), kept.queue
    earlier = EarlierServer(database, MemoryCrm())

    async def told() -> None:
        with services.activate(registry):
            await tell(database, outbox, change(), change(2, Patient("another")), change(3))

    async def delivered() -> None:
        first, second, third = await queue.claim([tell_crm.name], 3)
        activity = Activity("1", Change.BOOKED, "APT-1", "general", TEN.start, TEN.end, NOW)
        await Postman(database, crm, settings).deliver(Contact("contact"), activity)
        assert await queue.done(first, "null", forget=True)
        assert await queue.retry(second, 1, "no", is_attempt=False)
        assert await queue.park(third, "no")

    async def moved() -> None:
        await earlier.write(change(4, Patient("a third")))
        with services.activate(registry):
            await adopt(database)

    return {
        "three changes": told,
        "three deliveries": delivered,
        "a change of an earlier server": moved,
        "a ping of the CRM": crm.ping,
    }


def store_steps(store: IdempotencyStore) -> Steps:
    """Return what is done with the idempotency store, by name."""

    async def run_and_repeat() -> None:
        assert [(await call(store, Job()))[1] for _ in range(2)] == [False, True]

    async def fail() -> None:
        for kept in (False, True):
            try:
                await call(store, Job(ValueError("no")), "b" * 64, keep_failures=kept)
            except ValueError:
                continue

    return {"a run and its repeat": run_and_repeat, "runs that fail": fail, "a ping": store.ping}
