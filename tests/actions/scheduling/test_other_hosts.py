"""Hosts with ledgers of their own and one calendar: the same call on two of them is one booking, and one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from actions.booking import Booked, BookingDesk, BookingRequest, Declined
from actions.errors import BackendError, OutcomeUnknownError, UnavailableError
from actions.scheduling import other_hosts
from actions.scheduling.models import Slot
from actions.scheduling.references import References
from actions.scheduling.remote import Check, Entry, Written, unchecked
from actions.scheduling.sweeper import settle
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import GENERAL, NOW, FixedClock, at, booking_desk, days, open_synced, slot_at
from tests.actions.scheduling.memory_calendar import MemoryCalendar, MemorySystem, cells_of
from tests.actions.scheduling.scheduling_contract import TEN, key_of


class ListingSystem(MemorySystem):
    """A system that shows what was written into it, and which of it is whole."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, Entry] = {}
        self.whole: set[str] = set()


class ListingMemoryCalendar(MemoryCalendar):
    """A calendar that tells which entries it has."""

    def __init__(self, system: ListingSystem) -> None:
        super().__init__(system)
        self.listing = system

    async def write(self, entry: Entry, check: Check = unchecked) -> None:
        """Write in two steps."""
        await super().write(entry)
        try:
            await check()
        except BackendError:
            self._remove(entry)
            raise
        self.listing.whole.add(entry.uid)

    def _write(self, entry: Entry) -> None:
        super()._write(entry)
        self.listing.entries[entry.uid] = entry

    async def written(self, within: Slot) -> Sequence[Written]:
        """Return the entries that have a part of the time."""
        self.calls.append("written")
        await asyncio.sleep(0)
        holders = {uid for cell, uid in self.system.cells.items() if within.start <= cell[1] < within.end}
        found = [entry for uid, entry in self.listing.entries.items() if uid in holders]
        whole = self.listing.whole
        return [Written(one.uid, one.slot, one.reference, is_whole=one.uid in whole) for one in found]


@pytest.fixture
def calendars() -> list[ListingMemoryCalendar]:
    """Three ways to one system."""
    system = ListingSystem()
    return [ListingMemoryCalendar(system) for _ in range(3)]


@pytest.fixture
async def hosts(tmp_path: Path, calendars: list[ListingMemoryCalendar]) -> AsyncIterator[list[SyncedBackend]]:
    """Three backends, each with a ledger, on one calendar."""
    async with AsyncExitStack() as stack:
        found = []
        for number, calendar in enumerate(calendars):
            backend = await open_synced(tmp_path / f"{number}.sqlite3", calendar)
            stack.push_async_callback(backend.close)
            found.append(backend)
        yield found


async def ask(desk: BookingDesk, wish: str, conversation: str = "c") -> Booked | Declined:
    return await desk.book(BookingRequest(conversation, "general", wish))


@pytest.mark.parametrize("wish", ["Tuesday at 10", "Tuesday", "next week"])
async def test_the_same_call_on_three_hosts_is_one_booking(hosts: list[SyncedBackend], wish: str) -> None:
    """At once and later: all of them tell the same reference, and the calendar has it once."""
    desks = [booking_desk(host, FixedClock()) for host in hosts]

    first = await asyncio.gather(*(ask(desk, wish) for desk in desks))
    again = [await ask(desk, wish) for desk in desks]

    answers = {one.booking for one in (*first, *again) if isinstance(one, Booked)}
    assert len(answers) == 1
    assert len([one for one in (*first, *again) if isinstance(one, Booked)]) == 6
    booked = next(iter(answers))
    free = await hosts[0].find_slots(GENERAL, days("2026-11-23", "2026-11-28"))
    assert booked.slot not in free
    assert len(free) == 5 * 16 - 1


@pytest.mark.parametrize("begun", [False, True], ids=["looked", "begun"])
async def test_hosts_that_find_different_times_free_on_a_day_book_one_of_them(
    hosts: list[SyncedBackend], calendars: list[ListingMemoryCalendar], begun: bool
) -> None:
    """The second host looked while somebody had the first time of the day, who gave way then.

    When it comes to write its time, the other host has booked the first one, or has begun to.
    """
    first, second, _ = (booking_desk(host, FixedClock()) for host in hosts)
    await calendars[0].system.occupy(slot_at("2026-11-24T08:00"))
    stands = calendars[1].hold("write")
    late = asyncio.create_task(ask(second, "Tuesday"))
    await stands.reached.wait()
    for cell in cells_of(slot_at("2026-11-24T08:00")):
        del calendars[0].system.cells[cell]
    begins = calendars[0].hold("write", after=True)
    early = asyncio.create_task(ask(first, "Tuesday"))
    await begins.reached.wait()
    if not begun:
        begins.release()
        await early
    stands.release()
    begins.release()

    answers = [await early, await late]
    assert isinstance(answers[0], Booked)
    assert answers[0] == answers[1]
    assert set(calendars[0].system.cells) == set(cells_of(answers[0].booking.slot))
    assert await hosts[0].upcoming("c", NOW) == await hosts[1].upcoming("c", NOW) == [answers[0].booking]


async def test_a_day_on_which_another_host_stopped_half_way_is_not_booked_a_second_time(
    hosts: list[SyncedBackend], calendars: list[ListingMemoryCalendar], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has begun may become a booking, so that nothing is booked here, and nothing is left."""
    monkeypatch.setattr(other_hosts, "_PAUSES", (0.0,))
    first, second, _ = (booking_desk(host, FixedClock()) for host in hosts)
    await calendars[0].system.occupy(slot_at("2026-11-24T08:00"))
    stands = calendars[1].hold("write", after=True)
    stopped = asyncio.create_task(ask(second, "Tuesday"))
    await stands.reached.wait()
    begun = dict(calendars[0].system.cells)

    with pytest.raises(UnavailableError):
        await ask(first, "Tuesday")

    assert calendars[0].system.cells == begun
    stands.release()
    assert isinstance(await stopped, Booked)


async def test_a_uid_is_known_by_every_host_as_the_conversations_and_by_nobody_as_anothers() -> None:
    """It is drawn anew each time, and what another program has made is nobody's."""
    mine, again, yours = [await References.of(name, "general") for name in ("c", "c", "d")]
    uid, other = mine.new_uid(), mine.new_uid()

    assert uid != other
    assert again.has_uid(uid)
    assert not yours.has_uid(uid)
    assert not mine.has_uid(yours.new_uid())
    assert not mine.has_uid("an event of a person's@example.org")


async def test_a_host_that_comes_later_finds_the_booking_of_another_one(hosts: list[SyncedBackend]) -> None:
    """Its time is not free any more, and is the patient's all the same."""
    one, another, _ = (booking_desk(host, FixedClock()) for host in hosts)

    first, second = await ask(one, "Tuesday at 10"), await ask(another, "Tuesday at 10")

    assert isinstance(first, Booked)
    assert first == second
    assert await another.upcoming("c") == [first.booking]


async def test_somebody_elses_time_is_taken(hosts: list[SyncedBackend]) -> None:
    """Whoever it is, on whichever host."""
    one, another, _ = (booking_desk(host, FixedClock()) for host in hosts)
    await ask(one, "Tuesday at 10")

    assert isinstance(await ask(another, "Tuesday at 10", "somebody else"), Declined)


async def test_a_booking_of_another_host_is_cancelled_where_it_is(hosts: list[SyncedBackend]) -> None:
    """Its entry is known by the name that the other host gave it."""
    first, second, _ = hosts
    booked = await first.book(key_of("c"), TEN)
    assert await second.find_own(GENERAL, key_of("c")) == booked

    assert await second.cancel(key_of("c")) == booked

    assert TEN in await second.find_slots(GENERAL, days("2026-11-24", "2026-11-25"))
    assert await first.get(key_of("c")) is None


async def test_references_of_one_conversation_are_the_same_everywhere_and_nobody_elses() -> None:
    """They follow from conversation, type and time, and each time has others."""
    mine, again = await References.of("c", "general"), await References.of("c", "general")
    yours = await References.of("d", "general")
    start, other = at("2026-11-24T10:00"), at("2026-11-24T10:30")
    reference = next(mine.at(start))

    assert again.has(reference, start)
    assert not mine.has(reference, other)
    assert not yours.has(reference, start)


async def test_who_books_another_day_while_the_first_booking_is_unknown_has_one(tmp_path: Path) -> None:
    """The first one is given up: what arrives late is removed, and never becomes a second appointment."""
    system = MemorySystem()
    calendar = MemoryCalendar(system)
    backend = await open_synced(tmp_path / "ledger.sqlite3", calendar)
    desk = booking_desk(backend, FixedClock())
    calendar.lose("write")
    calendar.fail("find", OutcomeUnknownError("no answer"))
    with pytest.raises(OutcomeUnknownError):
        await ask(desk, "Tuesday at 10")

    second = await ask(desk, "Thursday at 10")
    calendar.deliver()
    await settle(backend, timedelta(minutes=-1))

    assert isinstance(second, Booked)
    assert await desk.upcoming("c") == [second.booking]
    assert set(system.cells) == set(cells_of(slot_at("2026-11-26T10:00")))
    await backend.close()


async def test_who_books_another_day_is_told_of_the_first_booking_if_it_is_there(tmp_path: Path) -> None:
    """The calendar did what it was asked, and nobody heard so: both are the patient's."""
    calendar = MemoryCalendar()
    backend = await open_synced(tmp_path / "ledger.sqlite3", calendar)
    desk = booking_desk(backend, FixedClock())
    calendar.fail("write", OutcomeUnknownError("no answer"), after=True)
    calendar.fail("find", OutcomeUnknownError("no answer"))
    with pytest.raises(OutcomeUnknownError):
        await ask(desk, "Tuesday at 10")

    await ask(desk, "Thursday at 10")

    starts = [one.slot.start for one in await desk.upcoming("c")]
    assert starts == [at("2026-11-24T10:00"), at("2026-11-26T10:00")]
    await backend.close()
