"""From settings to a calendar that can be used. Nothing is read or sent before the first request."""

from __future__ import annotations

from datetime import tzinfo

import aiohttp

from actions.scheduling.caldav.calendar import CalDavCalendar
from actions.scheduling.caldav.settings import CalDavSettings
from actions.transport import Credentials, NoCredentials, Transport
from actions.transport.credentials import Secret, basic, bearer

_SYSTEM = "the CalDAV server"


def open_calendar(settings: CalDavSettings, session: aiohttp.ClientSession, zone: tzinfo) -> CalDavCalendar:
    """Return the calendar of the settings; `zone` is where the clinic's whole days begin."""
    transport = Transport(
        session, _SYSTEM, settings.origin, credentials=credentials(settings), settings=settings.transport
    )
    return CalDavCalendar(settings, transport, zone)


def credentials(settings: CalDavSettings) -> Credentials:
    """Return what the settings prove their user with; files are read with the first request, and again after a 401."""
    if settings.username is not None:
        password = Secret("the password of the CalDAV server", settings.password, settings.password_file)
        return basic(settings.username, password)
    if settings.token is not None or settings.token_file is not None:
        return bearer(Secret("the token of the CalDAV server", settings.token, settings.token_file))
    return NoCredentials()
