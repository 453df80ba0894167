"""What the FHIR calendar writes, and what is left of it when several write or somebody dies half way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from actions.errors import InvalidRequestError
from actions.scheduling.models import Patient
from actions.transport import open_session
from tests.actions.scheduling.calendar_contract import PATIENT, TEN, TEN_TO_ELEVEN, entry_at, try_to_write
from tests.actions.scheduling.fhir.fhir_clinic import SYSTEM, FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip

PORTAL = "https://portal.example.org/patients"


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with fhir_server_or_skip() as running:
        yield running


@pytest.fixture
async def clinic(server: FhirServer) -> AsyncIterator[FhirSystem]:
    async with open_session() as session:
        yield FhirSystem(server, session)


def without_meta(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "meta"}


async def test_an_entry_is_its_slots_and_an_appointment_that_says_all(clinic: FhirSystem) -> None:
    """People at the clinic see who comes when and why, and under which reference."""
    calendar = clinic.calendar(appointment_types={"general": {"system": "urn:codes", "code": "GP", "display": "Visit"}})
    entry = entry_at(TEN_TO_ELEVEN)
    await calendar.write(entry)

    (written,) = clinic.appointments()
    assert {name: value for name, value in written.items() if name not in ("id", "meta")} == {
        "resourceType": "Appointment",
        "identifier": [
            {"system": SYSTEM, "value": entry.uid},
            {"system": "urn:action-server:appointment:reference", "value": "APT-4K7WQX"},
        ],
        "status": "booked",
        "appointmentType": {
            "coding": [{"system": "urn:codes", "code": "GP", "display": "Visit"}],
            "text": "general",
        },
        "description": "general (APT-4K7WQX)",
        "start": "2026-11-24T09:00:00Z",
        "end": "2026-11-24T10:00:00Z",
        "minutesDuration": 60,
        "slot": [{"reference": f"Slot/{one['id']}"} for one in clinic.slots(TEN_TO_ELEVEN)],
        "created": "2026-11-22T16:20:00Z",
        "comment": "phone: +49 30 5550123, email: erika.geheim@example.org",
        "participant": [
            {
                "actor": {"reference": "Practitioner/doctor-practice", "display": "Dr. practice"},
                "status": "accepted",
            },
            {"actor": {"display": "Erika Geheim"}, "status": "accepted"},
        ],
    }
    assert [(one["status"], one["identifier"]) for one in clinic.slots(TEN_TO_ELEVEN)] == [
        ("busy", [{"system": SYSTEM, "value": entry.uid}])
    ] * 2


async def test_a_slot_keeps_what_others_wrote_into_it(clinic: FhirSystem) -> None:
    """Claimed and freed again, it is as it was."""
    (slot,) = clinic.slots(TEN)
    more = {"comment": "room 3", "identifier": [{"system": "urn:rooms", "value": "3"}]}
    before = clinic.server.put({**slot, **more})
    calendar, entry = clinic.calendar(), entry_at()

    await calendar.write(entry)
    (claimed,) = clinic.slots(TEN)
    await calendar.remove(entry)
    (after,) = clinic.slots(TEN)

    assert claimed["comment"] == "room 3"
    assert claimed["identifier"] == [*more["identifier"], {"system": SYSTEM, "value": entry.uid}]
    assert without_meta(after) == without_meta(before)


async def test_a_removed_entry_stays_as_a_cancelled_appointment(clinic: FhirSystem) -> None:
    """There is a record of it; written again, it is booked again."""
    calendar, entry = clinic.calendar(), entry_at()
    await calendar.write(entry)
    await calendar.remove(entry)
    assert [one["status"] for one in clinic.appointments()] == ["cancelled"]

    await calendar.write(entry)
    assert [one["status"] for one in clinic.appointments()] == ["booked"]
    assert await calendar.find(entry)
    clinic.check()


MERGED = {"active": False, "link": [{"type": "replaced-by", "other": {"reference": "Patient/whole"}}]}
OLD_FILE = {"link": [{"type": "seealso", "other": {"reference": "Patient/elsewhere"}}]}


@pytest.mark.parametrize(
    ("registered", "actor"),
    [
        pytest.param({"one": {}}, {"reference": "Patient/one", "display": "Erika Geheim"}, id="known"),
        pytest.param({}, {"display": "Erika Geheim"}, id="unknown"),
        pytest.param({"one": {}, "two": {}}, {"display": "Erika Geheim"}, id="two of that number"),
        pytest.param({"one": {"active": False}}, {"display": "Erika Geheim"}, id="not in use"),
        pytest.param({"one": MERGED}, {"reference": "Patient/whole", "display": "Erika Geheim"}, id="merged"),
        pytest.param(
            {"one": MERGED, "whole": OLD_FILE},
            {"reference": "Patient/whole", "display": "Erika Geheim"},
            id="merged, and the other has that number as well",
        ),
    ],
)
async def test_a_patient_is_linked_if_one_is_known_under_the_senders_id(
    registered: dict[str, dict[str, Any]], actor: dict[str, str], clinic: FhirSystem
) -> None:
    """Where the channel knows who is writing; whoever is not certain is a name. Who was merged is whoever replaces."""
    for name, more in registered.items():
        identifier = [{"system": PORTAL, "value": PATIENT.conversation}]
        clinic.server.put({"resourceType": "Patient", "id": name, "identifier": identifier, **more})

    await clinic.calendar(patient_identifier_system=PORTAL).write(entry_at())

    assert clinic.appointments()[0]["participant"][1]["actor"] == actor


async def test_a_patient_of_whom_nothing_is_known_is_a_patient(clinic: FhirSystem) -> None:
    """The sender id is nobody's business but the conversation's."""
    await clinic.calendar().write(replace(entry_at(), patient=Patient("sender-of-secrets")))

    (written,) = clinic.appointments()
    assert written["participant"][1] == {"actor": {"display": "patient"}, "status": "accepted"}
    assert "sender-of-secrets" not in str(written)


async def test_a_writer_killed_between_slots_and_appointment_is_completed_by_a_repeat(clinic: FhirSystem) -> None:
    """Until then there is no entry, and nobody else gets the time."""
    calendar, entry = clinic.calendar(), entry_at(TEN_TO_ELEVEN)
    for slot in clinic.slots(TEN_TO_ELEVEN):
        clinic.claim(entry, slot)
    assert not await calendar.find(entry)
    assert await try_to_write(calendar, entry_at(TEN)) == "taken"

    await calendar.write(entry)

    assert await calendar.find(entry)
    assert len(clinic.appointments()) == 1
    clinic.check()


async def test_a_writer_killed_between_slots_and_appointment_is_cleaned_up(clinic: FhirSystem) -> None:
    """Both Slots are free again, and no Appointment was ever made."""
    calendar, entry = clinic.calendar(), entry_at(TEN_TO_ELEVEN)
    for slot in clinic.slots(TEN_TO_ELEVEN):
        clinic.claim(entry, slot)

    await calendar.remove(entry)

    assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    assert clinic.appointments() == []


async def test_a_killed_remover_has_left_no_appointment_without_its_time(clinic: FhirSystem) -> None:
    """What it could not free is not offered; the repeat frees it."""
    calendar, entry = clinic.calendar(transport={"attempts": 1}), entry_at(TEN_TO_ELEVEN)
    await calendar.write(entry)
    (written,) = clinic.appointments()
    clinic.server.put({**written, "status": "cancelled"})
    assert not await calendar.find(entry)

    await calendar.remove(entry)

    assert list(await calendar.free([TEN_TO_ELEVEN])) == [TEN_TO_ELEVEN]
    clinic.check()


async def test_an_appointment_that_people_moved_is_theirs(clinic: FhirSystem) -> None:
    """It is not found at the old time, and a repeat says so and takes nothing."""
    calendar, entry = clinic.calendar(), entry_at(TEN)
    await calendar.write(entry)
    (written,) = clinic.appointments()
    moved = clinic.server.put({**written, "start": "2026-11-24T10:00:00Z", "end": "2026-11-24T10:30:00Z"})
    for slot in clinic.slots(TEN):
        clinic.server.put({**slot, "status": "free"})

    assert not await calendar.find(entry)
    with pytest.raises(InvalidRequestError, match="at another time"):
        await calendar.write(entry)
    assert list(await calendar.free([TEN])) == [TEN]
    assert clinic.appointments() == [moved]


async def test_a_slot_that_people_closed_meanwhile_stays_closed(clinic: FhirSystem) -> None:
    """Removing an entry takes its name off the Slot, and does not open it."""
    calendar, entry = clinic.calendar(), entry_at()
    await calendar.write(entry)
    (slot,) = clinic.slots(TEN)
    clinic.server.put({**slot, "status": "busy-unavailable"})

    await calendar.remove(entry)

    (after,) = clinic.slots(TEN)
    assert (after["status"], "identifier" in after) == ("busy-unavailable", False)


async def test_an_old_entrys_name_on_a_slot_gives_no_right_to_it(clinic: FhirSystem) -> None:
    """People freed the Slot by its status alone, and somebody else has booked it since."""
    calendar, old, new = clinic.calendar(), entry_at(), entry_at()
    await calendar.write(old)
    await clinic.delete(old)
    await calendar.write(new)

    await calendar.remove(old)

    assert await calendar.find(new)
    assert await clinic.holders(TEN) == {new.uid}


async def test_a_resource_without_a_schedule_is_said(clinic: FhirSystem) -> None:
    """Before anything is asked or written."""
    with pytest.raises(InvalidRequestError, match="names no Schedule for 'x-ray'"):
        await clinic.calendar().write(entry_at(replace(TEN, resource="x-ray")))
