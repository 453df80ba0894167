"""What the clinic and its backends talk about. Every instant is in UTC; wall clocks live in `actions.wallclock`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import Enum

# One instant as a window: it holds the start it was made for and no other.
_INSTANT = timedelta(microseconds=1)


def _require_utc(*instants: datetime) -> None:
    # Python compares and subtracts two times of one zone by the wall clock, which is an hour off across a clock change.
    if any(instant.tzinfo is not timezone.utc for instant in instants):
        raise ValueError("an instant must be in UTC")


@dataclass(frozen=True)
class Window:
    """A stretch of time: an appointment is in it if it starts at or after `start` and before `end`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        _require_utc(self.start, self.end)
        if self.start >= self.end:
            raise ValueError("a window must end after it starts")

    @classmethod
    def at(cls, instant: datetime) -> Window:
        """Return the window that holds this one start."""
        return cls(instant, instant + _INSTANT)

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def is_over(self, now: datetime) -> bool:
        """Say whether nothing in the window is still to come."""
        return self.end <= now

    def distance(self, instant: datetime) -> timedelta:
        """Return how far outside of the window an instant lies; nothing at all inside."""
        last = self.end - _INSTANT
        return max(self.start - instant, instant - last, timedelta())


@dataclass(frozen=True)
class AppointmentType:
    """A kind of appointment: how long it takes, and which resource (a doctor, a room) it occupies."""

    name: str
    duration: timedelta
    resource: str


@dataclass(frozen=True)
class Slot:
    """A stretch of a resource's time that one appointment occupies."""

    resource: str
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        _require_utc(self.start, self.end)

    def covers(self, other: Slot) -> bool:
        """Say whether all of the other one's time is this one's."""
        return self.resource == other.resource and self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class BookingKey:
    """What makes two requests the same booking: who asks, for which type, within which window.

    Not the start that was found: after a lost reply the first free time is another one, as the booking itself has
    taken it. Not the engine's message id either: a re-delivered message gets a new one.
    """

    conversation: str
    appointment_type: str
    window: Window

    @property
    def digest(self) -> str:
        """Return the key as fixed-length text that tells nobody who asked."""
        parts = (
            self.conversation,
            self.appointment_type,
            self.window.start.isoformat(),
            self.window.end.isoformat(),
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def after(self, slot: Slot) -> BookingKey:
        """Return the key for what is left of the window once `slot` is over."""
        return replace(self, window=Window(slot.end, self.window.end))


@dataclass(frozen=True)
class Booking:
    """An appointment somebody has; `reference` is what they read out to the clinic.

    `moved_from` is when it was (UTC), if people at the clinic moved it. One that `is_requested` is asked for: somebody
    at the clinic still has to agree to it.
    """

    reference: str
    appointment_type: str
    slot: Slot
    moved_from: datetime | None = None
    is_requested: bool = False


@dataclass(frozen=True)
class PastChange:
    """What a conversation changed: the booking as it was, and as it is now; None if it is cancelled."""

    was: Booking
    now: Booking | None


@dataclass(frozen=True)
class Patient:
    """Who an appointment is for, as far as the conversation knows; `conversation` is the engine's sender id."""

    conversation: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class Change(str, Enum):
    """What became of a booking."""

    BOOKED = "booked"
    RESCHEDULED = "rescheduled"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class BookingChange:
    """A booking was made, moved or cancelled, and it is final: what a CRM is told.

    `booking` is the booking as it is now, or as it was when it was cancelled; `at` is when that became final (UTC).
    `id` is unique to this change and the same whenever it is told again.
    """

    id: str
    change: Change
    booking: Booking
    patient: Patient
    at: datetime
