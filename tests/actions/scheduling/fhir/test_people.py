"""What people at the clinic change in their own system: nothing is forgotten, and no time is given twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.errors import InvalidRequestError
from actions.scheduling.models import BookingKey, Window
from actions.scheduling.sweeper import settle
from actions.scheduling.synced import SyncedBackend
from actions.transport import open_session
from tests.actions.clinic import open_synced
from tests.actions.scheduling.calendar_contract import HALF_PAST_TEN, TEN, TEN_TO_ELEVEN, entry_at, try_to_write
from tests.actions.scheduling.fhir.fhir_clinic import SYSTEM, FhirSystem, uids_of
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip, slot_resource
from tests.actions.scheduling.scheduling_contract import ELEVEN, TUESDAY, free_starts, key_of, try_to_book

SCHEDULE = "Schedule/practice"


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


def generate_anew(clinic: FhirSystem, status: str) -> None:
    """Delete the Slots at ten, and publish others under other ids."""
    for one in clinic.slots(TEN_TO_ELEVEN):
        clinic.server.control("DELETE", f"/fhir/Slot/{one['id']}")
        new = {name: value for name, value in one.items() if name not in ("meta", "identifier")}
        clinic.server.put({**new, "status": status, "id": f"{one['id']}-anew"})


def edit(clinic: FhirSystem, **more: Any) -> None:
    """Change the only Appointment."""
    (written,) = clinic.appointments()
    clinic.server.put({**written, **more})


@pytest.mark.parametrize("status", ["busy", "free"])
async def test_slots_that_are_generated_anew_do_not_undo_a_booking(
    status: str, clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """It is there, "any time that day" is the same one, nobody else gets its time, and it can be cancelled."""
    booking = await backend.book(key_of("c"), TEN)
    generate_anew(clinic, status)

    assert list(await backend.upcoming("c", clinic.clock.now)) == [booking]
    assert await backend.book(key_of("c"), ELEVEN) == booking
    assert await try_to_book(backend, "another", TEN) == "taken"
    assert await try_to_write(clinic.calendar(), entry_at()) == "taken"
    assert list(await clinic.calendar().free([TEN])) == []
    assert await backend.cancel(key_of("c")) == booking
    assert [one["status"] for one in clinic.appointments()] == ["cancelled"]
    assert clinic.slots(TEN)[0]["status"] == "free"


@pytest.mark.parametrize("status", ["busy-unavailable", "busy-tentative", "free"])
async def test_a_slot_whose_state_people_change_does_not_undo_a_booking(
    status: str, clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """The Appointment is the booking, and it alone says whether it is at its time."""
    booking = await backend.book(key_of("c"), TEN)
    (slot,) = clinic.slots(TEN)
    clinic.server.put({**slot, "status": status})

    assert await backend.get(key_of("c")) == booking
    assert await try_to_write(clinic.calendar(), entry_at()) == "taken"
    assert await backend.cancel(key_of("c")) == booking


async def test_a_longer_appointment_is_the_same_and_keeps_what_it_takes(
    clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """It now ends at a quarter to eleven, and the half hour after ten is not free."""
    booking = await backend.book(key_of("c"), TEN)
    edit(clinic, end="2026-11-24T09:45:00Z")

    assert await try_to_write(clinic.calendar(), entry_at(HALF_PAST_TEN)) == "taken"
    (longer,) = await backend.upcoming("c", clinic.clock.now)
    assert (longer.slot.start, longer.slot.end) == (TEN.start, TEN.start + timedelta(minutes=45))
    assert (longer.reference, longer.moved_from) == (booking.reference, None)
    assert await try_to_book(backend, "another", HALF_PAST_TEN) == "taken"


async def test_an_appointment_that_people_moved_is_followed(clinic: FhirSystem, backend: SyncedBackend) -> None:
    """It has its new time here as well, its old one is free for others, and its patient can be told."""
    booking = await backend.book(key_of("c"), TEN)
    (there,) = clinic.slots(ELEVEN)
    edit(clinic, start="2026-11-24T10:00:00Z", end="2026-11-24T10:30:00Z", slot=[{"reference": f"Slot/{there['id']}"}])
    clinic.server.put({**there, "status": "busy"})
    clinic.server.put({**clinic.slots(TEN)[0], "status": "free"})

    moved = replace(booking, slot=ELEVEN, moved_from=TEN.start)
    assert list(await backend.upcoming("c", clinic.clock.now)) == [moved]
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert await try_to_book(backend, "third", ELEVEN) == "taken"
    second = await backend.book(key_of("c", Window.at(HALF_PAST_TEN.start)), HALF_PAST_TEN)
    assert second.reference != booking.reference
    assert await backend.cancel(key_of("c", Window.at(ELEVEN.start))) == moved
    assert clinic.slots(ELEVEN)[0]["status"] == "free"


async def test_what_people_cancel_is_told_once_and_its_time_is_free_for_others(
    clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """Also if nobody has asked for that booking before."""
    booking = await backend.book(key_of("c"), TEN)
    edit(clinic, status="cancelled")
    clinic.server.put({**clinic.slots(TEN)[0], "status": "free"})

    assert TEN in await free_starts(backend)
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert list(await backend.upcoming("c", clinic.clock.now)) == []
    assert list(await backend.cancelled_elsewhere("c", clinic.clock.now)) == [booking]
    assert list(await backend.cancelled_elsewhere("c", clinic.clock.now)) == []


def at_eleven(clinic: FhirSystem) -> dict[str, Any]:
    return {"start": "2026-11-24T10:00:00Z", "end": "2026-11-24T10:30:00Z"}


def at_eleven_in_its_slot(clinic: FhirSystem) -> dict[str, Any]:
    (there,) = clinic.slots(ELEVEN)
    return {**at_eleven(clinic), "slot": [{"reference": f"Slot/{there['id']}"}]}


LEAVING: dict[str, Callable[[FhirSystem], dict[str, Any]]] = {
    "moved": at_eleven,
    "moved to another Slot": at_eleven_in_its_slot,
    "cancelled": lambda _: {"status": "cancelled"},
    "a mistake": lambda _: {"status": "entered-in-error"},
    "on a waiting list": lambda _: {"status": "waitlist"},
}


@pytest.mark.parametrize("how", [*LEAVING, "deleted"])
async def test_a_slot_does_not_stay_busy_for_an_appointment_that_left_it(
    how: str, clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """Nobody touched the Slot: it is ours, and free again for who asks for its time, and in the clinic's system."""
    await backend.book(key_of("c"), TEN)
    if how == "deleted":
        clinic.server.control("DELETE", f"/fhir/Appointment/{clinic.appointments()[0]['id']}")
    else:
        edit(clinic, **LEAVING[how](clinic))

    assert await free_starts(backend, Window.at(TEN.start)) == {TEN}
    (slot,) = clinic.slots(TEN)
    assert (slot["status"], uids_of(slot)) == ("free", set())
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert await try_to_book(backend, "third", TEN) == "taken"
    # What goes on leaves the other one's Slot alone.
    for booking in await backend.upcoming("c", clinic.clock.now):
        assert await backend.cancel(key_of("c", Window.at(booking.slot.start))) == booking
    assert clinic.slots(TEN)[0]["status"] == "busy"


async def test_a_part_that_was_cut_off_is_free(clinic: FhirSystem, database: Path) -> None:
    """An hour has two Slots, of which it now needs one."""
    backend = await open_synced(database, clinic.calendar(), clock=clinic.clock)
    await backend.book(BookingKey("c", "hour", TUESDAY), TEN_TO_ELEVEN)
    edit(clinic, end="2026-11-24T09:30:00Z")

    assert [one.slot for one in await backend.upcoming("c", clinic.clock.now)] == [TEN]
    assert [one["status"] for one in clinic.slots(TEN_TO_ELEVEN)] == ["busy", "free"]
    await backend.close()


@pytest.mark.parametrize("status", ["busy-unavailable", "busy-tentative"])
async def test_a_slot_that_people_closed_stays_closed_when_its_appointment_was_moved(
    status: str, clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """The doctor is away at ten: they say so, and what they say counts."""
    await backend.book(key_of("c"), TEN)
    (slot,) = clinic.slots(TEN)
    clinic.server.put({**slot, "status": status})
    edit(clinic, **at_eleven(clinic))

    assert await try_to_book(backend, "another", TEN) == "taken"
    assert [one["status"] for one in clinic.slots(TEN)] == [status]


@pytest.mark.parametrize("how", ["moved", "cancelled"])
async def test_a_slot_that_people_gave_to_somebody_else_stays_busy(
    how: str, clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """They booked by hand and left our identifier in the Slot: it is not ours any more, but busy."""
    await backend.book(key_of("c"), TEN)
    edit(clinic, **LEAVING[how](clinic))
    actor = {"reference": "Practitioner/doctor-practice"}
    made = {"resourceType": "Appointment", "id": "by-hand", "status": "booked", "start": TEN.start.isoformat()}
    clinic.server.put({**made, "end": TEN.end.isoformat(), "participant": [{"actor": actor, "status": "accepted"}]})

    assert await try_to_book(backend, "another", TEN) == "taken"
    (slot,) = clinic.slots(TEN)
    assert (slot["status"], uids_of(slot)) == ("busy", set())


async def test_a_slot_that_cannot_be_freed_does_not_keep_a_move_from_the_patient(
    clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """It is tried again with the booking's end."""
    await backend.book(key_of("c"), TEN)
    edit(clinic, **at_eleven(clinic))
    clinic.server.fail("PUT", "/Slot/", status=422)

    (moved,) = await backend.upcoming("c", clinic.clock.now)
    assert moved.slot == ELEVEN
    assert await backend.cancel(key_of("c", Window.at(ELEVEN.start))) == moved
    assert clinic.slots(TEN)[0]["status"] == "free"


async def test_an_appointment_without_a_slot_takes_its_time(clinic: FhirSystem) -> None:
    """Somebody wrote it down and left the Slot as it was; other people's appointments do not matter."""
    made = {"resourceType": "Appointment", "status": "booked", "start": "2026-11-24T09:15:00Z"}
    for doctor, slot in (("specialist", TEN), ("practice", HALF_PAST_TEN)):
        actor = {"reference": f"Practitioner/doctor-{doctor}"}
        more = {"id": doctor, "start": slot.start.isoformat(), "end": slot.end.isoformat()}
        clinic.server.put({**made, **more, "participant": [{"actor": actor, "status": "accepted"}]})

    assert list(await clinic.calendar().free([TEN, HALF_PAST_TEN])) == [TEN]
    assert await try_to_write(clinic.calendar(), entry_at(HALF_PAST_TEN)) == "taken"


@pytest.mark.parametrize("days", [1, 3, 21, 400])
async def test_a_closure_is_seen_however_long_ago_it_began(days: int, clinic: FhirSystem) -> None:
    """Before and after other times were asked for; reopened, the times are free again."""
    calendar = clinic.calendar()
    assert list(await calendar.free([TEN])) == [TEN]
    start = TEN.start - timedelta(days=days, hours=1)
    closure = slot_resource(SCHEDULE, start, timedelta(days=days + 1), status="busy-unavailable")
    clinic.server.put({**closure, "id": "closure"})

    for other in (calendar, clinic.calendar()):
        assert list(await other.free([TEN])) == []
        assert await try_to_write(other, entry_at()) == "taken"
    clinic.server.control("DELETE", "/fhir/Slot/closure")
    assert list(await calendar.free([TEN])) == [TEN]


@pytest.mark.parametrize("status", ["pending", "proposed"])
async def test_what_is_asked_for_is_not_called_booked(status: str, clinic: FhirSystem, backend: SyncedBackend) -> None:
    """Until somebody at the clinic agrees, which the sweeper asks about."""
    booking = await backend.book(key_of("c"), TEN)
    edit(clinic, status=status)
    assert list(await backend.upcoming("c", clinic.clock.now)) == [replace(booking, is_requested=True)]

    edit(clinic, status="booked")
    clinic.clock.now += timedelta(minutes=6)
    await settle(backend)
    edit(clinic, status=status)
    before = len(clinic.server.requests())
    await settle(backend)

    assert len(clinic.server.requests()) == before
    assert await backend.get(key_of("c")) == replace(booking, is_requested=True)


async def test_a_waiting_list_is_no_appointment(clinic: FhirSystem, backend: SyncedBackend) -> None:
    """Nobody is expected."""
    await backend.book(key_of("c"), TEN)
    edit(clinic, status="waitlist")

    assert await backend.get(key_of("c")) is None


@pytest.mark.parametrize("status", ["arrived", "fulfilled", "noshow", "checked-in"])
async def test_what_has_begun_is_not_cancelled(status: str, clinic: FhirSystem, backend: SyncedBackend) -> None:
    """Nor moved: what the clinic noted stays."""
    booking = await backend.book(key_of("c"), TEN)
    edit(clinic, status=status)

    with pytest.raises(InvalidRequestError, match="has begun or is over"):
        await backend.cancel(key_of("c"))
    with pytest.raises(InvalidRequestError, match="has begun or is over"):
        await backend.reschedule(key_of("c"), ELEVEN)
    assert [one["status"] for one in clinic.appointments()] == [status]
    assert await backend.get(key_of("c")) == booking


GP, XRAY = {"system": "urn:codes", "code": "GP"}, {"system": "urn:codes", "code": "XRAY"}
TYPES = {"general": GP, "x-ray": XRAY}


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        pytest.param({"serviceType": [{"coding": [GP]}]}, True, id="its service"),
        pytest.param({"serviceType": [{"coding": [XRAY]}, {"coding": [GP]}]}, True, id="one of its services"),
        pytest.param({"serviceType": [{"coding": [XRAY]}]}, False, id="another service"),
        pytest.param({"serviceType": [{"coding": [{"system": "urn:other", "code": "7"}]}]}, True, id="who knows"),
        pytest.param({"serviceType": [{"text": "anything"}]}, True, id="no code"),
        pytest.param({"appointmentType": {"coding": [XRAY]}}, False, id="another type"),
        pytest.param({"appointmentType": {"coding": [GP]}}, True, id="its type"),
        pytest.param({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, False, id="a modifier"),
    ],
)
async def test_a_slot_for_something_else_is_left_out(more: dict[str, Any], fits: bool, clinic: FhirSystem) -> None:
    """As far as that is certain."""
    (slot,) = clinic.slots(TEN)
    clinic.server.put({**slot, **more})
    calendar = clinic.calendar(appointment_types=TYPES)

    assert list(await calendar.free_for("general", [TEN])) == ([TEN] if fits else [])
    assert await try_to_write(calendar, entry_at()) == ("written" if fits else "taken")


async def test_a_schedule_that_is_not_in_use_has_no_free_time(clinic: FhirSystem) -> None:
    """Whatever its Slots say."""
    (schedule,) = [one for one in clinic.server.all("Schedule") if one["id"] == "practice"]
    clinic.server.put({**schedule, "active": False})
    calendar = clinic.calendar()

    assert list(await calendar.free([TEN])) == []
    assert await try_to_write(calendar, entry_at()) == "taken"


async def test_a_slot_that_ends_a_second_early_fits(clinic: FhirSystem) -> None:
    """Some systems keep their Slots from touching each other; an hour is two of them."""
    for one in clinic.slots(TEN_TO_ELEVEN):
        clinic.server.put({**one, "end": one["end"].replace(":30:00", ":29:59").replace("10:00:00", "09:59:59")})
    calendar = clinic.calendar()

    assert list(await calendar.free([TEN, HALF_PAST_TEN])) == [TEN, HALF_PAST_TEN]
    assert await try_to_write(calendar, entry_at(TEN_TO_ELEVEN)) == "written"
    clinic.check()


async def test_an_appointment_is_ours_by_its_id_whatever_became_of_its_identifier(
    clinic: FhirSystem, backend: SyncedBackend
) -> None:
    """Some programs write back what they know alone."""
    booking = await backend.book(key_of("c"), TEN)
    edit(clinic, identifier=[{"system": "urn:theirs", "value": "1"}])

    assert await backend.get(key_of("c")) == booking
    assert await backend.cancel(key_of("c")) == booking
    assert [one["status"] for one in clinic.server.all("Appointment")] == ["cancelled"]
    assert SYSTEM not in str(clinic.slots(TEN))
