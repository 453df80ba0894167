"""Other hosts with ledgers of their own: an entry that one of them wrote for the same call is this patient's booking.

The same call may reach two hosts that have nothing in common but the calendar. One of them gets the time; without
this, the other one would tell the patient that it is taken, or book the next one as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from actions.errors import UnavailableError
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import BookingKey, Slot, Window
from actions.scheduling.records import Record
from actions.scheduling.references import References
from actions.scheduling.remote import ListingCalendar, RemoteCalendar, Written

_logger = logging.getLogger(__name__)

# Seconds. How long it is waited for another host that has a part of the time and has not come to its end: four times.
_PAUSES = (0.1, 0.2, 0.4, 0.8)


class OtherHosts:
    """Finds in the calendar what other hosts wrote for a conversation, and takes it into the ledger."""

    def __init__(
        self, ledger: Ledger, calendar: RemoteCalendar, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._ledger = ledger
        self._calendar = calendar if isinstance(calendar, ListingCalendar) else None
        self._sleep = sleep

    async def references(self, key: BookingKey) -> References | None:
        """Return the references that the key's booking gets on every host; None where it does not matter."""
        return await References.of(key.conversation, key.appointment_type) if self._calendar else None

    async def find(self, key: BookingKey, resource: str, at: Slot | None = None) -> Written | None:
        """Return the entry within the key's window, or `at` a time, that another host wrote for the conversation.

        One that is just being written is waited for, for as long as a write usually takes; after that it raises
        `UnavailableError`: the time is not somebody else's, and the patient does not have it yet.
        """
        if self._calendar is None:
            return None
        references = await References.of(key.conversation, key.appointment_type)
        within = at or Slot(resource, key.window.start, key.window.end)
        for pause in (*_PAUSES, None):
            found = [one for one in await self._calendar.written(within) if one.slot.start in key.window]
            whole = next((one for one in found if one.is_whole and _is_own(one, references)), None)
            begun = [one for one in found if not one.is_whole and _may_be_own(one, references)]
            if whole or not begun:
                return whole
            if pause is not None:
                await self._sleep(pause)
        if any(one.reference is not None for one in begun):
            raise UnavailableError("another host has begun with this booking and has not come to its end")
        return None

    async def take_over(self, record: Record, written: Written) -> Record | None:
        """Let a new record stand for what another host wrote; None if it cannot, and is as it was."""
        adopted = await self._ledger.adopt(record, written)
        if adopted is not None:
            _logger.info("booking.found_of_another_host", extra={"reference": written.reference})
        return adopted


def is_wide(window: Window, start: datetime) -> bool:
    """Say whether another time than this one may be in the window."""
    return window != Window.at(start)


def _is_own(one: Written, references: References) -> bool:
    return one.reference is not None and references.has(one.reference, one.slot.start)


def _may_be_own(one: Written, references: References) -> bool:
    return one.reference is None or _is_own(one, references)
