"""What people do with Appointments themselves: they make them anew, copy them, hand them over. On a few variants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from actions.scheduling.models import Slot, Window
from tests.actions.scheduling.calendar_contract import TEN, entry_at, try_to_write
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, Json, fhir_server_or_skip
from tests.actions.scheduling.fhir.test_lag import Lagging, opened
from tests.actions.scheduling.fhir.variants import VARIANTS
from tests.actions.scheduling.scheduling_contract import key_of, try_to_book

NEXT_WEEK = {"start": "2026-12-01T09:00:00Z", "end": "2026-12-01T09:30:00Z"}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[FhirServer, FhirServer]]:
    with fhir_server_or_skip() as server, fhir_server_or_skip() as index:
        yield server, index


@pytest.fixture(params=["plain", "lag 2 s, what changes vanishes", "lag 2 s, nameless", "other offsets and fractions"])
async def lagging(
    request: pytest.FixtureRequest, servers: tuple[FhirServer, FhirServer], database: Path
) -> AsyncIterator[Lagging]:
    async with opened(VARIANTS[request.param], servers, database) as running:
        yield running


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
