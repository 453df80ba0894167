"""The clinic as the server opens it, and what synchronous actions get from it."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import pytest
import svcs
from rasa_sdk.executor import CollectingDispatcher

from action_server.errors import NoCallError
from action_server.jobs.keeping import kept_here
from action_server.runtime import services
from action_server.runtime.health import Readiness
from action_server.telemetry.logs import CallContext, calling
from action_server.testing import make_tracker
from actions import create_booking_in_crm, lifespan
from actions.booking import Booked, BookingDesk, BookingRequest
from actions.errors import ClinicSettingsError, NotBookedError, UnavailableError, UnknownAppointmentTypeError
from actions.scheduling.port import SchedulingBackend
from tests.actions.clinic import at
from tests.actions.seed import ActionCreateAppointment


def clinic(database: Path, **more: object) -> Mapping[str, Any]:
    return {"clinic": {"database": str(database), **more}}


def waiting_changes(database: Path) -> int:
    """How many changes wait for the CRM to hear of them."""
    with closing(sqlite3.connect(database)) as connection:
        told = "SELECT count(*) FROM action_server_jobs WHERE name = 'crm.tell' AND state = 'waiting'"
        count: int = connection.execute(told).fetchone()[0]
        return count


async def book_as_seed(registry: svcs.Registry, **slots: object) -> str:
    """Run the seed's class on a thread, as the server does, and return what it says."""
    dispatcher = CollectingDispatcher()
    tracker = make_tracker(slots)
    with services.activate(registry), calling(CallContext("action_create_appointment", "c")):
        assert await asyncio.to_thread(ActionCreateAppointment().run, dispatcher, tracker, {}) == []
    text: str = dispatcher.messages[0]["text"]
    return text


async def test_the_seeds_class_books_pasted_verbatim(registry: svcs.Registry, desk: BookingDesk) -> None:
    """The reference is that of a real booking, and the repeat says the same."""
    said = await book_as_seed(registry, appointment_type="general", preferred_date="Tuesday at 10")

    match = re.fullmatch(r"Your general appointment has been booked\. Reference: (APT-\w{6})", said)
    assert match
    assert await book_as_seed(registry, appointment_type="general", preferred_date="Tuesday at 10") == said
    outcome = await desk.book(BookingRequest("c", "general", "2026-11-24T10:00"))
    assert isinstance(outcome, Booked)
    assert outcome.booking.reference == match[1]


async def test_the_seeds_class_books_urgent_as_early_as_possible(registry: svcs.Registry, desk: BookingDesk) -> None:
    """Without a date, as in the seed's flow."""
    said = await book_as_seed(registry, appointment_type="urgent")

    slot = await desk.urgent_slot("c")
    assert "urgent appointment has been booked" in said
    assert slot is not None
    assert slot.start == at("2026-11-23T08:00")


async def test_there_is_no_reference_without_a_booking(registry: svcs.Registry) -> None:
    """A wish that cannot be met raises, with the reason and the nearest free times as data."""
    with pytest.raises(NotBookedError, match="nothing was booked: not understood") as caught:
        await book_as_seed(registry, appointment_type="general", preferred_date="never")
    assert caught.value.reason == "not_understood"
    assert caught.value.offers[0] == at("2026-11-23T08:00")

    with pytest.raises(UnknownAppointmentTypeError, match="general, specialist, urgent"):
        await book_as_seed(registry, appointment_type="cosmetic", preferred_date="Tuesday")


def test_outside_of_a_call_nobody_can_be_booked_for() -> None:
    """The conversation is that of the running call."""
    with pytest.raises(NoCallError):
        create_booking_in_crm("general", "Tuesday")


async def test_the_lifespan_opens_a_clinic_that_books_and_answers_pings(database: Path) -> None:
    """What the server does in each worker; the clock is the real one, the bookings lie in the future."""
    async with services.open(lifespan, clinic(database)) as opened:
        outcome = await services.get(BookingDesk).book(BookingRequest("c", "general", "next week"))
        pings = opened.container.get_pings()
        assert {ping.name.rpartition(".")[2] for ping in pings} == {*("SchedulingBackend", "ComingDays", "CrmBackend")}
        assert all(ping.is_async for ping in pings)
        for ping in pings:
            await ping.aping()

    assert isinstance(outcome, Booked)
    assert outcome.booking.slot.start > datetime.now(timezone.utc)


async def test_a_language_whose_times_of_day_are_not_understood_is_named(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start, and not when the first patient asks."""
    async with services.open(lifespan, clinic(database, languages=["de", "sv", "pl"])):
        told = [vars(record) for record in caplog.records]

    assert [one["language"] for one in told if one["msg"] == "clinic.language_without_times_of_day"] == ["sv"]


async def test_a_worker_that_starts_again_finds_its_bookings(database: Path) -> None:
    """The file outlives the worker."""
    references = set()
    for _ in range(2):
        async with services.open(lifespan, clinic(database, holidays=None)):
            outcome = await services.get(BookingDesk).book(BookingRequest("c", "general", "next month"))
            assert isinstance(outcome, Booked)
            references.add(outcome.booking.reference)
    assert len(references) == 1


async def test_the_backend_is_replaceable_behind_its_port(database: Path) -> None:
    """The port is what is registered, not the class behind it."""
    async with services.open(lifespan, clinic(database)) as opened:
        backend = opened.container.get_abstract(SchedulingBackend)
        await backend.ping()


async def test_a_calendar_that_does_not_answer_is_no_reason_not_to_start(database: Path) -> None:
    """Its ping says in words what is wrong, and a booking ends in an error that says that nothing happened."""
    calendars = {"practice": "/practice/", "specialist": "/specialist/"}
    scheduling = {"type": "caldav", "url": "http://127.0.0.1:9/", "calendars": calendars}

    async with services.open(lifespan, clinic(database, scheduling=scheduling)) as opened:
        backend = opened.container.get_abstract(SchedulingBackend)
        with pytest.raises(UnavailableError, match="the CalDAV server"):
            await backend.ping()
        with pytest.raises(UnavailableError):
            await services.get(BookingDesk).book(BookingRequest("c", "general", "next week"))


async def test_a_crm_that_is_down_costs_no_booking_and_no_readiness(database: Path) -> None:
    """It is degraded; what it is to be told waits."""
    crm = {"type": "hubspot", "token": "t", "base_url": "http://127.0.0.1:9"}

    async with services.open(lifespan, clinic(database, crm=crm)) as opened:
        outcome = await services.get(BookingDesk).book(BookingRequest("c", "general", "next week"))
        ready, body = await Readiness(opened, state="ready").check()

    assert isinstance(outcome, Booked)
    assert waiting_changes(database) == 1
    assert (ready, body["reasons"]) == (True, [])
    assert [text.partition(" fails")[0] for text in cast(list[str], body["degraded"])] == [
        "service actions.crm.port.CrmBackend"
    ]


@pytest.mark.parametrize("crm", ["embedded", "none"])
@pytest.mark.parametrize("scheduling", ["embedded", "caldav"])
async def test_jobs_are_kept_where_there_is_something_for_them(crm: str, scheduling: str, database: Path) -> None:
    """What tells the CRM needs one, and what sweeps a calendar elsewhere."""
    calendars = {"practice": "/practice/", "specialist": "/specialist/"}
    remote = {"type": "caldav", "url": "http://127.0.0.1:9/", "calendars": calendars}
    chosen: Mapping[str, object] = remote if scheduling == "caldav" else {"type": "embedded"}

    async with services.open(lifespan, clinic(database, crm={"type": crm}, scheduling=chosen)) as opened:
        kept = {name for one in kept_here(opened) for name in one.jobs}

    telling = {"crm.tell"} if crm == "embedded" else set()
    assert kept == telling | ({"clinic.sweep"} if scheduling == "caldav" else set())


async def test_without_a_crm_nothing_is_kept_for_one(database: Path) -> None:
    """Neither a service nor a row, nor a table for one."""
    async with services.open(lifespan, clinic(database, crm={"type": "none"})) as opened:
        await services.get(BookingDesk).book(BookingRequest("c", "general", "next week"))

        assert [ping.name for ping in opened.container.get_pings()] == [
            "actions.scheduling.port.SchedulingBackend",
            "actions.coming_days.ComingDays",
        ]
    with pytest.raises(sqlite3.OperationalError, match="no such table: action_server_jobs"):
        waiting_changes(database)


async def test_bad_settings_stop_the_start_with_one_sentence(database: Path) -> None:
    """Before any file is touched."""
    with pytest.raises(ClinicSettingsError, match=r"services\.clinic\.time_zone: is not the name of a time zone"):
        async with services.open(lifespan, clinic(database, time_zone="Atlantis/Lost")):
            pass
    assert list(database.parent.iterdir()) == []


async def test_a_database_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    """A folder stands where the file should be."""
    with pytest.raises(UnavailableError):
        async with services.open(lifespan, clinic(tmp_path)):
            pass
