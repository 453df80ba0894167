"""Which times the FHIR calendar takes for free, how it reads pages, what its ping says, and which settings it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from actions.errors import AuthFailedError, BackendError, InvalidRequestError, UnavailableError
from actions.scheduling.fhir import FhirSettings
from actions.scheduling.fhir.resources import instant
from actions.transport import open_session
from tests.actions.clinic import SPECIALIST, at, slot_at
from tests.actions.scheduling.calendar_contract import ELEVEN, HALF_PAST_NINE, HALF_PAST_TEN, TEN, TEN_TO_ELEVEN
from tests.actions.scheduling.fhir.fhir_clinic import FIRST, FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import (
    HALF_AN_HOUR,
    FhirServer,
    Json,
    fhir_server_or_skip,
    slot_resource,
)

MORNING = [HALF_PAST_NINE, TEN, HALF_PAST_TEN, ELEVEN]
LISTENS_NOWHERE = "http://127.0.0.1:9/fhir"


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with fhir_server_or_skip(page=3) as running:
        yield running


@pytest.fixture
async def clinic(server: FhirServer) -> AsyncIterator[FhirSystem]:
    async with open_session() as session:
        yield FhirSystem(server, session, {"transport": {"attempts": 1}})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"status": "busy"}, id="busy"),
        pytest.param({"status": "busy-unavailable"}, id="busy-unavailable"),
        pytest.param({"status": "busy-tentative"}, id="busy-tentative"),
        pytest.param({"status": "entered-in-error"}, id="entered-in-error"),
        pytest.param({"overbooked": True}, id="overbooked"),
    ],
)
async def test_only_a_free_slot_is_free(change: dict[str, object], clinic: FhirSystem) -> None:
    """Neither are the hours of which it is a half."""
    (slot,) = clinic.slots(TEN)
    clinic.server.put({**slot, **change})
    calendar = clinic.calendar()

    assert list(await calendar.free(MORNING)) == [HALF_PAST_NINE, HALF_PAST_TEN, ELEVEN]
    assert list(await calendar.free([TEN_TO_ELEVEN])) == []


async def test_an_hour_is_two_half_hours_without_a_gap(clinic: FhirSystem) -> None:
    """Nor may they end elsewhere."""
    long = replace(TEN, end=TEN.start + timedelta(minutes=45))
    assert list(await clinic.calendar().free([TEN, long, TEN_TO_ELEVEN])) == [TEN, TEN_TO_ELEVEN]

    shorter = slot_resource("Schedule/practice", HALF_PAST_TEN.start)
    clinic.server.put({**shorter, "start": (HALF_PAST_TEN.start + timedelta(minutes=5)).isoformat()})
    assert list(await clinic.calendar().free([TEN, TEN_TO_ELEVEN])) == [TEN]


async def test_a_day_that_is_closed_by_one_long_slot_is_closed(clinic: FhirSystem) -> None:
    """It started long before the times that are asked for, and says more than the Slots below it."""
    whole = slot_resource("Schedule/practice", at("2026-11-24T00:00"), timedelta(hours=23), status="busy-unavailable")
    clinic.server.put(whole)

    assert list(await clinic.calendar().free(MORNING)) == []
    assert list(await clinic.calendar(longest_slot_hours=1).free([TEN])) == []


async def test_each_resource_has_its_own_schedule(clinic: FhirSystem) -> None:
    """What the practice has taken is free at the specialist's."""
    await clinic.occupy(TEN_TO_ELEVEN)
    specialist = slot_at("2026-11-24T10:00", SPECIALIST)

    assert list(await clinic.calendar().free([TEN])) == []
    assert list(await clinic.calendar().free([specialist])) == [specialist]


@pytest.mark.parametrize(
    "start", ["2026-11-24T10:00:00+01:00", "2026-11-24T09:00:00.000Z", "2026-11-24T03:30:00-05:30"]
)
async def test_a_time_is_the_same_in_every_offset(start: str, clinic: FhirSystem) -> None:
    """Servers answer in their own."""
    (slot,) = clinic.slots(TEN)
    clinic.server.put({**slot, "start": start, "end": "2026-11-24T18:30:00.0000000+09:00"})

    assert list(await clinic.calendar().free(MORNING)) == MORNING


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T10:00:00+01:00", TEN.start),
        ("2026-11-24T09:00:00.0000001Z", TEN.start),
        ("2026-11-24T09:00:00.5Z", TEN.start + timedelta(milliseconds=500)),
        ("2026-11-24T09:00:00", None),
        ("2026-11-24", None),
        ("2026-13-24T09:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
        (None, None),
        (1764000000, None),
    ],
)
def test_an_instant_has_seconds_and_an_offset(text: object, expected: object) -> None:
    """Whatever else stands there is no time that could be booked."""
    assert instant(text) == expected


async def test_a_slot_without_a_time_is_left_out(clinic: FhirSystem) -> None:
    """One bad record does not close the clinic."""
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "Slot", "id": "broken"}},
            *({"resource": s} for s in clinic.slots(TEN)),
        ],
    }
    clinic.server.fail("GET", "^/Slot", status=200, body=bundle)

    assert list(await clinic.calendar().free([TEN])) == [TEN]


async def test_all_pages_are_read(clinic: FhirSystem) -> None:
    """Eight Slots, three to a page; the Schedule, closures and Appointments are one request each.

    The first time the server shows that it sorts; then each page begins with the last one of the page before.
    """
    every = [replace(TEN, start=FIRST + n * HALF_AN_HOUR, end=FIRST + (n + 1) * HALF_AN_HOUR) for n in range(8)]

    calendar = clinic.calendar()
    for requests in (3 + 4 + 3, 4 + 2):
        before = len(clinic.server.requests())
        assert list(await calendar.free(every)) == every
        assert len(clinic.server.requests()) - before == requests


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:9/fhir/R4/Slot?page=2",
        "https://elsewhere.example.org/Slot?page=2",
        "//elsewhere.example.org/Slot",
        "/fhir/R4/../../token",
        "/control/fhir/Slot",
        "/fhir/R40/Slot",
    ],
)
async def test_a_page_elsewhere_is_not_fetched(link: str, clinic: FhirSystem) -> None:
    """The credentials would go there too."""
    bundle = {"resourceType": "Bundle", "link": [{"relation": "next", "url": link}]}
    clinic.server.fail("GET", "^/Slot", status=200, body=bundle)

    with pytest.raises(InvalidRequestError, match="leads out of its base URL"):
        await clinic.calendar().free([TEN])
    assert len(clinic.server.requests()) == 1


@pytest.mark.parametrize(
    "link",
    [
        *("Slot?page=2", "?page=2", "/fhir/R4/Slot?page=2", "/fhir/R4?page=2"),
        # With other parameters than were asked for, and a search that goes on as a form.
        *("?_getpages=5f2e&_getpagesoffset=20&_bundletype=searchset&page=2", "Slot/_search?page=2"),
    ],
)
async def test_a_page_may_be_named_relative_to_the_base(link: str, clinic: FhirSystem) -> None:
    """As the standard has it."""
    first = {"resourceType": "Bundle", "link": [{"relation": "next", "url": link}]}
    second = {"resourceType": "Bundle", "entry": [{"resource": slot} for slot in clinic.slots(TEN)]}
    pages = [
        {"method": method, "path": path, "status": 200, "body": body}
        for method, path, body in (("GET", "^/S", first), ("POST" if "_search" in link else "GET", "", second))
    ]
    clinic.server.fail_all(pages)

    assert list(await clinic.calendar().free([TEN])) == [TEN]
    assert clinic.server.requests()[1].endswith("page=2")


async def test_pages_without_an_end_end(clinic: FhirSystem) -> None:
    """A server whose pages name ever more is not asked for ever."""
    pages = [
        {"resourceType": "Bundle", "link": [{"relation": "next", "url": f"Slot?page={number}"}]}
        for number in range(250)
    ]
    clinic.server.fail_all([{"method": "GET", "path": "^/Slot", "status": 200, "body": page} for page in pages])

    with pytest.raises(InvalidRequestError, match="more than 200 pages"):
        await clinic.calendar().free([TEN])


async def test_a_page_without_entries_may_have_a_next_one(clinic: FhirSystem) -> None:
    """What it had the client may not see, say."""
    link = [{"relation": "next", "url": "Slot?schedule=Schedule/practice"}]
    clinic.server.fail("GET", "^/Slot", status=200, body={"resourceType": "Bundle", "total": 0, "link": link})

    assert list(await clinic.calendar().free([TEN])) == [TEN]


async def test_pages_that_lead_in_a_circle_are_left(clinic: FhirSystem) -> None:
    """What is beyond them nobody knows."""
    pages = [
        {"resourceType": "Bundle", "link": [{"relation": "next", "url": f"Slot?page={number % 2}"}]}
        for number in range(9)
    ]
    clinic.server.fail_all([{"method": "GET", "path": "^/Slot", "status": 200, "body": page} for page in pages])

    with pytest.raises(InvalidRequestError, match="some that lead back"):
        await clinic.calendar().free([TEN])
    assert sum(one.startswith("GET /Slot") for one in clinic.server.requests()) <= 4


def statement(**more: object) -> Json:
    return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", **more}


def offering(kind: str, **more: object) -> Json:
    codes = [{"code": code} for code in ("search-type", "create", "update")]
    kinds: dict[str, Json] = {name: {"type": name, "interaction": codes} for name in ("Slot", "Appointment")}
    kinds[kind] |= more
    return statement(rest=[{"mode": "server", "resource": list(kinds.values())}])


PROBLEMS: list[tuple[str, str, dict[str, Any], type[BackendError], str]] = [
    ("not FHIR", "^/metadata", {"status": 404}, InvalidRequestError, "answered 404 to GET metadata"),
    ("another thing", "^/metadata", {"status": 200, "body": {}}, InvalidRequestError, "not a FHIR CapabilityStatement"),
    ("moved", "^/metadata", {"status": 302, "headers": {"location": "/"}}, InvalidRequestError, "answered 302"),
    (
        "R5",
        "^/metadata",
        {"status": 200, "body": statement(fhirVersion="5.0.0")},
        InvalidRequestError,
        "speaks FHIR 5.0.0, not R4",
    ),
    (
        "no Slots",
        "^/metadata",
        {"status": 200, "body": statement(rest=[{"resource": [{"type": "Appointment"}]}])},
        InvalidRequestError,
        "offers no Slot",
    ),
    (
        "read only",
        "^/metadata",
        {"status": 200, "body": offering("Appointment", interaction=[{"code": "read"}, {"code": "search-type"}])},
        InvalidRequestError,
        "does not offer create, update for Appointment",
    ),
    (
        "no versions",
        "^/metadata",
        {"status": 200, "body": offering("Slot", versioning="no-version")},
        InvalidRequestError,
        "keeps no versions of Slot",
    ),
    (
        "no conditional create",
        "^/metadata",
        {"status": 200, "body": offering("Appointment", conditionalCreate=False)},
        InvalidRequestError,
        "no conditional create for Appointment",
    ),
    (
        "no Schedule",
        "^/Schedule/practice",
        {"status": 410},
        InvalidRequestError,
        "has no Schedule/practice, the one of 'practice'",
    ),
    (
        "a Schedule not in use",
        "^/Schedule/practice",
        {"status": 200, "body": {"resourceType": "Schedule", "active": False}},
        InvalidRequestError,
        "is not in use",
    ),
    (
        "Slots without version",
        "^/Slot",
        {"status": 200, "body": {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Slot"}}]}},
        InvalidRequestError,
        "gives Slots no version",
    ),
    ("Slots are not ours to read", "^/Slot", {"status": 403}, AuthFailedError, "403"),
    ("Appointments are not ours to read", "^/Appointment", {"status": 403}, AuthFailedError, "403"),
    ("down", "^/metadata", {"status": 503}, UnavailableError, "it answered 503"),
]


@pytest.mark.parametrize(
    ("path", "fault", "error", "words"), [pytest.param(*problem[1:], id=problem[0]) for problem in PROBLEMS]
)
async def test_a_ping_says_what_is_wrong(
    path: str, fault: dict[str, Any], error: type[BackendError], words: str, clinic: FhirSystem
) -> None:
    """Before the first patient finds out."""
    await clinic.calendar().ping()
    assert {one.split()[0] for one in clinic.server.requests()} == {"GET"}

    clinic.server.fail("GET", path, **fault)
    with pytest.raises(error, match=words):
        await clinic.calendar().ping()


async def test_what_a_server_can_do_is_asked_once(clinic: FhirSystem) -> None:
    """Its statement is long, and a readiness probe comes every few seconds; the rest is asked each time."""
    calendar = clinic.calendar()
    for _ in range(3):
        await calendar.ping()

    assert clinic.server.requests().count("GET /metadata") == 1
    assert clinic.server.requests().count("GET /Schedule/practice") == 3


async def test_a_server_that_does_not_say_what_it_offers_may_be_used(clinic: FhirSystem) -> None:
    """A CapabilityStatement may be short."""
    for body in (statement(), statement(rest=[]), statement(rest=[{"resource": []}]), offering("Slot", interaction=[])):
        clinic.server.fail("GET", "^/metadata", status=200, body=body)
        await clinic.calendar().ping()


async def test_a_server_that_is_not_there_is_said(clinic: FhirSystem) -> None:
    """Its address is wrong, or it is down."""
    with pytest.raises(UnavailableError):
        await clinic.calendar(url=LISTENS_NOWHERE).ping()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"url": "fhir.example.org/R4"}, "starts with https://", id="no scheme"),
        pytest.param({"url": "https://fhir.example.org/R4?tenant=1"}, "have no query", id="a query"),
        pytest.param(
            {"url": "https://me:s3cret@fhir.example.org"}, "a user name or a password", id="a password in the address"
        ),
        pytest.param({"schedules": {}}, "at least 1 item", id="no Schedule"),
        pytest.param({"schedules": {"practice": "Slot/1"}}, "match pattern", id="not a Schedule"),
        pytest.param({"schedules": {"a": "Schedule/1", "b": "Schedule/1"}}, "must not share", id="a shared Schedule"),
        pytest.param({"identifier_system": "no uri"}, "match pattern", id="a system that is no URI"),
        pytest.param({"identifier_system": "urn:a|b"}, "match pattern", id="a system with a separator"),
        pytest.param({"auth": {"type": "bearer"}}, "exactly one of token, token_file", id="no token"),
        pytest.param(
            {"auth": {"type": "bearer", "token": "s3cret", "token_file": "/run/token"}}, "exactly one", id="two tokens"
        ),
        pytest.param(
            {"auth": {"type": "smart", "client_id": "a", "key_id": "k"}}, "exactly one of private", id="no key"
        ),
        pytest.param({"auth": {"type": "magic"}}, "expected tags", id="another auth"),
    ],
)
def test_bad_settings_are_said(change: dict[str, object], words: str) -> None:
    """In words, without the values, which may be secrets."""
    good = {"type": "fhir", "url": "https://fhir.example.org/R4", "schedules": {"practice": "Schedule/1"}}
    assert FhirSettings.model_validate(good).url == "https://fhir.example.org/R4"

    with pytest.raises(ValidationError, match=words) as caught:
        FhirSettings.model_validate({**good, **change})
    assert "s3cret" not in str(caught.value)
