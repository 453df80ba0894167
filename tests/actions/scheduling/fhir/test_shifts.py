"""What whole days of work at the clinic look like to us: patients change places, a day is late, doctors hand over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.scheduling.fhir.resources import takes_time, time_of, type_and_id
from actions.scheduling.models import Booking, Slot
from actions.scheduling.synced import SyncedBackend
from actions.transport import open_session
from tests.actions.clinic import open_synced, slot_at
from tests.actions.scheduling.calendar_contract import HALF_PAST_TEN, TEN, TEN_TO_ELEVEN, entry_at, try_to_write
from tests.actions.scheduling.fhir.fhir_clinic import FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, Json, fhir_server_or_skip, slot_resource
from tests.actions.scheduling.scheduling_contract import ELEVEN, key_of, try_to_book

SCHEDULE = "Schedule/practice"
DOCTOR = "Practitioner/doctor-practice"
OTHER_BASE = "https://other.example/fhir"
NAMED = [f"{DOCTOR}/_history/1", f"{OTHER_BASE}/{DOCTOR}", f"{OTHER_BASE}/{DOCTOR}/_history/3"]


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with fhir_server_or_skip() as running:
        yield running


@pytest.fixture
async def clinic(server: FhirServer) -> AsyncIterator[FhirSystem]:
    async with open_session() as session:
        yield FhirSystem(server, session)


@pytest.fixture
async def backend(clinic: FhirSystem, database: Path) -> AsyncIterator[SyncedBackend]:
    opened = await open_synced(database, clinic.calendar(), clock=clinic.clock)
    yield opened
    await opened.close()


def by_hand(clinic: FhirSystem, start: str, end: str, *, name: str = "by-hand", actor: str = DOCTOR) -> None:
    """Write an Appointment down without a thought for Slots."""
    participant = [{"actor": {"reference": actor}, "status": "accepted"}]
    times = {"start": start, "end": end}
    clinic.server.put(
        {"resourceType": "Appointment", "id": name, "status": "booked", "participant": participant, **times}
    )


def of(clinic: FhirSystem, booking: Booking) -> Json:
    (found,) = [one for one in clinic.appointments() if booking.reference in str(one)]
    return found


def put_at(clinic: FhirSystem, appointment: Json, slot: Slot) -> None:
    clinic.server.put({**appointment, "start": slot.start.isoformat(), "end": slot.end.isoformat()})


@pytest.mark.parametrize("later", [pytest.param(TEN, id="change places"), pytest.param(ELEVEN, id="half an hour late")])
@pytest.mark.parametrize("first", ["c", "d"])
async def test_a_slot_is_busy_for_whom_people_put_there_and_free_when_they_go(
    later: Slot, first: str, clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """One patient is moved to where another was; nobody touched the Slots. None stays busy for nobody."""
    booked = {"c": await backend.book(key_of("c"), TEN), "d": await backend.book(key_of("d"), HALF_PAST_TEN)}
    now = {"c": HALF_PAST_TEN, "d": later}
    for name, appointment in {name: of(clinic, booking) for name, booking in booked.items()}.items():
        put_at(clinic, appointment, now[name])

    for name in sorted(now, reverse=first == "d"):
        assert [one.slot for one in await backend.upcoming(name, clinic.clock.now)] == [now[name]]
    for slot in now.values():
        assert await try_to_book(backend, "another", slot) == "taken"
    for name in sorted(now, reverse=first == "d"):
        assert await backend.cancel(key_of(name))
    assert {one["status"] for slot in (TEN, HALF_PAST_TEN, ELEVEN) for one in clinic.slots(slot)} == {"free"}


async def test_an_appointment_of_a_whole_day_takes_it(clinic: FhirSystem) -> None:
    """A course, say, that begins at midnight."""
    by_hand(clinic, "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z")
    late = slot_at("2026-11-24T11:30")

    assert list(await clinic.calendar().free([TEN, ELEVEN, late])) == []
    assert await try_to_write(clinic.calendar(), entry_at(late)) == "taken"


@pytest.mark.parametrize(
    "named", [f"{DOCTOR}/_history/1", f"{OTHER_BASE}/{DOCTOR}", f"{OTHER_BASE}/{DOCTOR}/_history/3"]
)
async def test_a_schedule_may_name_its_doctor_in_other_words(named: str, clinic: FhirSystem) -> None:
    """By an address or a version; an Appointment of theirs takes their time all the same."""
    (schedule,) = [one for one in clinic.server.all("Schedule") if f"Schedule/{one['id']}" == SCHEDULE]
    clinic.server.put({**schedule, "actor": [{"reference": named}]})
    by_hand(clinic, TEN.start.isoformat(), TEN.end.isoformat())

    assert list(await clinic.calendar().free([TEN, HALF_PAST_TEN])) == [HALF_PAST_TEN]


@pytest.mark.parametrize(
    "named", [f"{DOCTOR}/_history/1", f"{OTHER_BASE}/{DOCTOR}", f"{OTHER_BASE}/{DOCTOR}/_history/3"]
)
def test_a_reference_names_the_same_whatever_its_base_and_version(named: str) -> None:
    """As servers find Appointments by them."""
    assert type_and_id(named) == DOCTOR


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"minutesDuration": 60}, TEN_TO_ELEVEN.end),
        ({"minutesDuration": 60, "end": TEN.end.isoformat()}, TEN.end),
        ({"minutesDuration": 0}, TEN.end),
        ({"minutesDuration": 10**15}, TEN.end),
        ({"minutesDuration": "60"}, TEN.end),
    ],
)
def test_an_appointment_without_an_end_is_as_long_as_it_says(more: dict[str, Any], end: object) -> None:
    """R4 forbids that, and this server refuses it; others do not. Without a length it is as long as it was."""
    found = {"resourceType": "Appointment", "status": "booked", "start": TEN.start.isoformat(), **more}

    assert time_of(found, TEN).end == end
    assert takes_time(found, HALF_PAST_TEN) is (end == TEN_TO_ELEVEN.end)


@pytest.mark.parametrize("is_known", [True, False], ids=["read before", "not read before"])
async def test_a_slot_that_was_put_into_another_schedule_is_not_given_away(is_known: bool, clinic: FhirSystem) -> None:
    """The afternoon is a colleague's now: a Slot that was read before may not be claimed under its old Schedule."""
    calendar = clinic.calendar()
    if is_known:
        assert list(await calendar.free([TEN, HALF_PAST_TEN])) == [TEN, HALF_PAST_TEN]
        assert await try_to_write(calendar, entry_at(HALF_PAST_TEN)) == "written"
    (slot,) = clinic.slots(TEN)
    clinic.server.put({**slot, "schedule": {"reference": "Schedule/specialist"}})

    assert await try_to_write(calendar, entry_at(TEN)) == "taken"
    assert not [one for one in clinic.appointments() if one["start"] == "2026-11-24T09:00:00Z"]


async def test_a_closure_that_was_put_into_another_schedule_closes_that(clinic: FhirSystem) -> None:
    """Somebody closed three days of the wrong doctor's, and put that right."""
    calendar = clinic.calendar()
    closure = slot_resource(SCHEDULE, TEN.start - timedelta(days=2), status="busy-unavailable")
    closure |= {"id": "closure", "end": (TEN.start + timedelta(days=1)).isoformat()}
    clinic.server.put(closure)
    assert list(await calendar.free([TEN])) == []
    clinic.server.put({**closure, "schedule": {"reference": "Schedule/specialist"}})

    assert list(await calendar.free([TEN])) == [TEN]
    assert await try_to_write(calendar, entry_at(TEN)) == "written"
    assert list(await calendar.free([Slot("specialist", TEN.start, TEN.end)])) == []


@pytest.mark.parametrize("whose", ["another patient's", "one by hand"])
async def test_an_id_that_a_restored_server_gave_to_another_appointment_is_not_ours(
    whose: str, clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """What was booked since the backup is gone, and is told so; nobody is told of somebody else's, nor cancels it."""
    booking = await backend.book(key_of("c"), TEN)
    lost = of(clinic, booking)
    if whose == "one by hand":
        by_hand(clinic, ELEVEN.start.isoformat(), ELEVEN.end.isoformat(), name=lost["id"])
    else:
        other = of(clinic, await backend.book(key_of("d"), ELEVEN))
        clinic.server.put({**{name: value for name, value in other.items() if name != "meta"}, "id": lost["id"]})
        clinic.server.control("DELETE", f"/fhir/Appointment/{other['id']}")

    assert list(await backend.upcoming("c", clinic.clock.now)) == []
    assert list(await backend.cancelled_elsewhere("c", clinic.clock.now)) == [booking]
    assert await backend.cancel(key_of("c")) is None
    assert [one["status"] for one in clinic.server.all("Appointment")] == ["booked"]
    assert len(await backend.upcoming("d", clinic.clock.now)) == (0 if whose == "one by hand" else 1)


async def test_an_appointment_that_was_cancelled_for_a_reason_can_be_booked_again(clinic: FhirSystem) -> None:
    """R4 takes a reason with a cancelled one only."""
    calendar, entry = clinic.calendar(), entry_at()
    await calendar.write(entry)
    (written,) = clinic.appointments()
    clinic.server.put({**written, "status": "cancelled", "cancelationReason": {"text": "the doctor is ill"}})
    await calendar.write(entry)

    assert [one["status"] for one in clinic.appointments()] == ["booked"]
