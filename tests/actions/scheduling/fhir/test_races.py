"""Several writers, removers and divisions of the day at once: nobody's time is ever somebody else's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from actions.errors import SlotTakenError
from actions.scheduling.fhir import FhirCalendar
from actions.scheduling.models import Slot
from actions.transport import Response, Transport, open_session
from tests.actions.clinic import FixedClock
from tests.actions.scheduling.calendar_contract import HALF_PAST_TEN, TEN, TEN_TO_ELEVEN, entry_at, try_to_write
from tests.actions.scheduling.fhir.fhir_clinic import NAME, FhirSystem, uids_of
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip, slot_resource


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with fhir_server_or_skip() as running:
        yield running


@pytest.fixture
async def clinic(server: FhirServer) -> AsyncIterator[FhirSystem]:
    async with open_session() as session:
        yield FhirSystem(server, session)


def length_of(slot: Slot) -> timedelta:
    return slot.end - slot.start


async def test_hours_and_half_hours_that_race_never_share_a_slot(clinic: FhirSystem) -> None:
    """Whoever is told "written" has all of it, and whoever is not has nothing."""
    halves = [entry_at(slot) for slot in (TEN, HALF_PAST_TEN) * 5]
    entries = [*halves[:5], *(entry_at(TEN_TO_ELEVEN) for _ in range(10)), *halves[5:]]
    calendars = [clinic.calendar() for _ in range(4)]

    results = await asyncio.gather(*(try_to_write(calendars[n % 4], entry) for n, entry in enumerate(entries)))

    written = [entry for entry, result in zip(entries, results, strict=True) if result == "written"]
    assert set(results) == {"written", "taken"}
    assert [entry.uid for entry in entries if await calendars[0].find(entry)] == [entry.uid for entry in written]
    assert await clinic.holders(TEN_TO_ELEVEN) == {entry.uid for entry in written}
    assert Counter(entry.slot for entry in written) in (
        Counter({TEN_TO_ELEVEN: 1}),
        Counter({TEN: 1}),
        Counter({HALF_PAST_TEN: 1}),
        Counter({TEN: 1, HALF_PAST_TEN: 1}),
    )
    clinic.check()


@pytest.fixture
def divided_twice(clinic: FhirSystem) -> FhirSystem:
    """A clinic whose hour from ten is published as an hour as well, beside its two halves."""
    clinic.server.put(slot_resource("Schedule/practice", TEN.start, TEN_TO_ELEVEN.end - TEN.start))
    return clinic


async def test_an_hour_that_is_published_twice_is_booked_once(divided_twice: FhirSystem) -> None:
    """Each way to it closes the other, and both are open again afterwards."""
    calendar, entry = divided_twice.calendar(), entry_at(TEN_TO_ELEVEN)
    assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]

    await calendar.write(entry)

    assert [one["status"] for one in divided_twice.slots(TEN_TO_ELEVEN)] == ["busy"] * 3
    assert list(await calendar.free([TEN, HALF_PAST_TEN])) == []
    await calendar.remove(entry)
    assert [one["status"] for one in divided_twice.slots(TEN_TO_ELEVEN)] == ["free"] * 3
    divided_twice.check()


@pytest.mark.parametrize("first", [TEN, HALF_PAST_TEN], ids=["the first half", "the second half"])
async def test_a_half_hour_closes_the_hour_and_not_the_other_half(first: Slot, divided_twice: FhirSystem) -> None:
    """The Slot of the hour, which it only touches, is not to be had, and no part of the Appointment."""
    calendar, one = divided_twice.calendar(), entry_at(first)
    second = HALF_PAST_TEN if first == TEN else TEN
    two = entry_at(second)
    await calendar.write(one)
    assert list(await calendar.free([second])) == [second]
    assert list(await calendar.free([TEN_TO_ELEVEN])) == []

    await calendar.write(two)
    await calendar.write(one)
    assert [await calendar.find(entry) for entry in (one, two)] == [True, True]
    assert [len(written["slot"]) for written in divided_twice.appointments()] == [1, 1]

    await calendar.remove(one)
    assert list(await calendar.free([TEN_TO_ELEVEN])) == []
    assert await calendar.find(two)
    await calendar.remove(two)
    assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    divided_twice.check()


async def test_an_hour_that_a_half_hour_is_about_to_take_is_not_free(divided_twice: FhirSystem) -> None:
    """Its writer has closed the hour, and died before it came to the half."""
    half, hour = entry_at(HALF_PAST_TEN), entry_at(TEN_TO_ELEVEN)
    (published,) = [one for one in divided_twice.slots(TEN_TO_ELEVEN) if one["id"].endswith("-60")]
    divided_twice.claim(half, published, status="busy-unavailable")
    calendar = divided_twice.calendar()

    assert list(await calendar.free([TEN_TO_ELEVEN])) == []
    assert await try_to_write(calendar, hour) == "taken"
    await calendar.write(half)
    assert await calendar.find(half)
    divided_twice.check()


async def test_the_two_halves_of_an_hour_can_be_booked_at_once(divided_twice: FhirSystem) -> None:
    """Both want to close the hour; who comes second finds it closed."""
    entries = [entry_at(slot) for slot in (TEN, HALF_PAST_TEN)]

    results = await asyncio.gather(*(try_to_write(divided_twice.calendar(), entry) for entry in entries))

    assert results == ["written", "written"]
    divided_twice.check()


async def test_overlapping_slots_that_race_are_never_both_booked(divided_twice: FhirSystem) -> None:
    """Halves, hours, and an hour that starts on the half hour: nobody shares a minute with anybody."""
    later = replace(TEN_TO_ELEVEN, start=HALF_PAST_TEN.start, end=HALF_PAST_TEN.start + 2 * length_of(TEN))
    divided_twice.server.put(slot_resource("Schedule/practice", later.start, length_of(later)))
    entries = [entry_at(slot) for slot in (TEN_TO_ELEVEN, later, TEN, HALF_PAST_TEN) * 4]
    calendars = [divided_twice.calendar() for _ in range(4)]

    results = await asyncio.gather(*(try_to_write(calendars[n % 3], entry) for n, entry in enumerate(entries)))

    written = sorted(
        (entry.slot for entry, result in zip(entries, results, strict=True) if result == "written"),
        key=lambda slot: slot.start,
    )
    assert set(results) == {"written", "taken"}
    assert all(one.end <= two.start for one, two in pairwise(written))
    divided_twice.check()


async def test_a_time_that_is_seen_to_be_taken_is_not_written_to(clinic: FhirSystem) -> None:
    """Not even the half of it that is free, which others might want at that moment."""
    await clinic.occupy(HALF_PAST_TEN)

    assert await try_to_write(clinic.calendar(), entry_at(TEN_TO_ELEVEN)) == "taken"
    assert {one.split()[0] for one in clinic.server.requests()} == {"GET"}


class Interrupted(Transport):
    """Lets something happen before or after the Appointment is created."""

    before: Callable[[], Awaitable[object]] | None = None
    after: Callable[[], Awaitable[object]] | None = None

    async def request(self, method: str, path: str, **more: Any) -> Response:
        if method == "POST" and self.before:
            await self.before()
        response = await super().request(method, path, **more)
        if method == "POST" and self.after:
            await self.after()
        return response


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_write_that_is_overtaken_by_a_removal_leaves_nothing(moment: str, clinic: FhirSystem) -> None:
    """A process that stood still wakes up when its entry has been given up: it says so, and the time is free."""
    entry, other = entry_at(TEN_TO_ELEVEN), clinic.calendar()
    transport = Interrupted(clinic.session, NAME, clinic.server.url)
    setattr(transport, moment, lambda: other.remove(entry))
    calendar = FhirCalendar(clinic.settings(), transport, clock=FixedClock())

    with pytest.raises(SlotTakenError):
        await calendar.write(entry)

    assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    assert [one["status"] for one in clinic.appointments()] == ["cancelled"]
    clinic.check()


class Overtaken(Transport):
    """Lets something happen once, before the Slots are read or the first one is claimed."""

    moment = "GET"
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def request(self, method: str, path: str, **more: Any) -> Response:
        if method == self.moment and path.startswith("Slot") and self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return await super().request(method, path, **more)


async def test_a_claim_never_overwrites_another_one(clinic: FhirSystem) -> None:
    """The Slot was free when it was read, and somebody had it before it was written."""
    slow, fast, other = entry_at(), entry_at(), clinic.calendar()
    transport = Overtaken(clinic.session, NAME, clinic.server.url)
    transport.moment, transport.meanwhile = "PUT", lambda: other.write(fast)

    assert await try_to_write(FhirCalendar(clinic.settings(), transport), slow) == "taken"

    assert await other.find(fast)
    assert [uids_of(one) for one in clinic.appointments()] == [{fast.uid}]
    clinic.check()


async def test_a_removal_that_is_overtaken_by_a_write_leaves_nothing(clinic: FhirSystem) -> None:
    """When it looked for the Appointment there was none yet; it looks again after it has freed the Slots."""
    entry, other = entry_at(TEN_TO_ELEVEN), clinic.calendar()
    transport = Overtaken(clinic.session, NAME, clinic.server.url)
    transport.meanwhile = lambda: other.write(entry)

    await FhirCalendar(clinic.settings(), transport).remove(entry)

    assert [one["status"] for one in clinic.appointments()] == ["cancelled"]
    assert list(await other.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
