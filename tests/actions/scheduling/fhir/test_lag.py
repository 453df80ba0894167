"""Searches that lag behind, caches and pages that expire: what they do not find is no proof of anything."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from actions.errors import OutcomeUnknownError, SlotTakenError
from actions.scheduling.fhir import FhirCalendar
from actions.scheduling.fhir.resources import text
from actions.scheduling.models import Slot, Window
from actions.scheduling.sweeper import settle
from actions.scheduling.synced import SyncedBackend
from actions.transport import open_session
from tests.actions.clinic import GENERAL, FixedClock, booking_desk, open_synced
from tests.actions.scheduling.calendar_contract import HALF_PAST_TEN, TEN, TEN_TO_ELEVEN, entry_at, try_to_write
from tests.actions.scheduling.fhir.fhir_clinic import FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, slot_resource
from tests.actions.scheduling.fhir.variants import VARIANTS, Variant, VariedServer, varied
from tests.actions.scheduling.scheduling_contract import ELEVEN, TUESDAY, key_of, try_to_book

SCHEDULE = "Schedule/practice"
LAGS = [name for name in VARIANTS if name.startswith("lag")]


@dataclass
class Lagging:
    """A clinic on a variant, with the backends of two processes."""

    clinic: FhirSystem
    server: VariedServer
    backends: list[SyncedBackend]

    @property
    def live(self) -> list[str]:
        return [one["start"] for one in self.clinic.appointments() if one["status"] in ("booked", "pending")]


@asynccontextmanager
async def opened(
    variant: Variant, servers: tuple[FhirServer, FhirServer], database: Path, **more: object
) -> AsyncIterator[Lagging]:
    clock = FixedClock()
    async with varied(variant, *servers, clock) as server, open_session() as session:
        limits = {"breaker_failures": 1000, "total_timeout": 30, **more}
        clinic = FhirSystem(server, session, {"transport": limits}, clock, server.base)
        server.settle()
        backends = [await open_synced(database, clinic.calendar(), clock=clock) for _ in range(2)]
        yield Lagging(clinic, server, backends)
        for backend in backends:
            await backend.close()


@pytest.mark.parametrize("variant", LAGS)
async def test_a_booking_is_one_wherever_the_search_is(
    variant: str, servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Booked, asked for by another process and again, moved and cancelled within the lag: there is one, then none."""
    async with opened(VARIANTS[variant], servers, database) as lagging:
        one, other = lagging.backends
        booking = await one.book(key_of("c"), TEN)

        assert await other.get(key_of("c")) == booking
        assert await other.book(key_of("c"), ELEVEN) == booking
        assert await try_to_book(other, "another", TEN) == "taken"
        assert len(lagging.live) == 1
        moved = await other.reschedule(key_of("c"), ELEVEN)
        assert moved is not None
        assert await one.cancel(key_of("c")) == moved
        assert (lagging.live, await one.list_unsettled(-timedelta(minutes=1))) == ([], [])
        assert await try_to_book(one, "another", TEN) == "booked"


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(Variant(lag=0.1, lost="write"), id="0.1 s, lost"),
        pytest.param(Variant(lag=2, lost="write"), id="2 s, lost"),
        pytest.param(Variant(lag=2, lost="write", vanishes=True), id="2 s, lost, vanishes"),
        pytest.param(Variant(lag=2, failed=True, drops=("if-none-exist",)), id="2 s, failed, no If-None-Exist"),
    ],
)
async def test_what_nobody_knows_ends_in_one_appointment(
    variant: Variant, servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """No answer of a write arrives, and nothing is sent twice by itself: whoever repeats the booking, there is one."""
    async with opened(variant, servers, database, attempts=1) as lagging:
        one, other = lagging.backends
        for backend in (one, other, one):
            with suppress(OutcomeUnknownError, SlotTakenError):
                await backend.book(key_of("c"), TEN)
        for _ in range(2):
            lagging.clinic.clock.now += timedelta(minutes=1)
            await settle(other)
        booking = await one.book(key_of("c"), TEN)

        assert list(await other.upcoming("c", lagging.clinic.clock.now)) == [booking]
        assert len(lagging.live) == 1


async def test_reads_that_a_copy_answers_do_not_undo_what_was_just_written(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Also by id a server may answer with the version before: who has written a newer one knows that it is old."""
    async with opened(Variant(stale=2), servers, database) as lagging:
        backend = lagging.backends[0]
        booking = await backend.book(key_of("c"), TEN)
        assert list(await backend.upcoming("c", lagging.clinic.clock.now)) == [booking]
        assert (await backend.reschedule(key_of("c"), ELEVEN)) is not None
        assert [one["status"] for one in lagging.clinic.slots(TEN)] == ["free"]
        assert await backend.cancel(key_of("c"))

        assert lagging.live == []
        assert [one["status"] for one in lagging.clinic.slots(ELEVEN)] == ["free"]


async def test_a_time_that_another_process_gave_back_can_be_had_at_once(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """The search still says that it is busy; the Slot itself does not."""
    async with opened(VARIANTS["lag 2 s"], servers, database) as lagging:
        mine, other = lagging.clinic.calendar(), lagging.clinic.calendar()
        entry = entry_at()
        await mine.write(entry)
        lagging.clinic.clock.now += timedelta(seconds=3)
        await mine.remove(entry)

        assert await try_to_write(other, entry_at()) == "written"


async def test_a_time_that_was_just_given_back_is_offered_to_who_asks_for_it(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Once the search was seen to lag, its "taken" is looked at by id before a patient hears it."""
    async with opened(VARIANTS["lag 2 s"], servers, database) as lagging:
        one, other = lagging.backends
        at_ten = Window.at(TEN.start)
        await other.book(key_of("c", at_ten), TEN)
        assert list(await other.find_slots(GENERAL, at_ten)) == []
        lagging.clinic.clock.now += timedelta(seconds=5)
        assert await one.cancel(key_of("c", at_ten)) is not None

        assert list(await other.find_slots(GENERAL, at_ten)) == [TEN]
        assert await try_to_book(other, "another", TEN) == "booked"
        assert list(await other.find_slots(GENERAL, at_ten)) == []


@pytest.mark.parametrize("lag", [2, 6])
async def test_slots_that_no_search_knows_yet_are_waited_for_or_that_is_said(
    lag: float, servers: tuple[FhirServer, FhirServer], database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As long as the settings say; what is refused then leaves nothing behind, and is booked when it is known."""
    caplog.set_level("INFO")
    async with opened(Variant(lag=lag), servers, database) as lagging:
        (slot,) = lagging.clinic.slots(TEN)
        lagging.server.delete("Slot", slot["id"])
        lagging.server.settle()
        lagging.server.put({**slot, "id": "anew"})

        answers = [await try_to_book(lagging.backends[0], f"c{lag}", TEN)]
        lines = [record for record in caplog.records if record.getMessage() == "fhir.refused_without_slots"]
        assert (answers, len(lines)) == ((["booked"], 0) if lag < 3 else (["taken"], 1))
        if answers == ["taken"]:
            assert (lagging.live, await lagging.backends[0].list_unsettled(-timedelta(minutes=1))) == ([], [])
            lagging.server.settle()
            assert await try_to_book(lagging.backends[0], "c", TEN) == "booked"


LAG = [pytest.param(VARIANTS[name], id=name) for name in LAGS if "lost" not in name and "503" not in name]
# What people write into the booking at ten, or at eleven: in each case it has a part of half past ten then.
TAKES_HALF_PAST_TEN = [
    pytest.param(TEN, {"end": "2026-11-24T09:45:00Z"}, id="longer"),
    pytest.param(ELEVEN, {"start": "2026-11-24T09:45:00Z", "end": "2026-11-24T10:30:00Z"}, id="begins earlier"),
    pytest.param(ELEVEN, {"start": "2026-11-24T09:30:00Z", "end": "2026-11-24T10:00:00Z"}, id="moved"),
]


@pytest.mark.parametrize("variant", LAG)
@pytest.mark.parametrize(("slot", "change"), TAKES_HALF_PAST_TEN)
async def test_what_people_gave_to_a_booking_a_moment_ago_is_given_to_nobody_else(
    slot: Slot,
    change: dict[str, str],
    variant: Variant,
    servers: tuple[FhirServer, FhirServer],
    database: Path,
) -> None:
    """No search knows it yet, and they left the Slots as they were; the booking itself knows."""
    async with opened(variant, servers, database) as lagging:
        one, other = lagging.backends
        booking = await one.book(key_of("c"), slot)
        lagging.clinic.clock.now += timedelta(minutes=1)
        (written,) = lagging.clinic.appointments()
        lagging.server.put({**written, **change})

        assert await try_to_book(other, "another", HALF_PAST_TEN) == "taken"
        assert len(lagging.live) == 1
        assert {one["status"] for one in lagging.clinic.slots(HALF_PAST_TEN)} == {"free"}
        assert await one.list_unsettled(-timedelta(minutes=1)) == []
        (kept,) = await one.upcoming("c", lagging.clinic.clock.now)
        assert (kept.reference, text(kept.slot.end)) == (booking.reference, change["end"])
        # And when they have thought better of it, it can be had.
        lagging.server.put({**written, "status": "cancelled"})
        lagging.server.settle()
        assert await try_to_book(other, "another", HALF_PAST_TEN) == "booked"


async def test_nobody_moves_into_what_people_gave_to_a_booking_a_moment_ago(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Who tried keeps the time that they have."""
    async with opened(VARIANTS["lag 2 s"], servers, database) as lagging:
        one, other = lagging.backends
        await one.book(key_of("c"), TEN)
        mine = await one.book(key_of("d"), ELEVEN)
        lagging.clinic.clock.now += timedelta(minutes=1)
        (written,) = [one for one in lagging.clinic.appointments() if one["start"] == "2026-11-24T09:00:00Z"]
        lagging.server.put({**written, "end": "2026-11-24T09:45:00Z"})

        with pytest.raises(SlotTakenError):
            await other.reschedule(key_of("d"), HALF_PAST_TEN)
        assert list(await other.upcoming("d", lagging.clinic.clock.now)) == [mine]
        assert sorted(lagging.live) == ["2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z"]


@pytest.mark.parametrize("variant", ["cache", "cache that cannot be told"])
async def test_an_hour_that_was_just_closed_is_not_given(
    variant: str, servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Though everything about that time was asked, and answered, a moment before."""
    async with opened(VARIANTS[variant], servers, database) as lagging:
        calendar = lagging.clinic.calendar()
        assert list(await calendar.free([TEN])) == [TEN]
        closure = slot_resource(SCHEDULE, TEN.start, timedelta(hours=1), status="busy-unavailable")
        lagging.server.put({**closure, "id": "closure"})

        assert list(await calendar.free([TEN])) == []
        assert await try_to_write(calendar, entry_at()) == "taken"


async def test_an_expired_page_begins_again_and_one_that_always_expires_is_asked_in_parts(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Every Slot is seen either way."""
    for variant in ("pages that expire", "pages that are always gone"):
        async with opened(VARIANTS[variant], servers, database) as lagging:
            calendar: FhirCalendar = lagging.clinic.calendar()
            assert list(await calendar.free([TEN, TEN_TO_ELEVEN, ELEVEN])) == [TEN, TEN_TO_ELEVEN, ELEVEN]


async def test_an_offer_among_two_thousand_slots_reads_a_few_pages(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Ten Slots a page, 54 a day: all of them would be 233 requests."""
    async with opened(Variant(page=10), servers, database) as lagging:
        first = lagging.clinic.clock.now.replace(hour=7, minute=0) + timedelta(days=1)
        for day in range(43):
            for number in range(54):
                start = first + timedelta(days=day, minutes=10 * number)
                lagging.server.put(slot_resource(SCHEDULE, start, timedelta(minutes=10)))
        lagging.server.seen.clear()

        assert len(await booking_desk(lagging.backends[0], lagging.clinic.clock).offers("general")) == 3
        assert len(lagging.server.seen) <= 20


async def test_every_search_asks_for_what_is_fresh(servers: tuple[FhirServer, FhirServer], database: Path) -> None:
    """And never with the same address twice."""
    async with opened(VARIANTS["plain"], servers, database) as lagging:
        for _ in range(5):
            await lagging.clinic.calendar().free([TEN])
        await try_to_write(lagging.clinic.calendar(), entry_at())

        searches = [one for one in lagging.server.seen if one.startswith("GET /Slot?schedule") and "start=" in one]
        assert len(set(searches)) == len(searches) == 6
        assert lagging.server.levels == {"strong"}


BOOKING = ["GET /Slot", "GET /Appointment", "PUT /Slot", "POST /Appointment", "GET /Slot"]


def asked(seen: list[str]) -> list[str]:
    """Return method and type of each request."""
    return [re.match(r"\w+ /\w+", one)[0] for one in seen]  # type: ignore[index]


async def test_a_booking_of_a_time_that_was_offered_is_five_requests(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """What has changed since, the Appointments there, the claim, the Appointment, and whether all of it stands."""
    async with opened(VARIANTS["plain"], servers, database) as lagging:
        await lagging.backends[0].find_slots(GENERAL, TUESDAY)
        lagging.server.seen.clear()

        await lagging.backends[0].book(key_of("c", Window.at(TEN.start)), TEN)

        assert asked(lagging.server.seen) == BOOKING


async def test_a_booking_beside_another_reads_that_one_by_its_id(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Unless it is known that searches do not lag."""
    for lag, more in ((3, ["GET /Appointment"]), (0, [])):
        async with opened(VARIANTS["plain"], servers, database.with_suffix(f".{lag}")) as lagging:
            calendar = lagging.clinic.calendar(search_lag_seconds=lag)
            backend = await open_synced(database.with_suffix(f".{lag}"), calendar, clock=lagging.clinic.clock)
            await backend.book(key_of("c"), TEN)
            await backend.find_slots(GENERAL, TUESDAY)
            lagging.server.seen.clear()

            await backend.book(key_of("d", Window.at(HALF_PAST_TEN.start)), HALF_PAST_TEN)
            await backend.close()

            assert asked(lagging.server.seen) == [*more, *BOOKING]


@pytest.mark.parametrize("variant", ["parameters ignored", "lag 2 s, no times of changes", "pages of 2"])
async def test_a_server_that_cannot_tell_what_changed_is_asked_for_all(
    variant: str, servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """The booking is made, and a Slot that was closed since the offer is not given."""
    async with opened(VARIANTS[variant], servers, database) as lagging:
        await lagging.backends[0].find_slots(GENERAL, TUESDAY)
        lagging.server.put({**lagging.clinic.slots(ELEVEN)[0], "status": "busy-unavailable"})

        assert (await lagging.backends[0].book(key_of("c"), TEN)).slot == TEN
        assert await try_to_book(lagging.backends[0], "d", ELEVEN) == "taken"


@pytest.mark.parametrize("start", [timedelta(), timedelta(days=-2), timedelta(days=-20)])
async def test_what_was_closed_between_offer_and_booking_is_not_given(
    start: timedelta, servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """However long ago the closure began."""
    async with opened(VARIANTS["plain"], servers, database) as lagging:
        await lagging.backends[0].find_slots(GENERAL, TUESDAY)
        length = timedelta(hours=1) - start
        closure = slot_resource(SCHEDULE, TEN.start + start, length, status="busy-unavailable")
        lagging.server.put({**closure, "id": "closure"})

        assert await try_to_book(lagging.backends[0], "c", TEN) == "taken"

        lagging.server.delete("Slot", "closure")
        assert await try_to_book(lagging.backends[0], "c", TEN) == "booked"


async def test_slots_that_were_generated_anew_between_offer_and_booking_are_booked(
    servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Under other ids, in other lengths."""
    async with opened(VARIANTS["plain"], servers, database) as lagging:
        await lagging.backends[0].find_slots(GENERAL, TUESDAY)
        for slot in lagging.clinic.slots(TEN_TO_ELEVEN):
            lagging.server.delete("Slot", slot["id"])
        for number in range(4):
            new = slot_resource(SCHEDULE, TEN.start + number * timedelta(minutes=15), timedelta(minutes=15))
            lagging.server.put({**new, "id": f"new-{number}"})

        assert (await lagging.backends[0].book(key_of("c"), TEN)).slot == TEN
        assert [one["status"] for one in lagging.clinic.slots(TEN)] == ["busy", "busy"]
