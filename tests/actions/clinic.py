"""A clinic for the tests: it is always Sunday, 22 November 2026, 17:20 in Berlin, unless somebody moves the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

from action_server import Database
from actions.booking import BookingDesk, Clock
from actions.database import WHERE, translate_errors
from actions.dates import DateReader
from actions.indexes import build_missing
from actions.migrations import upgrade
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.hours import ClinicHours
from actions.scheduling.ledger import Ledger, OnChange
from actions.scheduling.models import AppointmentType, Slot, Window
from actions.scheduling.port import SchedulingBackend
from actions.scheduling.remote import RemoteCalendar
from actions.scheduling.synced import SETTLE_AFTER, SyncedBackend
from tests.processes import PATIENCE

BERLIN = ZoneInfo("Europe/Berlin")
HALF_HOUR = timedelta(minutes=30)
GENERAL = AppointmentType("general", HALF_HOUR, "practice")
SPECIALIST = AppointmentType("specialist", timedelta(minutes=60), "specialist")
URGENT = AppointmentType("urgent", HALF_HOUR, "practice")
KINDS: Mapping[str, AppointmentType] = {kind.name: kind for kind in (GENERAL, SPECIALIST, URGENT)}


def at(wall: str, fold: int = 0) -> datetime:
    """Return the instant at which Berlin's clocks show `wall`, in ISO 8601."""
    return datetime.fromisoformat(wall).replace(tzinfo=BERLIN, fold=fold).astimezone(timezone.utc)


def slot_at(wall: str, kind: AppointmentType = GENERAL) -> Slot:
    """Return the slot that starts then."""
    return Slot(kind.resource, at(wall), at(wall) + kind.duration)


def days(first: str, end: str) -> Window:
    """Return the window from midnight of one day to midnight of another."""
    return Window(at(first), at(end))


NOW = at("2026-11-22T17:20")


@dataclass
class FixedClock:
    """A clock that stands still until a test moves it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def opening_hours(
    text: str = "Mo-Fr 08:00-12:00,13:00-17:00",
    holidays: frozenset[date] = frozenset({date(2026, 12, 25)}),
    every: timedelta = HALF_HOUR,
) -> ClinicHours:
    """Return hours in Berlin."""
    return ClinicHours(text, BERLIN, dict.fromkeys(holidays, "a holiday"), every)


def booking_desk(
    backend: SchedulingBackend,
    clock: FixedClock,
    kinds: Mapping[str, AppointmentType] = KINDS,
    locale: str = "en_GB",
) -> BookingDesk:
    """Return a desk of the clinic."""
    return BookingDesk(
        backend=backend,
        hours=opening_hours(),
        dates=DateReader(BERLIN),
        kinds=kinds,
        zone=BERLIN,
        horizon_days=60,
        clock=clock,
        locale=locale,
    )


async def _open_patiently(url: str | Path) -> Database:
    """Open a database as `open_database` does, in which fifty may wait for their turn on a busy machine."""
    with translate_errors():
        database = await Database.open(url, upgrade, where=WHERE, patience=PATIENCE)
    await build_missing(database, url, None)
    return database


async def open_backend(database: str | Path, *, clock: Clock | None = None) -> EmbeddedBackend:
    """Open the clinic's appointment book; it lives at the tests' time."""
    opened = await _open_patiently(database)
    return EmbeddedBackend(Ledger(opened, clock=clock or FixedClock()), opening_hours())


async def open_synced(
    database: str | Path,
    calendar: RemoteCalendar,
    *,
    clock: Clock | None = None,
    on_change: OnChange | None = None,
    system: str = "calendar",
    settle_after: timedelta = SETTLE_AFTER,
) -> SyncedBackend:
    """Open the clinic's appointment book that is kept in a calendar as well."""
    opened = await _open_patiently(database)
    ledger = Ledger(opened, on_change=on_change, clock=clock or FixedClock())
    return SyncedBackend(ledger, calendar, opening_hours(), system=system, settle_after=settle_after)
