"""Appointments in CalDAV calendars: Radicale, Xandikos, Nextcloud, Baikal and others that keep to RFC 4791."""

from __future__ import annotations

from actions.scheduling.caldav.calendar import CalDavCalendar
from actions.scheduling.caldav.connection import open_calendar
from actions.scheduling.caldav.settings import CalDavSettings

__all__ = ["CalDavCalendar", "CalDavSettings", "open_calendar"]
