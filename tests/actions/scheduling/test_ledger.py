"""The ledger's own promises, on SQLite and on PostgreSQL; what its users promise with it is tested with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from actions.database import open_database
from actions.errors import SlotTakenError, UnavailableError
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import BookingChange, Patient
from actions.scheduling.records import Record, State
from actions.tables import bookings, claims
from tests.actions.clinic import FixedClock
from tests.actions.scheduling.scheduling_contract import ELEVEN, HALF_PAST_TEN, TEN, key_of

pytest_plugins = ["tests.databases"]

ERIKA = Patient("c", "Erika Mustermann", "erika@example.org", "+49 30 5550123")
KEY = key_of("c")


@dataclass
class Hook:
    """Notes what it is told, and how many claims the same transaction sees; raises if it is told to."""

    changes: list[BookingChange] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    error: Exception | None = None

    async def __call__(self, connection: AsyncConnection, change: BookingChange) -> None:
        self.changes.append(change)
        self.claims.append((await connection.execute(select(func.count()).select_from(claims))).scalar_one())
        if self.error:
            raise self.error

    def told(self) -> list[str]:
        return [change.id.rpartition(":")[2] for change in self.changes]


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
async def ledger(database_url: str, hook: Hook) -> AsyncIterator[Ledger]:
    ledger = Ledger(await open_database(database_url), on_change=hook, clock=FixedClock())
    yield ledger
    await ledger.close()


async def pending(ledger: Ledger) -> Record:
    record, is_new = await ledger.claim(KEY, TEN, ERIKA, "calendar")
    assert is_new
    return record


async def confirmed(ledger: Ledger) -> Record:
    record = await ledger.confirm(await pending(ledger))
    assert record is not None
    return record


async def test_a_change_is_told_inside_of_the_transaction_that_makes_it_final(ledger: Ledger, hook: Hook) -> None:
    """Booked, moved and cancelled: with everything about the patient, under an id of its own."""
    booked, _ = await ledger.claim(KEY, TEN, ERIKA)
    claimed = await ledger.claim_move(booked, ELEVEN)
    assert claimed is not None
    moved, _ = claimed
    await ledger.cancel(moved)

    assert [change.id for change in hook.changes] == [
        f"{booked.entry.uid}:booked",
        f"{moved.entry.uid}:rescheduled",
        f"{moved.entry.uid}:cancelled",
    ]
    assert max(len(change.id) for change in hook.changes) == 48
    assert hook.claims == [6, 6, 0]
    assert {change.patient for change in hook.changes} == {ERIKA}
    assert [change.booking.slot for change in hook.changes] == [TEN, ELEVEN, ELEVEN]
    assert {change.booking.reference for change in hook.changes} == {booked.entry.reference}


async def test_what_cannot_be_told_does_not_happen(ledger: Ledger, hook: Hook) -> None:
    """The two are one: a booking whose change is lost would never reach the CRM."""
    hook.error = LookupError("the outbox is broken")
    with pytest.raises(LookupError):
        await ledger.claim(KEY, TEN, ERIKA)

    hook.error = None
    assert await ledger.live(KEY) == []
    assert await ledger.free([TEN]) == [TEN]
    assert (await ledger.claim(KEY, TEN, ERIKA))[1]


async def test_nothing_is_told_of_what_never_was(ledger: Ledger, hook: Hook) -> None:
    """A claim that is released or given up was nobody's booking."""
    assert await ledger.release(await pending(ledger))
    given_up = await ledger.give_up(await pending(ledger))
    assert given_up is not None
    assert await ledger.free([TEN]) == []
    await ledger.finish(given_up)

    assert await ledger.free([TEN]) == [TEN]
    assert hook.changes == []


async def test_a_confirmation_is_told_once(ledger: Ledger, hook: Hook) -> None:
    """Whoever finds the entry confirms, and all of them are right."""
    record = await pending(ledger)

    answers = await asyncio.gather(*(ledger.confirm(record) for _ in range(5)))

    assert {answer.state for answer in answers if answer} == {State.CONFIRMED}
    assert hook.told() == ["booked"]


async def test_who_knows_an_old_version_changes_nothing(ledger: Ledger) -> None:
    """Somebody else has worked on the record since."""
    old = await pending(ledger)
    new = await ledger.renew(old)
    assert new is not None
    assert new.changed > old.changed

    assert await ledger.renew(old) is None
    assert not await ledger.release(old)
    assert await ledger.give_up(old) is None
    assert await ledger.reread(old.id) == new


async def test_of_many_who_take_a_record_over_one_does(ledger: Ledger) -> None:
    """At the same moment, by the same version."""
    record = await pending(ledger)

    answers = await asyncio.gather(*(ledger.renew(record) for _ in range(10)))

    assert sum(answer is not None for answer in answers) == 1


async def test_a_record_that_was_given_up_cannot_be_confirmed(ledger: Ledger, hook: Hook) -> None:
    """Its entry turned up after all: it has to be removed, whether its end was written down or not."""
    record = await pending(ledger)
    given_up = await ledger.give_up(record)
    assert given_up is not None
    assert await ledger.confirm(record) is None
    await ledger.finish(given_up)
    assert (await ledger.reread(record.id)).state is State.CANCELLED

    assert await ledger.confirm(record) is None
    assert (await ledger.reread(record.id)).state is State.CANCELLING
    await ledger.finish(record)
    assert hook.changes == []


async def test_a_cancellation_is_told_once_though_its_entry_turns_up_again(ledger: Ledger, hook: Hook) -> None:
    """A write that came late is removed, and nobody is told of a second cancellation."""
    record = await confirmed(ledger)
    ending = await ledger.begin_cancel(record)
    assert ending is not None
    await ledger.finish(ending)
    await ledger.finish(ending)

    assert await ledger.confirm(record) is None
    await ledger.finish(record)

    assert hook.told() == ["booked", "cancelled"]


async def test_a_cancellation_can_be_undone_until_its_key_is_booked_again(ledger: Ledger, hook: Hook) -> None:
    """Two bookings under one key would be one too many."""
    ending = await ledger.begin_cancel(await confirmed(ledger))
    assert ending is not None
    restored = await ledger.restore(ending)
    assert restored is not None
    assert [record.state for record in await ledger.live(KEY)] == [State.CONFIRMED]

    ending = await ledger.begin_cancel(restored)
    assert ending is not None
    await ledger.claim(KEY, ELEVEN, ERIKA, "calendar")

    assert await ledger.restore(ending) is None
    assert (await ledger.reread(ending.id)).state is State.CANCELLING
    assert hook.told() == ["booked"]


async def test_a_move_keeps_both_times_until_it_is_confirmed(ledger: Ledger, hook: Hook) -> None:
    """And the old one after that, until its entry is known to be gone."""
    booked = await confirmed(ledger)
    claimed = await ledger.claim_move(booked, HALF_PAST_TEN, "calendar")
    assert claimed is not None
    moving, _ = claimed
    assert await ledger.claim_move(booked, HALF_PAST_TEN, "calendar") == (moving, False)
    assert await ledger.live(KEY) == [booked]

    await ledger.confirm(moving)
    old = await ledger.reread(booked.id)
    assert old.state is State.CANCELLING
    assert await ledger.free([TEN, HALF_PAST_TEN]) == []
    await ledger.finish(old)

    assert await ledger.free([TEN, HALF_PAST_TEN]) == [TEN]
    assert hook.told() == ["booked", "rescheduled"]


@pytest.mark.parametrize("shift", [-25, -5, 5, 25])
async def test_a_move_shares_its_time_with_the_booking_that_it_replaces(shift: int, ledger: Ledger) -> None:
    """Given up, it leaves all of the old time claimed; confirmed, it has all of the new one."""
    booked = await confirmed(ledger)
    delta = timedelta(minutes=shift)
    slot = type(TEN)(TEN.resource, TEN.start + delta, TEN.end + delta)
    for end in ("release", "confirm"):
        claimed = await ledger.claim_move(booked, slot, "calendar")
        assert claimed is not None
        if end == "release":
            await ledger.release(claimed[0])
            assert await ledger.free([TEN]) == []
        else:
            await ledger.confirm(claimed[0])
            await ledger.finish(booked)
    with pytest.raises(SlotTakenError):
        await ledger.claim(key_of("another"), slot, Patient("another"), "calendar")
    if abs(shift) > 5:
        far = type(TEN)(TEN.resource, *sorted((TEN.start - delta / 5, TEN.start)))
        assert await ledger.free([far]) == ([far] if shift > 0 else [])


async def test_many_writers_of_one_conversation_take_turns(ledger: Ledger) -> None:
    """Keys that overlap and are not the same, all at once: one booking."""
    keys = [KEY, key_of("c", type(KEY.window)(TEN.start, ELEVEN.end))] * 10

    made = await asyncio.gather(
        *(ledger.claim(key, slot, ERIKA) for key, slot in zip(keys, [TEN, HALF_PAST_TEN] * 10, strict=True))
    )

    assert len({record.id for record, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1


async def test_only_what_is_old_enough_and_of_the_system_is_unsettled(database_url: str) -> None:
    """The oldest first."""
    clock = FixedClock()
    ledger = Ledger(await open_database(database_url), clock=clock)
    first, _ = await ledger.claim(key_of("a"), TEN, Patient("a"), "calendar")
    clock.now += timedelta(seconds=20)
    second, _ = await ledger.claim(key_of("b"), ELEVEN, Patient("b"), "calendar")
    await ledger.claim(key_of("d"), HALF_PAST_TEN, Patient("d"), "another calendar")
    clock.now += timedelta(seconds=10)

    assert await ledger.list_unsettled("calendar", timedelta(seconds=30)) == [first]
    assert await ledger.list_unsettled("calendar", timedelta(seconds=10)) == [first, second]
    await ledger.close()


async def test_a_database_that_lost_its_tables_is_unavailable(ledger: Ledger, database_url: str) -> None:
    """Not an error of SQLAlchemy's, and not one with a statement in it."""
    database = await open_database(database_url)

    async def drop(connection: AsyncConnection) -> None:
        await connection.run_sync(claims.drop)
        await connection.run_sync(bookings.drop)

    await database.write(drop)
    await database.close()

    for attempt in (ledger.ping(), ledger.claim(KEY, TEN, ERIKA), ledger.free([TEN])):
        with pytest.raises(UnavailableError) as caught:
            await attempt
        assert "Mustermann" not in f"{caught.value} {caught.value.__cause__!r} {caught.value.__cause__.__cause__!r}"  # type: ignore[union-attr]
