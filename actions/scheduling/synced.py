"""A backend that keeps appointments in the ledger and in a calendar elsewhere, and the two in step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from actions.errors import BackendError, InvalidRequestError, OutcomeUnknownError, SlotTakenError
from actions.scheduling.entries import Entries
from actions.scheduling.hours import ClinicHours
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import AppointmentType, Booking, BookingKey, PastChange, Patient, Slot, Window
from actions.scheduling.other_hosts import is_wide
from actions.scheduling.records import Record, State, past_change
from actions.scheduling.remote import RemoteCalendar, Written
from actions.scheduling.steps import Steps
from actions.scheduling.week import coming_week, week_lines

_logger = logging.getLogger(__name__)

T = TypeVar("T")

SETTLE_AFTER = timedelta(seconds=30)
# So many times that are free in the calendar, and taken here, are looked at for one answer.
_MOST_DOUBTFUL = 5
# How often it is asked whether the clinic has agreed to what a patient asked for.
_ASK_AGAIN = timedelta(minutes=5)
# How long closing waits for what is running, in seconds. What is cut off then, the sweeper settles.
GRACE = 5.0


class SyncedBackend:
    """A `SchedulingBackend` on a ledger and a `RemoteCalendar`.

    A time is claimed in the ledger first, then written to the calendar on the condition that nobody has it there, then
    confirmed. Every step may be the last one of its process: a repeat of the call settles at once what is left, anybody
    else (the sweeper) does so after `settle_after`.

    **A claim is given back only when nothing of its entry can be in the calendar any more.** At once, if this call
    alone has worked on the record and its only write was refused. After a write whose outcome is unknown, the
    claim stays: the write may still be on its way. It is confirmed if the entry is found, and else written again under
    its uid, which ends with certainty whenever the first one arrives. If that cannot be had, the record is left pending
    or `cancelling`, and is not touched before nobody has worked on it for `settle_after`. Since each request is given
    up after a third of that, and a record is taken over before it is written for the second time, whatever was on its
    way has arrived by then. Only then is the entry removed, and the claim given back after that.

    A booking of the ledger that was made without the calendar (`system` says which one has it) stays in the ledger
    alone.
    """

    def __init__(
        self,
        ledger: Ledger,
        calendar: RemoteCalendar,
        hours: ClinicHours,
        *,
        system: str,
        settle_after: timedelta = SETTLE_AFTER,
        kinds: Sequence[AppointmentType] = (),
    ) -> None:
        """`system` names the calendar in the ledger, for good: another name means another calendar (40 characters).

        `kinds` are the appointment types that `describe` tells of.
        """
        self._ledger = ledger
        self._calendar = calendar
        self._entries = Entries(ledger, calendar)
        self._attentive = self._entries.attentive
        self._hours = hours
        self._system = system
        self._kinds = kinds
        self.settle_after = settle_after
        self._steps = Steps(ledger, calendar, self._entries, settle_after.total_seconds() / 3)
        self._other_hosts = self._steps.other_hosts
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._running: set[asyncio.Task[Any]] = set()

    async def close(self, *, grace: float = GRACE) -> None:
        """Let what is running end for `grace` seconds, cut off what is left, and close the ledger."""
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=grace)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        await self._ledger.close()

    async def find_slots(self, kind: AppointmentType, window: Window) -> Sequence[Slot]:
        """Return the slots that start in the window and are free here and in the calendar, earliest first."""
        every = self._hours.slots(kind, window)
        if self._attentive and every:
            there = await self._steps.ask(self._attentive.free_for(kind.name, every))
            # Who asks for one time is not refused because of a booking that people ended, or moved elsewhere.
            if len(every) == 1 and not there and await self._look_at_holders(every[0]):
                there = await self._steps.ask(self._attentive.free_for(kind.name, every))
            return await self._free_in_both(every, there)
        candidates = await self._ledger.free(every)
        return await self._steps.ask(self._calendar.free(candidates)) if candidates else []

    async def _free_in_both(self, every: Sequence[Slot], there: Sequence[Slot]) -> Sequence[Slot]:
        """Return what is free there and here, after a look at bookings of which the calendar knows nothing any more."""
        here = set(await self._ledger.free(every))
        doubtful = [slot for slot in there if slot not in here]
        for slot in doubtful[:_MOST_DOUBTFUL]:
            await self._look_at_holders(slot)
        return [slot for slot in there if slot in here] if not doubtful else await self._ledger.free(there)

    async def _look_at_holders(self, slot: Slot) -> bool:
        """Look what became of the bookings that have a part of the time; return whether one ended or was moved."""
        found = [record for record in await self._ledger.holders(slot) if record.system == self._system]
        kept = [await self._as_kept(record) for record in found]
        return any(now is None or now.slot != then.slot for then, now in zip(found, kept, strict=True))

    async def book(self, key: BookingKey, slot: Slot, patient: Patient | None = None) -> Booking:
        """Book the slot, or return the live booking that the key fits already."""
        if slot.start not in key.window:
            raise InvalidRequestError("the slot is outside of the key's window")
        return await self._in_turn(key, partial(self._book, key, slot, patient or Patient(key.conversation)))

    async def get(self, key: BookingKey) -> Booking | None:
        """Return the live booking that the key fits, the earliest one if there are several.

        What people deleted in the calendar is no booking any more, and is cancelled here as well. What they moved is
        the booking where it is now, once also if that is outside of the key's window: its patient has to hear of it.
        """
        for record in await self._ledger.live(key):
            if booked := await self._as_kept(record):
                return booked.booking
        return None

    async def find_own(self, kind: AppointmentType, key: BookingKey, patient: Patient | None = None) -> Booking | None:
        """Return the live booking that the key fits, also one that another copy of the call is making just now.

        That copy may run on a host that has the calendar in common, and nothing else.
        """
        return await self._in_turn(key, partial(self._find_own, kind, key, patient or Patient(key.conversation)))

    async def changed(self, conversation: str, since: datetime) -> Sequence[PastChange]:
        """Return what became of the conversation's bookings that it cancelled or moved since then, the oldest first."""
        found = await self._ledger.changed(conversation, since)
        for old, new in found:
            if old.state is State.CANCELLING and new is None and (ending := await self._ledger.renew(old)):
                await self._steps.remove(ending)
        return [past_change(old, new) for old, new in found]

    async def upcoming(self, conversation: str, now: datetime) -> Sequence[Booking]:
        """Return the live bookings of a conversation that are not over, earliest first."""
        found = await self._ledger.upcoming(conversation, now)
        kept = await asyncio.gather(*(self._as_kept(record) for record in found))
        return [record.booking for record in kept if record]

    async def cancelled_elsewhere(self, conversation: str, now: datetime) -> Sequence[Booking]:
        """Return the bookings to come that people cancelled in the calendar, each of them once."""
        return [record.booking for record in await self._ledger.tell_cancelled(conversation, now)]

    async def cancel(self, key: BookingKey) -> Booking | None:
        """Cancel the live booking that the key fits and return it; the booking stays on record.

        After `OutcomeUnknownError` it will be cancelled, by a repeat or by the sweeper.
        """
        return await self._in_turn(key, partial(self._cancel, key))

    async def reschedule(self, key: BookingKey, slot: Slot) -> Booking | None:
        """Move the live booking that the key fits to another slot and return it as it is now; None if there is none.

        A calendar does not know that a new entry is to replace an old one: if the two overlap, the time is taken.
        """
        return await self._in_turn(key, partial(self._reschedule, key, slot))

    async def ping(self) -> None:
        """Return if bookings can be made here and in the calendar."""
        await self._ledger.ping()
        await self._steps.ask(self._calendar.ping())

    async def describe(self) -> Sequence[str]:
        """Return the coming week as it is understood, here and in the calendar, and what a person should know of it."""
        week = coming_week(self._ledger.clock(), self._hours.zone)
        lines = await week_lines(self._kinds, self._hours, week, self._entries.explain)
        return [*lines, *(await self._attentive.remarks(self._kinds, week) if self._attentive else ())]

    async def list_unsettled(self, age: timedelta | None = None) -> list[Record]:
        """Return what has been pending or cancelling for so long (`settle_after`), the oldest first."""
        return await self._ledger.list_unsettled(self._system, self.settle_after if age is None else age)

    async def settle(self, record: Record) -> State | None:
        """Bring an unsettled record to its end and return which; None if somebody else works on it.

        An entry that is not in the calendar as a whole is not written again: nobody was told that it would be.
        """
        taken = await self._ledger.renew(record)
        if taken is None:
            return None
        if taken.state is State.PENDING:
            seen = await self._steps.ask(self._entries.look(taken.entry))
            if seen:
                return State.CONFIRMED if await self._steps.confirm(taken, seen) else State.CANCELLING
            taken = await self._ledger.give_up(taken)
            if taken is None:
                return None
        await self._steps.change(self._calendar.remove(taken.entry))
        await self._ledger.finish(taken)
        return State.CANCELLED

    async def ask_again(self) -> None:
        """Look what became of the bookings that the clinic had not agreed to."""
        for record in await self._ledger.asked_for(self._system, _ASK_AGAIN):
            if await self._as_kept(record) == record:
                await self._ledger.renew(record)

    async def _book(self, key: BookingKey, slot: Slot, patient: Patient) -> Booking:
        while True:
            record, is_new = await self._claim(key, slot, patient)
            if is_new:
                return (await self._write_new(key, record)).booking
            if record.state is State.CONFIRMED:
                if kept := await self._as_kept(record):
                    return kept.booking
                continue
            # Left by an earlier call, whose slot may have been another. If that one is taken, there is no booking yet.
            with suppress(SlotTakenError):
                return (await self._steps.resume(record)).booking

    async def _write_new(self, key: BookingKey, record: Record) -> Record:
        # The same call on another host may have found another time: what this one takes would be a second booking.
        wide = key if is_wide(key.window, record.slot.start) else None
        own = await self._written_by_another_host(wide, record) if wide else None
        booked = await self._steps.take_over(record, own) if own else None
        booked = booked or await self._steps.complete(record, wide)
        await self._end_uncertain(key)
        return booked

    async def _written_by_another_host(self, key: BookingKey, record: Record) -> Written | None:
        try:
            return await self._steps.ask(self._other_hosts.find(key, record.slot.resource))
        except BackendError:
            await self._ledger.release(record)  # nothing was written yet
            raise

    async def _end_uncertain(self, key: BookingKey) -> None:
        """End what is pending under other keys: its patient, who was told that it is not known, has booked anew.

        What turns out to be in the calendar stays a booking, and the patient is told of both.
        """
        for record in await self._ledger.pending_besides(key):
            with suppress(BackendError):
                if await self._as_kept(record) is None:
                    # The write may still be on its way: the sweeper removes what arrived, when nothing can any more.
                    await self._ledger.give_up(record)

    async def _find_own(self, kind: AppointmentType, key: BookingKey, patient: Patient) -> Booking | None:
        for record in (*await self._ledger.pending_moves(key), *await self._ledger.live(key)):
            with suppress(SlotTakenError):
                pending = record.state is State.PENDING and record.system == self._system
                booked = await (self._steps.resume(record) if pending else self._as_kept(record))
                if booked is not None:
                    return booked.booking
        written = await self._steps.ask(self._other_hosts.find(key, kind.resource))
        if written is None:
            return None
        with suppress(SlotTakenError):
            record, is_new = await self._ledger.claim(key, written.slot, patient, self._system)
            booked = await self._steps.take_over(record, written) if is_new else record
            if booked is None:
                await self._ledger.release(record)
            return booked.booking if booked else None
        return None

    async def _claim(self, key: BookingKey, slot: Slot, patient: Patient) -> tuple[Record, bool]:
        references = await self._other_hosts.references(key)
        try:
            return await self._ledger.claim(key, slot, patient, self._system, references)
        except SlotTakenError:
            if self._attentive is None:
                raise
            await self._look_at_holders(slot)
            return await self._ledger.claim(key, slot, patient, self._system, references)

    async def _cancel(self, key: BookingKey) -> Booking | None:
        for record in await self._ledger.live(key):
            if record.state is State.PENDING:
                booked = await self._as_kept(record)
                if booked is None:
                    await self._ledger.give_up(record)
                    continue
                record = booked
            if record.system != self._system:
                if await self._ledger.cancel(record):
                    return record.booking
                continue
            standing = await self._unless_begun(record)
            if standing and (ending := await self._ledger.begin_cancel(standing)):
                return await self._steps.remove_or_restore(ending)
        # A repeat of a cancellation whose outcome was unknown.
        began = await self._ledger.being_cancelled(key)
        ending = await self._ledger.renew(began) if began else None
        return await self._steps.remove(ending) if ending else None

    async def _reschedule(self, key: BookingKey, slot: Slot) -> Booking | None:
        for record in await self._ledger.live(key):
            booked = await self._as_kept(record)
            if booked is None:
                continue
            if booked.slot == slot:
                return booked.booking
            booked = await self._unless_begun(booked)
            if booked is None:
                continue
            claimed = await self._ledger.claim_move(booked, slot, self._system)
            if claimed is None:
                continue
            moved, is_new = claimed
            return (await (self._steps.complete(moved) if is_new else self._steps.resume(moved))).booking
        # A repeat of a move whose reply was lost.
        done = await self._ledger.find_moved(key, slot)
        return done.booking if done else None

    async def _as_kept(self, record: Record) -> Record | None:
        """Return the record as the calendar has it, confirmed; None if its entry is not there (any more)."""
        if record.system != self._system:
            return record if record.state is State.CONFIRMED else None
        if record.state is State.PENDING:
            seen = await self._steps.ask(self._entries.look(record.entry))
            return await self._steps.confirm(record, seen) if seen else None
        if record.slot.end <= self._ledger.clock():
            return record  # calendars forget, and what is over cannot be cancelled
        try:
            seen = await self._steps.ask(self._entries.look(record.entry))
        except BackendError as exc:
            _logger.warning("booking.unchecked", extra={"reference": record.entry.reference, "problem": str(exc)})
            return record
        if seen is not None:
            return await self._entries.follow(record, seen)
        if kept := await self._entries.end(record):
            return kept
        await self._steps.tidy_up(record.id)
        return None

    async def _unless_begun(self, record: Record) -> Record | None:
        """Return the record as people have it, so that what they made of it is what goes; None if it ended."""
        if self._attentive is None or record.system != self._system:
            return record
        seen = await self._steps.ask(self._attentive.look(record.entry))
        return await self._entries.follow_unless_begun(record, seen) if seen else record

    async def _in_turn(self, key: BookingKey, work: Callable[[], Awaitable[T]]) -> T:
        """Do one work after the other for a conversation, each to its end though its caller is cancelled."""

        async def turn() -> T:
            async with self._turns.setdefault(key.conversation, asyncio.Lock()):
                return await work()

        task = asyncio.create_task(turn())
        self._running.add(task)
        task.add_done_callback(self._forget_task)
        await asyncio.wait({task})  # which leaves the task alone when the caller is cancelled
        if task.cancelled():
            raise OutcomeUnknownError("the worker is closing")
        return task.result()

    def _forget_task(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # or asyncio complains when the caller is gone
