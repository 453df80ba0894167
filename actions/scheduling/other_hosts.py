"""Other hosts with ledgers of their own: an entry that one of them wrote for the same call is this patient's booking.

The same call may reach two hosts that have nothing in common but the calendar. One of them gets the time; without
this, the other one would tell the patient that it is taken, or book the next one as well.

A call that names a day may find another time free on each host, so that they do not meet at one. So each writes in two
steps, and looks at the day in between, when the others see what it has begun. Who finds a whole booking of this call,
or one that was begun with a smaller uid, takes back its own and takes over that one; who finds one with a larger uid
waits until it is whole or gone. Whoever did not see a begun booking looked before it was begun, and is seen by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from actions.errors import GaveWayError, UnavailableError
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import BookingKey, Slot, Window
from actions.scheduling.records import Record
from actions.scheduling.references import References
from actions.scheduling.remote import Entry, ListingCalendar, RemoteCalendar, Seen, Written

_logger = logging.getLogger(__name__)

# Seconds. How long it is waited for another host that has a part of the time and has not come to its end: four times.
_PAUSES = (0.1, 0.2, 0.4, 0.8)
_NOT_AT_ITS_END = "another host has begun with this booking and has not come to its end"


class OtherHosts:
    """Finds in the calendar what other hosts wrote for a conversation, and takes it into the ledger."""

    def __init__(
        self, ledger: Ledger, calendar: RemoteCalendar, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._ledger = ledger
        self._every = calendar
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
            begun = [one for one in found if not one.is_whole and _may_be_own(one, references, key.window)]
            if whole or not begun:
                return whole
            if pause is not None:
                await self._sleep(pause)
        if any(_is_own(one, references) for one in begun):
            raise UnavailableError(_NOT_AT_ITS_END)
        return None

    async def write(self, entry: Entry, key: BookingKey | None) -> Seen | None:
        """Write an entry for a key whose window has other times as well, unless the same call has one of them.

        Raises `GaveWayError` then, and `UnavailableError` if another host has begun and does not come to its end;
        nothing of the entry is left. Without a key it is written as it is.
        """
        if self._calendar is None or key is None:
            return await self._every.write(entry)
        return await self._calendar.write(entry, partial(self._give_way, self._calendar, entry, key))

    async def _give_way(self, calendar: ListingCalendar, entry: Entry, key: BookingKey) -> None:
        references = await References.of(key.conversation, key.appointment_type)
        within = Slot(entry.slot.resource, key.window.start, key.window.end)
        others: list[Written] = []
        for pause in (*_PAUSES, None):
            found = [one for one in await calendar.written(within) if one.slot.start in key.window]
            others = [one for one in found if one.uid != entry.uid and _is_own(one, references)]
            if any(one.is_whole or one.uid < entry.uid for one in others):
                raise GaveWayError(entry.slot)
            # A list without this very entry lags behind, and may lack another one.
            if not others and any(one.uid == entry.uid for one in found):
                return
            if pause is not None:
                await self._sleep(pause)
        if others:
            raise UnavailableError(_NOT_AT_ITS_END)
        _logger.warning("booking.list_lags", extra={"resource": entry.slot.resource})

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
    named = one.reference is not None and references.has(one.reference, one.slot.start)
    return named or references.has_uid(one.uid)


def _may_be_own(one: Written, references: References, window: Window) -> bool:
    """Say so also of what cannot be known, at the one time of a window; on a whole day that is other patients'."""
    unknown = one.reference is None and not is_wide(window, window.start)
    return unknown or _is_own(one, references)
