"""The steps of a booking whose entry is in a calendar elsewhere, each with what follows if it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from actions.errors import BackendError, GaveWayError, OutcomeUnknownError, SlotTakenError, UnavailableError
from actions.scheduling.entries import Entries
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import Booking, BookingKey, Window
from actions.scheduling.other_hosts import OtherHosts
from actions.scheduling.records import Record, State
from actions.scheduling.remote import RemoteCalendar, Seen, Written

_logger = logging.getLogger(__name__)

T = TypeVar("T")


class Steps:
    """Brings records of the ledger and entries of the calendar to the same end.

    `limit` is for each request, in seconds. `SyncedBackend` says when which of them may be done.
    """

    def __init__(self, ledger: Ledger, calendar: RemoteCalendar, entries: Entries, limit: float) -> None:
        self._ledger = ledger
        self._calendar = calendar
        self._entries = entries
        self._limit = limit
        self.other_hosts = OtherHosts(ledger, calendar)

    async def complete(self, record: Record, key: BookingKey | None = None) -> Record:
        """Write the entry of a new record, or release the record.

        The key is that of a call that other times meet as well: on another host it may have one of them.
        """
        try:
            seen = await self._write(record, key)
        except OutcomeUnknownError:
            return await self.resume(record)
        except BackendError as exc:
            own = None
            try:
                wide = key if isinstance(exc, GaveWayError) else None
                own = await self._own_of_another_host(record, wide) if isinstance(exc, SlotTakenError) else None
            finally:
                if own is None:
                    await self.certainly(self._ledger.release(record))
            if own is None:
                raise
            return own
        return await self.confirm_or_fail(record, seen)

    async def resume(self, record: Record) -> Record:
        """Take over a pending record whose entry may be in the calendar, or on its way there.

        Raises `SlotTakenError`, and gives the record up, if somebody else has the time; whatever else goes wrong is
        an `OutcomeUnknownError`, and leaves it pending.
        """
        while (taken := await self.certainly(self._ledger.renew(record))) is None:
            record = await self.certainly(self._ledger.reread(record.id))
            if record.state is State.CONFIRMED:
                return record
            if record.state is not State.PENDING:
                raise OutcomeUnknownError("another process gave this booking up")
        try:
            seen = await self.ask(self._entries.look(taken.entry))
            if seen is None:
                seen = await self._write(taken)
        except SlotTakenError:
            own = await self._own_of_another_host(taken)
            if own is None:
                await self.certainly(self._ledger.give_up(taken))
                raise
            return own
        except BackendError as exc:
            raise OutcomeUnknownError(f"the booking may be in the calendar or not: {exc}") from exc
        return await self.confirm_or_fail(taken, seen)

    async def _write(self, record: Record, key: BookingKey | None = None) -> Seen | None:
        if await self.ask(self._entries.is_overlapped(record)):
            raise SlotTakenError(record.slot)
        return await self.change(self.other_hosts.write(record.entry, key))

    async def take_over(self, record: Record, written: Written) -> Record | None:
        """Let a new record stand for an entry that another host wrote for the same call; None if it cannot."""
        adopted = await self.certainly(self.other_hosts.take_over(record, written))
        return await self.confirm_or_fail(adopted, Seen(adopted.slot, written.names)) if adopted else None

    async def _own_of_another_host(self, record: Record, key: BookingKey | None = None) -> Record | None:
        """Return the booking that the record stands for now if the patient has the time through another host.

        With a key: any time of its window.
        """
        if record.replaces is not None:
            return None
        entry, at = record.entry, None if key else record.slot
        key = key or BookingKey(entry.patient.conversation, entry.appointment_type, Window.at(record.slot.start))
        own = await self.ask(self.other_hosts.find(key, record.slot.resource, at))
        return await self.take_over(record, own) if own else None

    async def confirm_or_fail(self, record: Record, seen: Seen | None) -> Record:
        """Confirm a record whose entry was written; raises `OutcomeUnknownError` if it was given up meanwhile."""
        confirmed = await self.certainly(self.confirm(record, seen))
        if confirmed is None:
            raise OutcomeUnknownError("another process gave this booking up while it was written")
        return confirmed

    async def confirm(self, record: Record, seen: Seen | None) -> Record | None:
        """Confirm a record, and remove what it replaces; None if it was given up meanwhile."""
        confirmed = await (self._ledger.confirm(record, seen) if seen else self._ledger.confirm(record))
        # What it replaces has to go now; if it was given up meanwhile, its own entry has to.
        await self.tidy_up(confirmed.replaces if confirmed else record.id)
        return await self._entries.follow(confirmed, seen) if confirmed and seen else confirmed

    async def tidy_up(self, record_id: int | None) -> None:
        """Remove what is to be removed; the sweeper comes to what cannot be removed now."""
        if record_id is None:
            return
        try:
            record = await self._ledger.reread(record_id)
            if record.state is State.CANCELLING:
                await self.change(self._calendar.remove(record.entry))
                await self._ledger.finish(record)
        except BackendError as exc:
            _logger.warning("booking.left_to_the_sweeper", extra={"problem": str(exc)})

    async def remove_or_restore(self, record: Record) -> Booking:
        """Remove the entry of a record that is being cancelled; if that is refused, it is a booking again."""
        try:
            await self.change(self._calendar.remove(record.entry))
        except OutcomeUnknownError:
            return await self.remove(record)
        except BackendError as exc:
            if await self.certainly(self._ledger.restore(record)) is None:
                raise OutcomeUnknownError("the booking is being cancelled") from exc
            raise
        await self.certainly(self._ledger.finish(record))
        return record.booking

    async def remove(self, record: Record) -> Booking:
        """Remove the entry of a record that will be cancelled, whatever happens now."""
        try:
            await self.change(self._calendar.remove(record.entry))
        except BackendError as exc:
            raise OutcomeUnknownError(f"the booking is being cancelled: {exc}") from exc
        await self.certainly(self._ledger.finish(record))
        return record.booking

    async def certainly(self, step: Awaitable[T]) -> T:
        """Await a step of the ledger after something was sent: if it fails, something may be left."""
        try:
            return await step
        except UnavailableError as exc:
            raise OutcomeUnknownError(str(exc)) from exc

    async def ask(self, request: Awaitable[T]) -> T:
        """Await a question to the calendar, for as long as it may take."""
        try:
            return await asyncio.wait_for(request, self._limit)
        except asyncio.TimeoutError as exc:
            raise UnavailableError(f"the calendar did not answer within {self._limit:g} s") from exc

    async def change(self, request: Awaitable[T]) -> T:
        """Await a change in the calendar, for as long as it may take."""
        try:
            return await asyncio.wait_for(request, self._limit)
        except asyncio.TimeoutError as exc:
            raise OutcomeUnknownError(f"the calendar did not answer within {self._limit:g} s") from exc
