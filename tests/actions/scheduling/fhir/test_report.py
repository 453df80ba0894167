"""What `services` says of a FHIR server: the week as it is understood, and what no patient should find out first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from actions.scheduling.models import Slot
from actions.transport import open_session
from tests.actions.clinic import GENERAL, SPECIALIST, FixedClock, days, slot_at
from tests.actions.scheduling.calendar_contract import ELEVEN, HALF_PAST_NINE, HALF_PAST_TEN, TEN, entry_at
from tests.actions.scheduling.fhir.fhir_clinic import FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, slot_resource
from tests.actions.scheduling.fhir.variants import Variant, varied

WEEK = days("2026-11-23", "2026-11-30")
AT_ONCE = "a search knows at once what was written"
SCHEDULE = "Schedule/practice"


@pytest.fixture
async def clinic(servers: tuple[FhirServer, FhirServer]) -> AsyncIterator[FhirSystem]:
    async with open_session() as session:
        yield FhirSystem(servers[0], session)


async def remarks(clinic: FhirSystem, **more: object) -> list[str]:
    return list(await clinic.calendar(**more).remarks([GENERAL], WEEK))


async def test_each_time_is_explained(clinic: FhirSystem) -> None:
    """Free, taken, closed, for something else, or without a Slot."""
    calendar = clinic.calendar(appointment_types={"general": {"system": "urn:codes", "code": "GP"}})
    await calendar.write(entry_at(TEN))
    closure = slot_resource(SCHEDULE, ELEVEN.start, timedelta(days=3), status="busy-unavailable")
    clinic.server.put(closure)
    (slot,) = clinic.slots(HALF_PAST_TEN)
    x_ray = {"coding": [{"system": "urn:codes", "code": "XRAY"}]}
    clinic.server.put({**slot, "serviceType": [x_ray]})

    evening = slot_at("2026-11-23T20:00")
    times: list[Slot] = [evening, HALF_PAST_NINE, TEN, HALF_PAST_TEN, ELEVEN]
    assert list(await calendar.explain("general", times)) == [
        "without a Slot that fits",
        "free",
        "taken",
        "left out (its serviceType or appointmentType is another one)",
        "closed",
    ]
    assert "general: 1 Slots are left out: its serviceType or appointmentType is another one" in list(
        await calendar.remarks([GENERAL], WEEK)
    )


async def test_slots_that_never_fit_are_named(clinic: FhirSystem) -> None:
    """Twenty minutes for a visit of thirty: nobody would ever be offered anything."""
    for slot in clinic.server.all("Slot"):
        clinic.server.control("DELETE", f"/fhir/Slot/{slot['id']}")
    clinic.server.put(slot_resource(SCHEDULE, TEN.start, timedelta(minutes=20)))
    clinic.server.put(slot_resource(SCHEDULE, TEN.start, timedelta(hours=4)))

    said, searches = await remarks(clinic)
    assert said == (
        "no Slot of the coming week fits general (30 min): the nearest are "
        "2026-11-24 09:00:00 to 09:20:00 UTC, 2026-11-24 09:00:00 to 13:00:00 UTC"
    )
    assert searches == AT_ONCE


async def test_one_appointment_is_written_and_used_again(clinic: FhirSystem) -> None:
    """It is a mistake to everybody who sees it, and takes nobody's time."""
    assert await remarks(clinic) == await remarks(clinic) == [AT_ONCE]

    (probe,) = clinic.server.all("Appointment")
    assert probe["status"] == "entered-in-error"
    assert list(await clinic.calendar().free([TEN])) == [TEN]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_refuses_what_is_written_is_named(status: int, clinic: FhirSystem) -> None:
    """Not by the first patient."""
    clinic.server.fail("POST", "^/Appointment", status=status)

    (said,) = await remarks(clinic)
    assert said.endswith(f"as this program writes them: the clinic's system answered {status} to POST Appointment")


@pytest.mark.parametrize(
    ("lag", "words"),
    [
        (0.3, "a search knew after 0.5 s what was written; until then"),
        (4, "set search_lag_seconds to more than that"),
        (60, "a search does not know after 5 s what was written"),
    ],
)
async def test_how_far_a_search_lags_behind_is_said(
    lag: float, words: str, servers: tuple[FhirServer, FhirServer]
) -> None:
    """And what that means."""
    clock = FixedClock()
    async with varied(Variant(lag=lag), *servers, clock) as server, open_session() as session:
        clinic = FhirSystem(server, session, {}, clock, server.base)
        server.settle()

        assert words in (await remarks(clinic))[-1]


async def test_a_resource_without_a_schedule_is_left_to_the_ping(clinic: FhirSystem) -> None:
    """It is not asked about."""
    calendar = clinic.calendar(schedules={"practice": SCHEDULE})

    assert list(await calendar.remarks([GENERAL, SPECIALIST], WEEK)) == [AT_ONCE]
