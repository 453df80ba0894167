"""What people do with Appointments themselves: they make them anew, copy them, hand them over. On a few variants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actions.scheduling.models import BookingChange, BookingKey, Change, Patient, Slot, Window
from actions.transport import open_session
from tests.actions.clinic import open_synced
from tests.actions.scheduling.calendar_contract import ELEVEN, HALF_PAST_TEN, TEN, entry_at, try_to_write
from tests.actions.scheduling.fhir.fhir_clinic import FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, Json
from tests.actions.scheduling.fhir.test_lag import Lagging, opened
from tests.actions.scheduling.fhir.variants import VARIANTS
from tests.actions.scheduling.scheduling_contract import key_of, try_to_book

SCHEDULE = "Schedule/practice"
NEXT_WEEK = {"start": "2026-12-01T09:00:00Z", "end": "2026-12-01T09:30:00Z"}


@pytest.fixture(params=["plain", "lag 2 s, what changes vanishes", "lag 2 s, nameless", "other offsets and fractions"])
async def lagging(
    request: pytest.FixtureRequest, servers: tuple[FhirServer, FhirServer], database: Path
) -> AsyncIterator[Lagging]:
    async with opened(VARIANTS[request.param], servers, database) as running:
        yield running


@pytest.fixture
async def clinic(servers: tuple[FhirServer, FhirServer]) -> AsyncIterator[FhirSystem]:
    async with open_session() as session:
        yield FhirSystem(servers[0], session)


async def booked(lagging: Lagging) -> Json:
    """Book ten o'clock, and return the Appointment, of which every search knows."""
    await lagging.backends[0].book(key_of("c", Window.at(TEN.start)), TEN)
    lagging.server.settle()
    (appointment,) = lagging.clinic.appointments()
    return appointment


def without_a_version(appointment: Json, **more: Any) -> Json:
    return {**{name: value for name, value in appointment.items() if name != "meta"}, **more}


async def test_an_appointment_that_was_made_anew_is_the_booking(lagging: Lagging) -> None:
    """Read in again from an export, under another id, which a search may not know for a while."""
    appointment = await booked(lagging)
    lagging.server.delete("Appointment", appointment["id"])
    lagging.server.put(without_a_version(appointment, id="anew"))
    backend = lagging.backends[1]

    (kept,) = await backend.upcoming("c", lagging.clinic.clock.now)
    assert kept.slot == TEN
    assert await try_to_book(backend, "another", TEN) == "taken"
    assert await backend.cancel(key_of("c", Window.at(TEN.start))) == kept
    assert lagging.live == []


async def test_a_copy_for_another_week_is_theirs(lagging: Lagging) -> None:
    """It has the identifiers of what it was copied from; the patient's cancellation does not take it along."""
    appointment = await booked(lagging)
    lagging.server.put(without_a_version(appointment, id="a-copy", **NEXT_WEEK))
    backend = lagging.backends[1]

    assert [one.slot for one in await backend.upcoming("c", lagging.clinic.clock.now)] == [TEN]
    assert await backend.cancel(key_of("c", Window.at(TEN.start)))
    assert lagging.live == [NEXT_WEEK["start"]]
    assert await try_to_write(lagging.clinic.calendar(), entry_at(TEN)) == "written"


async def test_an_appointment_that_was_handed_to_a_colleague_is_the_booking_there(lagging: Lagging) -> None:
    """The time that it had is free, the colleague's is not; the patient can cancel it."""
    appointment = await booked(lagging)
    theirs = [one for one in appointment["participant"] if "reference" not in one["actor"]]
    colleague = {"actor": {"reference": "Practitioner/doctor-specialist"}, "status": "accepted"}
    lagging.server.put({**appointment, "participant": [colleague, *theirs]})
    backend = lagging.backends[1]

    there = Slot("specialist", TEN.start, TEN.end)
    (kept,) = await backend.upcoming("c", lagging.clinic.clock.now)
    assert kept.slot == there
    lagging.server.settle()
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert await try_to_write(lagging.clinic.calendar(), entry_at(there)) == "taken"
    assert await backend.cancel(key_of("c", Window.at(TEN.start))) == kept
    assert len(lagging.live) == 1


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"participant": [{"actor": {"reference": "Patient/merged"}, "status": "accepted"}]}, id="merged"),
        pytest.param({"slot": []}, id="no Slots"),
        pytest.param({"slot": [{"reference": "Slot/of-another-system"}]}, id="unknown Slots"),
        pytest.param({"identifier": []}, id="no identifiers"),
        pytest.param({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, id="a modifier"),
        pytest.param({"minutesDuration": 45, "priority": 1, "comment": "paid"}, id="other facts"),
    ],
)
async def test_what_else_people_change_does_not_undo_a_booking(
    more: Json, servers: tuple[FhirServer, FhirServer], database: Path
) -> None:
    """Nor does it keep the patient from cancelling."""
    async with opened(VARIANTS["lag 2 s, nameless"], servers, database) as lagging:
        appointment = await booked(lagging)
        lagging.server.put({**appointment, **more})
        backend = lagging.backends[1]

        (kept,) = await backend.upcoming("c", lagging.clinic.clock.now)
        assert kept.slot == TEN
        assert await try_to_book(backend, "another", TEN) == "taken"
        assert await backend.cancel(key_of("c", Window.at(TEN.start))) == kept
        assert [one["status"] for one in lagging.server.all("Appointment")] == ["cancelled"]
        assert [one["status"] for one in lagging.clinic.slots(TEN)] == ["free"]


async def test_an_appointment_that_people_wrote_anew_in_all_but_the_patient_is_the_booking(
    clinic: FhirSystem, database: Path
) -> None:
    """Their program keeps neither identifiers nor texts nor Slots, and they moved it as well."""
    backend = await open_synced(database, clinic.calendar(), clock=clinic.clock)
    booking = await backend.book(key_of("c"), TEN, Patient("c", "Erika Muster"))
    (appointment,) = clinic.appointments()
    theirs = {name: appointment[name] for name in ("resourceType", "id", "status", "participant")}
    clinic.server.put({**theirs, "start": ELEVEN.start.isoformat(), "end": ELEVEN.end.isoformat()})

    moved = replace(booking, slot=ELEVEN, moved_from=TEN.start)
    assert list(await backend.upcoming("c", clinic.clock.now)) == [moved]
    assert list(await backend.cancelled_elsewhere("c", clinic.clock.now)) == []
    assert await backend.cancel(key_of("c", Window.at(ELEVEN.start))) == moved
    assert [one["status"] for one in clinic.server.all("Appointment")] == ["cancelled"]
    assert [one["status"] for one in (*clinic.slots(TEN), *clinic.slots(ELEVEN))] == ["free", "free"]
    await backend.close()


@pytest.mark.parametrize("old", ["inactive", "gone"])
async def test_a_schedule_that_is_replaced_does_not_undo_a_booking(
    old: str, clinic: FhirSystem, database: Path
) -> None:
    """Its Slots are published under another one. Before that is in the settings, it can be cancelled all the same."""
    backend = await open_synced(database, clinic.calendar(), clock=clinic.clock)
    booking = await backend.book(key_of("c"), TEN)
    other = await backend.book(key_of("d"), HALF_PAST_TEN)
    replace_schedule(clinic, old)
    calendars = [clinic.calendar(schedules={"practice": name}) for name in (SCHEDULE, f"{SCHEDULE}-2")]
    stale, new = [await open_synced(database, calendar, clock=clinic.clock) for calendar in calendars]

    assert list(await stale.upcoming("c", clinic.clock.now)) == [booking]
    assert await stale.cancel(key_of("c")) == booking
    assert list(await new.upcoming("d", clinic.clock.now)) == [other]
    assert await try_to_book(new, "another", HALF_PAST_TEN) == "taken"
    assert await new.reschedule(key_of("d"), ELEVEN) == replace(other, slot=ELEVEN)
    assert await try_to_book(new, "another", HALF_PAST_TEN) == "booked"
    assert sorted(one["status"] for one in clinic.appointments()) == ["booked", "booked", "cancelled", "cancelled"]
    for one in (backend, stale, new):
        await one.close()


def replace_schedule(clinic: FhirSystem, old: str) -> None:
    """Give the doctor another Schedule, with the same times in it."""
    (schedule,) = [one for one in clinic.server.all("Schedule") if f"Schedule/{one['id']}" == SCHEDULE]
    clinic.server.put({**schedule, "id": f"{schedule['id']}-2"})
    for one in [one for one in clinic.server.all("Slot") if one["schedule"]["reference"] == SCHEDULE]:
        new = {name: value for name, value in one.items() if name not in ("meta", "identifier")}
        clinic.server.put({**new, "id": f"{one['id']}-2", "schedule": {"reference": f"{SCHEDULE}-2"}})
        clinic.server.control("DELETE", f"/fhir/Slot/{one['id']}")
    if old == "gone":
        clinic.server.control("DELETE", f"/fhir/{SCHEDULE}")
    else:
        clinic.server.put({**schedule, "active": False})


async def test_a_copy_is_where_the_booking_was_moved_to_once_the_original_is_cancelled(
    clinic: FhirSystem, database: Path
) -> None:
    """Many programs have no other way to move one. The patient is told of the new time, once, and can cancel it."""
    told: list[Change] = []

    async def note(_connection: object, change: BookingChange) -> None:
        told.append(change.change)

    backend = await open_synced(database, clinic.calendar(), clock=clinic.clock, on_change=note)
    booking = await backend.book(key_of("c"), TEN)
    (original,) = clinic.appointments()
    there = {"start": ELEVEN.start.isoformat(), "end": ELEVEN.end.isoformat()}
    clinic.server.put(without_a_version(original, id="a-copy", slot=[], **there))
    assert list(await backend.upcoming("c", clinic.clock.now)) == [booking]

    clinic.server.put({**original, "status": "cancelled"})
    for _ in range(2):
        (moved,) = await backend.upcoming("c", clinic.clock.now)
        assert (moved.reference, moved.slot, moved.moved_from) == (booking.reference, ELEVEN, TEN.start)
    assert told == [Change.BOOKED, Change.RESCHEDULED]
    assert await backend.cancel(BookingKey("c", "general", Window.at(ELEVEN.start))) == moved
    assert {one["status"] for one in clinic.appointments()} == {"cancelled"}
    await backend.close()
