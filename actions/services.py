"""The composition root: from settings to the services that the actions ask for, opened and closed per worker."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, timedelta
from typing import Any

import aiohttp
import svcs

from action_server import Database, Job, keep_jobs, services
from actions.booking import BookingDesk
from actions.coming_days import ComingDays
from actions.crm.delivery import Postman, tell_crm
from actions.crm.earlier import adopting
from actions.crm.embedded import EmbeddedCrm, EmbeddedCrmSettings, NoCrmSettings
from actions.crm.hubspot import HubSpotCrm, HubSpotSettings
from actions.crm.outbox import Outbox
from actions.crm.port import CrmBackend
from actions.crm.salesforce import SalesforceCrm
from actions.database import open_database, translate_errors
from actions.dates import DateReader
from actions.dates.languages import has_phrasebook
from actions.errors import BackendError
from actions.scheduling import caldav, fhir
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.hours import ClinicHours
from actions.scheduling.ledger import Ledger
from actions.scheduling.port import SchedulingBackend
from actions.scheduling.remote import RemoteCalendar
from actions.scheduling.sweeper import sweeping
from actions.scheduling.synced import SyncedBackend
from actions.settings import ClinicSettings, EmbeddedSchedulingSettings
from actions.summary import SummaryPace
from actions.transport import Transport, open_session
from actions.wallclock import utc_now
from actions.zone_data import ZoneData, use_newest_zone_data

_logger = logging.getLogger(__name__)

_FHIR = "the FHIR server"
# Below the time that a readiness probe gives all services together: a CRM that is slow must not make a worker unready.
_CRM_PATIENCE = 1.5


@asynccontextmanager
async def lifespan(registry: svcs.Registry, config: Mapping[str, Any]) -> AsyncIterator[None]:
    """Open the clinic's services; raises `ClinicSettingsError` or `UnavailableError` if that cannot be done.

    A system elsewhere that does not answer is no reason not to start: that is what pings are for.
    """
    zone_data = use_newest_zone_data()
    if zone_data.system_is_older:
        _logger.info("clinic.zone_data", extra={"used": zone_data.package, "system": zone_data.system})
    settings = ClinicSettings.read(config)
    hours = clinic_hours(settings)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        password = settings.database_password if settings.database_password_file else None
        database = await open_database(settings.database_location, password)
        stack.push_async_callback(database.close)
        outbox = await _open_outbox(registry, settings, database, session)
        ledger = Ledger(database, on_change=outbox.on_change if outbox else None)
        backend = _open_backend(stack, settings, ledger, hours, session)
        jobs = _jobs(database, outbox, backend)
        if jobs:
            with translate_errors():
                await keep_jobs(registry, database, jobs)
        registry.register_value(SchedulingBackend, backend, ping=_ping)
        registry.register_value(BookingDesk, _desk(settings, backend, hours))
        registry.register_value(SummaryPace, SummaryPace(settings.summary_seconds))
        registry.register_value(ComingDays, _coming_days(settings, hours, zone_data), ping=_ping_nothing)
        yield


def clinic_hours(settings: ClinicSettings) -> ClinicHours:
    """Return the hours that the settings describe."""
    closed: Mapping[date, str] = settings.holidays.calendar() if settings.holidays else {}
    return ClinicHours(settings.opening_hours, settings.zone, closed, timedelta(minutes=settings.start_every_minutes))


def _open_backend(
    stack: AsyncExitStack, settings: ClinicSettings, ledger: Ledger, hours: ClinicHours, session: aiohttp.ClientSession
) -> SchedulingBackend:
    calendar = _calendar(settings, session)
    kinds = tuple(settings.kinds.values())
    if calendar is None:
        embedded = EmbeddedBackend(ledger, hours, kinds)
        stack.push_async_callback(embedded.close)
        return embedded
    synced = SyncedBackend(ledger, calendar, hours, system=_system(settings), kinds=kinds)
    stack.push_async_callback(synced.close)
    return synced


def _calendar(settings: ClinicSettings, session: aiohttp.ClientSession) -> RemoteCalendar | None:
    match settings.scheduling:
        case caldav.CalDavSettings() as found:
            return caldav.open_calendar(found, session, settings.zone)
        case fhir.FhirSettings() as found:
            credentials = fhir.fhir_credentials(session, _FHIR, found)
            transport = Transport(session, _FHIR, found.url, credentials=credentials, settings=found.transport)
            return fhir.FhirCalendar(found, transport)
        case EmbeddedSchedulingSettings():
            return None


def _system(settings: ClinicSettings) -> str:
    """Return what the ledger calls the calendar: the same for the same address, whatever else is set."""
    scheduling = settings.scheduling
    url = "" if isinstance(scheduling, EmbeddedSchedulingSettings) else scheduling.url
    return f"{scheduling.type}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


async def _open_outbox(
    registry: svcs.Registry, settings: ClinicSettings, database: Database, session: aiohttp.ClientSession
) -> Outbox | None:
    """Return the outbox of the CRM, and register the CRM so that it can be asked whether it works, and is told."""
    chosen = settings.crm
    if isinstance(chosen, NoCrmSettings):
        return None
    crm: CrmBackend
    match chosen:
        case EmbeddedCrmSettings():
            crm = EmbeddedCrm(database)
        case HubSpotSettings():
            crm = HubSpotCrm(chosen, session)
        case _:
            crm = SalesforceCrm(chosen, session)
    registry.register_value(CrmBackend, crm, ping=_ping_crm)
    registry.register_value(Postman, Postman(database, crm, chosen.outbox))
    return await Outbox.open(database, chosen.outbox)


def _jobs(database: Database, outbox: Outbox | None, backend: SchedulingBackend) -> Sequence[Job[..., Any]]:
    """Return the jobs that are kept with the bookings: each is written with them, or of use where they are alone."""
    found: list[Job[..., Any]] = []
    if outbox is not None:
        found.append(tell_crm)
        if outbox.has_earlier:
            found.append(adopting(database))
    if isinstance(backend, SyncedBackend):
        found.append(sweeping(backend))
    return found


def _coming_days(settings: ClinicSettings, hours: ClinicHours, zone_data: ZoneData) -> ComingDays:
    """Return what `action-server services` shows of the opening hours, and say at once what may be missing."""
    found = ComingDays(hours, settings.holidays, settings.zone, utc_now, str(zone_data))
    for sentence in found.left_out():
        _logger.info("clinic.holidays_incomplete", extra={"problem": sentence})
    return found


async def _ping_nothing(_: ComingDays) -> None:
    """Have the service listed; it needs nothing that could fail."""


async def _ping(backend: SchedulingBackend) -> None:
    await backend.ping()


async def _ping_crm(crm: CrmBackend) -> None:
    # Bookings do not need it: what it is to be told waits in the outbox.
    try:
        await asyncio.wait_for(crm.ping(), _CRM_PATIENCE)
    except (BackendError, asyncio.TimeoutError) as exc:
        text = str(exc) or f"does not answer within {_CRM_PATIENCE:g} s"
        raise services.DegradedError(text) from exc


def _desk(settings: ClinicSettings, backend: SchedulingBackend, hours: ClinicHours) -> BookingDesk:
    for language in settings.languages:
        if not has_phrasebook(language):
            _logger.warning("clinic.language_without_times_of_day", extra={"language": language})
    return BookingDesk(
        backend=backend,
        hours=hours,
        dates=DateReader(settings.zone, settings.languages, settings.date_order),
        kinds=settings.kinds,
        zone=settings.zone,
        horizon_days=settings.horizon_days,
        clock=utc_now,
        locale=settings.locale,
    )
