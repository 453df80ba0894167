"""Pages of a search while resources come and go, pages that say they are not all, pages that lead nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from actions.errors import UnavailableError
from actions.scheduling.models import Slot
from actions.transport import open_session
from tests.actions.clinic import FixedClock
from tests.actions.scheduling.calendar_contract import ELEVEN, HALF_PAST_TEN, TEN, entry_at, try_to_write
from tests.actions.scheduling.fhir.fhir_clinic import FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import (
    HALF_AN_HOUR,
    FhirServer,
    Json,
    slot_resource,
)
from tests.actions.scheduling.fhir.variants import VARIANTS, Variant, varied

SCHEDULE = "Schedule/practice"


@pytest.fixture
async def clinic(request: pytest.FixtureRequest, servers: tuple[FhirServer, FhirServer]) -> AsyncIterator[FhirSystem]:
    """A clinic on a server whose pages shift, or on the variant that the test names."""
    clock = FixedClock()
    variant = getattr(request, "param", VARIANTS["pages of 3 that shift"])
    async with varied(variant, *servers, clock) as server, open_session() as session:
        clinic = FhirSystem(server, session, {"transport": {"attempts": 1}}, clock, server.base)
        server.settle()
        yield clinic


def put_third(clinic: FhirSystem, resource: Json) -> None:
    """Write a Slot as the third one of the server's own order: where the first page ends."""
    slots = clinic.server.slots(
        SCHEDULE, Slot("practice", TEN.start - timedelta(hours=3), TEN.end + timedelta(hours=9))
    )
    for one in slots[2:]:
        clinic.server.control("DELETE", f"/fhir/Slot/{one['id']}")
    for one in (resource, *slots[2:]):
        clinic.server.put(one)


async def test_a_busy_slot_is_seen_though_one_before_it_is_deleted_between_two_pages(clinic: FhirSystem) -> None:
    """It moves up to a page that was read already; no Appointment says so as well."""
    busy = slot_resource(SCHEDULE, HALF_PAST_TEN.start, 2 * HALF_AN_HOUR, status="busy")
    put_third(clinic, busy)
    calendar = clinic.calendar()

    assert not {HALF_PAST_TEN, ELEVEN} & set(await calendar.free([TEN, HALF_PAST_TEN, ELEVEN]))
    assert await try_to_write(calendar, entry_at(HALF_PAST_TEN)) == "taken"
    assert await try_to_write(clinic.calendar(), entry_at(HALF_PAST_TEN)) == "taken"


async def test_a_long_closure_is_seen_though_one_before_it_is_deleted_between_two_pages(clinic: FhirSystem) -> None:
    """They are all read once, and what was left out then would be so for good."""
    for number, days in enumerate((-30, -20, -2, -10)):
        start, length = TEN.start + timedelta(days=days), timedelta(days=3)
        closure = slot_resource(SCHEDULE, start, length, status="busy-unavailable")
        clinic.server.put({**closure, "end": (start + length).isoformat(), "id": f"closure-{number}"})
    calendar = clinic.calendar()

    assert list(await calendar.free([TEN])) == []
    assert await try_to_write(calendar, entry_at()) == "taken"


@pytest.mark.parametrize(
    "clinic",
    [Variant(page=3, shifts="each"), Variant(page=3, shifts="once", ignores=("_sort",))],
    ids=["a server that sorts", "one that does not"],
    indirect=True,
)
async def test_an_appointment_is_seen_though_one_before_it_is_deleted_between_two_pages(clinic: FhirSystem) -> None:
    """Somebody wrote it down without its Slot."""
    for number in (-2, -1, 0, -3):
        start = TEN.start + number * HALF_AN_HOUR
        times = {"start": start.isoformat(), "end": (start + HALF_AN_HOUR).isoformat()}
        clinic.server.put(by_hand(f"by-hand{number}", **times))
    calendar = clinic.calendar()

    assert list(await calendar.free([TEN])) == []
    assert await try_to_write(calendar, entry_at()) == "taken"


def by_hand(name: str, **more: Any) -> Json:
    actor = {"reference": "Practitioner/doctor-practice"}
    made = {"resourceType": "Appointment", "id": name, "status": "booked"}
    return {**made, "participant": [{"actor": actor, "status": "accepted"}], **more}


async def test_an_appointment_that_ends_before_it_starts_takes_its_start(clinic: FhirSystem) -> None:
    """Somebody wrote half past nine for half past ten; its Slot is free."""
    clinic.server.put(by_hand("odd", start=TEN.start.isoformat(), end=(TEN.start - HALF_AN_HOUR).isoformat()))
    calendar = clinic.calendar()

    assert list(await calendar.free([TEN, HALF_PAST_TEN])) == [HALF_PAST_TEN]
    assert await try_to_write(calendar, entry_at()) == "taken"


@pytest.mark.parametrize(
    ("ignores", "most"), [((), 1.5), (("_sort",), 2)], ids=["a server that sorts", "one that does not"]
)
async def test_pages_are_not_read_more_often_than_they_have_to(
    ignores: tuple[str, ...], most: float, servers: tuple[FhirServer, FhirServer]
) -> None:
    """Whether a server sorts is looked at once, in two requests."""
    async with varied(Variant(page=4, ignores=ignores), *servers, FixedClock()) as server, open_session() as session:
        clinic = FhirSystem(server, session, {"transport": {"attempts": 1}}, server.clock, server.base)
        calendar = clinic.calendar()
        for more in (3, 0):
            server.seen.clear()
            assert list(await calendar.free([TEN, HALF_PAST_TEN])) == [TEN, HALF_PAST_TEN]
            slots = [one for one in server.seen if one.startswith("GET /Slot") and "status" not in one]
            # Eight Slots are two pages.
            assert len(slots) <= 2 * most + more


def outcome(code: str, severity: str = "warning") -> Json:
    issue = {"severity": severity, "code": code, "diagnostics": "not all shards answered"}
    return {"search": {"mode": "outcome"}, "resource": {"resourceType": "OperationOutcome", "issue": [issue]}}


@pytest.mark.parametrize("code", ["incomplete", "timeout", "too-costly", "throttled"])
@pytest.mark.parametrize("clinic", [Variant()], indirect=True)
async def test_a_search_that_was_answered_in_part_is_no_proof(code: str, clinic: FhirSystem) -> None:
    """R4 lets a server say in the bundle that it may not be all there is."""
    entry = entry_at()
    calendar = clinic.calendar()
    assert await try_to_write(calendar, entry) == "written"
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [outcome(code)]}
    for kind, question in (("Slot", calendar.free([ELEVEN])), ("Appointment", clinic.calendar().look(entry))):
        clinic.server.fail("GET", f"^/{kind}", status=200, body=bundle)
        with pytest.raises(UnavailableError, match=f"in part only: {code}"):
            await question
    assert await clinic.calendar().find(entry)


@pytest.mark.parametrize("clinic", [Variant()], indirect=True)
async def test_a_remark_on_a_search_is_no_failure(clinic: FhirSystem) -> None:
    """Some say with each answer what they left out of account, or for privacy."""
    for code, severity in (("not-supported", "warning"), ("suppressed", "warning"), ("incomplete", "information")):
        entries = [outcome(code, severity), *({"resource": slot} for slot in clinic.slots(TEN))]
        clinic.server.fail("GET", "^/Slot", status=200, body={"resourceType": "Bundle", "entry": entries})
        assert list(await clinic.calendar().free([TEN])) == [TEN]
