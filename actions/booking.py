"""The use case, without Rasa: from a wish to a booking, or to the reason why not and the nearest free times."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from actions.dates import DateReader
from actions.errors import DateInPastError, DateNotUnderstoodError, UnknownAppointmentTypeError
from actions.scheduling.errors import SlotTakenError
from actions.scheduling.hours import ClinicHours
from actions.scheduling.models import AppointmentType, Booking, BookingKey, Slot, Window
from actions.scheduling.port import SchedulingBackend
from actions.wallclock import day_start, on_the_wall

_logger = logging.getLogger(__name__)

URGENT = "urgent"
# Today and the next day, literally: on a Friday evening that is a closed Saturday, and the offers name Monday.
_URGENT_DAYS = 2
_OFFERS = 3

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


class BookingDesk:
    """Books appointments for conversations. The same request again gets the booking it made the first time."""

    def __init__(
        self,
        backend: SchedulingBackend,
        hours: ClinicHours,
        dates: DateReader,
        kinds: Mapping[str, AppointmentType],
        zone: ZoneInfo,
        horizon_days: int,
        clock: Clock,
    ) -> None:
        self._backend = backend
        self._hours = hours
        self._dates = dates
        self._kinds = kinds
        self.zone = zone
        self.horizon_days = horizon_days
        self._clock = clock

    async def book(self, request: BookingRequest) -> Booked | Declined:
        """Book what is wished, or say why not; raises `UnknownAppointmentTypeError` and what the backend raises."""
        kind = self._kind(request.appointment_type)
        now = self._clock()
        outcome = await (self._urgent if kind.name == URGENT else self._wished)(request, kind, now)
        _logger.info(
            "booking.answered",
            extra={
                "appointment_type": kind.name,
                "answer": outcome.reason.value if isinstance(outcome, Declined) else "booked",
            },
        )
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

    async def _wished(self, request: BookingRequest, kind: AppointmentType, now: datetime) -> Booked | Declined:
        try:
            window = self._dates.understand(request.wish, now)
        except DateNotUnderstoodError:
            return await self._decline(kind, Reason.NOT_UNDERSTOOD, Window.at(now), now)
        except DateInPastError:
            return await self._decline(kind, Reason.PAST, Window.at(now), now)
        return await self._book_within(window, request.conversation, kind, now)

    async def _urgent(self, request: BookingRequest, kind: AppointmentType, now: datetime) -> Booked | Declined:
        # An exact time is the answer to an offer. Anything else is met as soon as possible, and only if there is
        # nothing today or the next day does it matter which other day was said.
        picked = self._dates.moment(request.wish, now)
        if picked:
            return await self._book_within(picked, request.conversation, kind, now)
        told = self._dates.moment(request.urgent_start, now)
        outcome = await self._book_within(self._urgent_window(now), request.conversation, kind, now, told)
        if isinstance(outcome, Booked):
            return outcome
        if request.wish:
            return await self._wished(request, kind, now)
        return replace(outcome, reason=Reason.NOTHING_URGENT)

    async def _book_within(
        self, window: Window, conversation: str, kind: AppointmentType, now: datetime, first: Window | None = None
    ) -> Booked | Declined:
        """Book the earliest free slot of the window, or the one that starts at `first` if that is free."""
        key, held = await self._held(BookingKey(conversation, kind.name, window), now)
        if held:
            return Booked(held)
        if key.window.start >= self._horizon(now):
            return await self._decline(kind, Reason.TOO_FAR_AHEAD, window, now)
        bookable = self._still_bookable(key.window, now)
        if not self._hours.slots(kind, bookable):
            return await self._decline(kind, Reason.CLOSED, window, now)
        free = await self._backend.find_slots(kind, bookable)
        for slot in sorted(free, key=lambda slot: (first is None or slot.start not in first, slot.start)):
            try:
                return Booked(await self._backend.book(key, slot))
            except SlotTakenError:
                continue  # by somebody else, a moment ago
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
        free = await self._backend.find_slots(kind, Window(now, self._horizon(now)))
        nearest = sorted(free, key=lambda slot: (wish.distance(slot.start), slot.start))[:_OFFERS]
        return Declined(kind, reason, sorted(nearest, key=lambda slot: slot.start))

    def _urgent_window(self, now: datetime) -> Window:
        today = on_the_wall(now, self.zone).date()
        return Window(day_start(today, self.zone), day_start(today + timedelta(days=_URGENT_DAYS), self.zone))

    def _still_bookable(self, window: Window, now: datetime) -> Window:
        return Window(max(window.start, now), min(window.end, self._horizon(now)))

    def _horizon(self, now: datetime) -> datetime:
        today = on_the_wall(now, self.zone).date()
        return day_start(today + timedelta(days=self.horizon_days + 1), self.zone)
