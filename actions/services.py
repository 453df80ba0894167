"""The composition root: from settings to the services that the actions ask for, opened and closed per worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta, timezone
from typing import Any

import svcs

from actions.booking import BookingDesk
from actions.dates import DateReader
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.hours import ClinicHours
from actions.scheduling.port import SchedulingBackend
from actions.settings import ClinicSettings


@asynccontextmanager
async def lifespan(registry: svcs.Registry, config: Mapping[str, Any]) -> AsyncIterator[None]:
    """Open the clinic's services; raises `ClinicSettingsError` or `UnavailableError` if that cannot be done."""
    settings = ClinicSettings.read(config)
    hours = clinic_hours(settings)
    backend = await EmbeddedBackend.open(settings.database_path, hours)
    try:
        registry.register_value(SchedulingBackend, backend, ping=EmbeddedBackend.ping)
        registry.register_value(BookingDesk, _desk(settings, backend, hours))
        yield
    finally:
        await backend.close()


def clinic_hours(settings: ClinicSettings) -> ClinicHours:
    """Return the hours that the settings describe."""
    closed: Container[date] = settings.holidays.calendar() if settings.holidays else frozenset()
    return ClinicHours(settings.opening_hours, settings.zone, closed, timedelta(minutes=settings.start_every_minutes))


def _desk(settings: ClinicSettings, backend: SchedulingBackend, hours: ClinicHours) -> BookingDesk:
    return BookingDesk(
        backend=backend,
        hours=hours,
        dates=DateReader(settings.zone, settings.languages, settings.date_order),
        kinds=settings.kinds,
        zone=settings.zone,
        horizon_days=settings.horizon_days,
        clock=_now,
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)
