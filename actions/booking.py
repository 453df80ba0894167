"""The use case, without Rasa: from a wish to a booking, or to the reason why not and the nearest free times."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from zoneinfo import ZoneInfo

from actions.choice import fitting_bookings, is_place, names_a_place
from actions.dates import DateReader
from actions.errors import DateInPastError, DateNotUnderstoodError, SlotTakenError, UnknownAppointmentTypeError
from actions.moments import Moments
from actions.nearest import nearest
from actions.scheduling.hours import ClinicHours
from actions.scheduling.models import AppointmentType, Booking, BookingKey, PastChange, Patient, Slot, Window
from actions.scheduling.port import SchedulingBackend, TellingBackend
from actions.wallclock import day_start, on_the_wall

_logger = logging.getLogger(__name__)

URGENT = "urgent"
# Today and the next day, literally: on a Friday evening that is a closed Saturday, and the offers name Monday.
_URGENT_DAYS = 2
_OFFERS = 3
# For how long a request to cancel or move what is cancelled or moved already is taken for a repeat.
_REPEATS = timedelta(days=1)
# The same for one that names a place in the list, "the first", if it is not known when that was said.
_REPEATS_OF_PLACES = timedelta(minutes=2)

Clock = Callable[[], datetime]


class Reason(Enum):
    """Why nothing was booked."""

    NOT_UNDERSTOOD = "not_understood"
    PAST = "past"
    TOO_FAR_AHEAD = "too_far_ahead"
    CLOSED = "closed"
    TAKEN = "taken"
    NOTHING_URGENT = "nothing_urgent"


@dataclass(frozen=True)
class Booked:
    """The conversation has this booking: made now, or earlier by the same request."""

    booking: Booking


@dataclass(frozen=True)
class Declined:
    """Nothing was booked; `offers` are the free slots nearest to the wish, in order of time."""

    kind: AppointmentType
    reason: Reason
    offers: Sequence[Slot]


@dataclass(frozen=True)
class BookingRequest:
    """Who wants what, in the words of the slots: values may be anything, nothing included."""

    conversation: str
    appointment_type: object
    wish: object = None
    urgent_start: object = None
    patient: Patient | None = None


class BookingDesk:
    """Books, moves and cancels appointments for conversations.

    The same request again gets the booking it made the first time. Every method that looks at bookings or free times
    may raise any `BackendError`.
    """

    def __init__(
        self,
        backend: SchedulingBackend,
        hours: ClinicHours,
        dates: DateReader,
        kinds: Mapping[str, AppointmentType],
        zone: ZoneInfo,
        horizon_days: int,
        clock: Clock,
        locale: str = "en_GB",
    ) -> None:
        self._backend = backend
        self._hours = hours
        self._dates = dates
        self._kinds = kinds
        self.zone = zone
        self.moments = Moments(zone, locale)
        self.horizon_days = horizon_days
        self._clock = clock

    async def book(self, request: BookingRequest) -> Booked | Declined:
        """Book what is wished, or say why not; raises `UnknownAppointmentTypeError`."""
        kind = self._kind(request.appointment_type)
        now = self._clock()
        outcome = await (self._urgent if kind.name == URGENT else self._book_wish)(request, kind, now)
        _log("booking.answered", kind, outcome, "booked")
        return outcome

    def refusal(self, wish: object, appointment_type: object) -> Reason | None:
        """Return why a wish cannot be met whatever is free, None if it may be met.

        An appointment type that there is not, or none yet, is one of the clinic's.
        """
        now = self._clock()
        window = self._understood(wish, now)
        if isinstance(window, Reason):
            return window
        reasons = [self._impossible(window, kind, now) for kind in self._kinds_of(appointment_type)]
        return None if None in reasons else reasons[0]

    async def offers(self, appointment_type: object, wish: object = None) -> Sequence[Slot]:
        """Return the three free slots nearest to the wish, or to now if it names no time that is to come."""
        now = self._clock()
        window = self._understood(wish, now)
        return await self._nearest(self._kinds_of(appointment_type)[0], _now_if_none(window, now), now)

    async def upcoming(self, conversation: str) -> Sequence[Booking]:
        """Return the bookings of a conversation that are not over, earliest first."""
        return await self._backend.upcoming(conversation, self._clock())

    async def cancelled_by_clinic(self, conversation: str) -> Sequence[Booking]:
        """Return the bookings to come that people at the clinic cancelled, each of them once: it is said then."""
        if isinstance(self._backend, TellingBackend):
            return await self._backend.cancelled_elsewhere(conversation, self._clock())
        return []

    async def chosen(self, conversation: str, choice: object) -> Sequence[Booking]:
        """Return the upcoming bookings that a choice fits: a reference or words; without a choice all of them."""
        return fitting_bookings(choice, await self.upcoming(conversation), self._dates, self.zone, self._clock())

    async def meant(self, conversation: str, choice: object, said: datetime | None) -> object:
        """Return what a choice meant when it was `said` (UTC): of a place in the list that appointment's reference.

        After the first appointment is cancelled, "the first" of a repeat would be the next one.
        """
        if not names_a_place(choice):
            return choice
        now = self._clock()
        changed = await self._backend.changed(conversation, said or now - _REPEATS_OF_PLACES)
        then = {one.reference: one for one in await self.upcoming(conversation)}
        then |= {one.was.reference: one.was for one in reversed(changed)}
        in_order = sorted(then.values(), key=lambda one: one.slot.start)
        fitting = fitting_bookings(choice, in_order, self._dates, self.zone, now)
        return fitting[0].reference if len(fitting) == 1 else choice

    async def cancel(self, conversation: str, booking: Booking) -> Booking | None:
        """Cancel a booking of the conversation; None if it is there no more."""
        return await self._backend.cancel(_key_of(conversation, booking))

    async def cancelled(self, conversation: str, choice: object) -> Booking | None:
        """Return the booking that the conversation cancelled of late and that the choice fits, the last one of several.

        A repeat of a cancellation is told from it what was done.
        """
        past = await self._backend.changed(conversation, self._clock() - _REPEATS)
        return next((one.was for one in self._fitting(choice, past) if one.now is None), None)

    async def moved(self, conversation: str, choice: object, wish: object) -> Booking | None:
        """Return the booking that the conversation moved of late to where it wishes it, and that the choice fitted."""
        now = self._clock()
        window = self._understood(wish, now)
        if isinstance(window, Reason):
            return None
        past = self._fitting(choice, await self._backend.changed(conversation, now - _REPEATS))
        return next((one.now for one in past if one.now and one.now.slot.start in window), None)

    def _fitting(self, choice: object, past: Sequence[PastChange]) -> Sequence[PastChange]:
        """Return the changes of bookings that a choice fits, the last one first; a place is none in what is past."""
        if is_place(choice):
            return []
        found = fitting_bookings(choice, [one.was for one in past], self._dates, self.zone, self._clock())
        return [one for one in reversed(past) if one.was in found]

    async def reschedule(self, conversation: str, booking: Booking, wish: object) -> Booked | Declined | None:
        """Move a booking to a wished time, or say why not; None if it is there no more.

        A booking that is within the wish stays where it is, so that a repeat moves nothing. Raises
        `UnknownAppointmentTypeError` for a type that the clinic gave up.
        """
        kind = self._kind(booking.appointment_type)
        now = self._clock()
        outcome = await self._move(conversation, booking, wish, kind, now)
        if outcome is not None:
            _log("rescheduling.answered", kind, outcome, "rescheduled")
        return outcome

    async def urgent_slot(self, conversation: str) -> Slot | None:
        """Return the earliest free urgent time today or the next day; the booking's own if there is one already."""
        kind = self._kind(URGENT)
        now = self._clock()
        window = self._urgent_window(now)
        key, held = await self._held(BookingKey(conversation, kind.name, window), now)
        if held:
            return held.slot
        return next(iter(await self._backend.find_slots(kind, self._still_bookable(key.window, now))), None)

    def _kind(self, wanted: object) -> AppointmentType:
        kind = self._kinds.get(wanted.strip().casefold()) if isinstance(wanted, str) else None
        if kind is None:
            raise UnknownAppointmentTypeError(list(self._kinds))
        return kind

    def _kinds_of(self, wanted: object) -> Sequence[AppointmentType]:
        try:
            return [self._kind(wanted)]
        except UnknownAppointmentTypeError:
            return list(self._kinds.values())

    def _understood(self, wish: object, now: datetime) -> Window | Reason:
        try:
            return self._dates.understand(wish, now)
        except DateNotUnderstoodError:
            return Reason.NOT_UNDERSTOOD
        except DateInPastError:
            return Reason.PAST

    def _impossible(self, window: Window, kind: AppointmentType, now: datetime) -> Reason | None:
        if window.start >= self._horizon(now):
            return Reason.TOO_FAR_AHEAD
        return None if self._hours.slots(kind, self._still_bookable(window, now)) else Reason.CLOSED

    async def _move(
        self, conversation: str, booking: Booking, wish: object, kind: AppointmentType, now: datetime
    ) -> Booked | Declined | None:
        window = self._understood(wish, now)
        if isinstance(window, Reason):
            return await self._decline(kind, window, Window.at(now), now)
        if booking.slot.start in window:
            return Booked(booking)
        reason = self._impossible(window, kind, now)
        if reason:
            return await self._decline(kind, reason, window, now)
        bookable = self._still_bookable(window, now)
        # A time that only this very booking keeps from being free is no time that somebody else has.
        own = [slot for slot in self._hours.slots(kind, bookable) if _overlap(slot, booking.slot)]
        free = await self._backend.find_slots(kind, bookable)
        for slot in sorted({*free, *own}, key=lambda slot: slot.start):
            try:
                moved = await self._backend.reschedule(_key_of(conversation, booking), slot)
            except SlotTakenError:
                continue
            if moved is not None:
                return Booked(moved)
            break
        held = await self._held_after(conversation, booking, kind, window)
        if held and held.slot.start in window:
            return Booked(held)
        return await self._decline(kind, Reason.TAKEN, window, now) if held else None

    async def _held_after(
        self, conversation: str, booking: Booking, kind: AppointmentType, window: Window
    ) -> Booking | None:
        """Return a booking as it is now: another copy of a move may have brought it into the window, or is about to."""
        moved = await self._backend.find_own(kind, BookingKey(conversation, kind.name, window))
        held = [*([moved] if moved else ()), *await self.upcoming(conversation)]
        return next((one for one in held if one.reference == booking.reference), None)

    async def _book_wish(self, request: BookingRequest, kind: AppointmentType, now: datetime) -> Booked | Declined:
        window = self._understood(request.wish, now)
        if isinstance(window, Reason):
            return await self._decline(kind, window, Window.at(now), now)
        return await self._book_within(window, request, kind, now)

    async def _urgent(self, request: BookingRequest, kind: AppointmentType, now: datetime) -> Booked | Declined:
        # An exact time is the answer to an offer. Anything else is met as soon as possible, and only if there is
        # nothing today or the next day does it matter which other day was said.
        picked = self._dates.moment(request.wish, now)
        if picked:
            return await self._book_within(picked, request, kind, now)
        told = self._dates.moment(request.urgent_start, now)
        outcome = await self._book_within(self._urgent_window(now), request, kind, now, told)
        if isinstance(outcome, Booked):
            return outcome
        if request.wish:
            return await self._book_wish(request, kind, now)
        return replace(outcome, reason=Reason.NOTHING_URGENT)

    async def _book_within(
        self, window: Window, request: BookingRequest, kind: AppointmentType, now: datetime, first: Window | None = None
    ) -> Booked | Declined:
        """Book the earliest free slot of the window, or the one that starts at `first` if that is free."""
        key, held = await self._held(BookingKey(request.conversation, kind.name, window), now)
        if held:
            return Booked(held)
        reason = self._impossible(key.window, kind, now)
        if reason:
            return await self._decline(kind, reason, window, now)
        free = await self._backend.find_slots(kind, self._still_bookable(key.window, now))
        for slot in sorted(free, key=lambda slot: (first is None or slot.start not in first, slot.start)):
            try:
                return Booked(await self._backend.book(key, slot, request.patient))
            except SlotTakenError:
                continue  # by somebody else, a moment ago
        # Or by another copy of this call, which is no reason to say that the time is taken.
        own = await self._backend.find_own(kind, key, request.patient)
        if own:
            return Booked(own)
        return await self._decline(kind, Reason.TAKEN, window, now)

    async def _held(self, key: BookingKey, now: datetime) -> tuple[BookingKey, Booking | None]:
        """Return the booking that the key fits and that is not over, and the key for what is left of the window.

        Who was seen this morning and asks for "today" again wants another appointment, not the old reference.
        """
        held = await self._backend.get(key)
        while held and held.slot.end <= now:
            key = key.after(held.slot)
            held = await self._backend.get(key)
        return key, held

    async def _decline(self, kind: AppointmentType, reason: Reason, wish: Window, now: datetime) -> Declined:
        return Declined(kind, reason, await self._nearest(kind, wish, now))

    async def _nearest(self, kind: AppointmentType, wish: Window, now: datetime) -> Sequence[Slot]:
        return await nearest(partial(self._backend.find_slots, kind), wish, Window(now, self._horizon(now)), _OFFERS)

    def _urgent_window(self, now: datetime) -> Window:
        today = on_the_wall(now, self.zone).date()
        return Window(day_start(today, self.zone), day_start(today + timedelta(days=_URGENT_DAYS), self.zone))

    def _still_bookable(self, window: Window, now: datetime) -> Window:
        return Window(max(window.start, now), min(window.end, self._horizon(now)))

    def _horizon(self, now: datetime) -> datetime:
        today = on_the_wall(now, self.zone).date()
        return day_start(today + timedelta(days=self.horizon_days + 1), self.zone)


def _now_if_none(window: Window | Reason, now: datetime) -> Window:
    return Window.at(now) if isinstance(window, Reason) else window


def _key_of(conversation: str, booking: Booking) -> BookingKey:
    return BookingKey(conversation, booking.appointment_type, Window.at(booking.slot.start))


def _overlap(one: Slot, other: Slot) -> bool:
    return one.resource == other.resource and one.start < other.end and other.start < one.end


def _log(event: str, kind: AppointmentType, outcome: Booked | Declined, done: str) -> None:
    answer = outcome.reason.value if isinstance(outcome, Declined) else done
    _logger.info(event, extra={"appointment_type": kind.name, "answer": answer})
