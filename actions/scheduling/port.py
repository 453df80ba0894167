"""The port: what the clinic needs from whatever keeps its appointments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from actions.scheduling.models import AppointmentType, Booking, BookingKey, PastChange, Patient, Slot, Window


class SchedulingBackend(Protocol):
    """Keeps appointments so that no two of them share a resource's time.

    A key names its booking by conversation, type and window: a conversation has at most one live booking that a key
    fits. Each method may raise any `BackendError`. After `UnavailableError` and `OutcomeUnknownError` the same call
    under the same key is safe to repeat: it finds what the first one did.
    """

    async def find_slots(self, kind: AppointmentType, window: Window) -> Sequence[Slot]:
        """Return the free slots that start in the window, earliest first."""

    async def book(self, key: BookingKey, slot: Slot, patient: Patient | None = None) -> Booking:
        """Book the slot, or return the live booking that the key fits already.

        Without a patient the conversation is all that is known. Raises `SlotTakenError` if somebody else has the time,
        `InvalidRequestError` if the slot is outside of the key's window: such a booking could never be found again by
        its key.
        """

    async def get(self, key: BookingKey) -> Booking | None:
        """Return the live booking that the key fits, the earliest one if there are several."""

    async def find_own(self, kind: AppointmentType, key: BookingKey, patient: Patient | None = None) -> Booking | None:
        """Return the live booking that the key fits, also one that another copy of the call is making just now.

        For whoever is about to say that the time is taken: it may be so by the same call, on another worker or host.
        """

    async def upcoming(self, conversation: str, now: datetime) -> Sequence[Booking]:
        """Return the live bookings of a conversation that are not over, earliest first."""

    async def cancel(self, key: BookingKey) -> Booking | None:
        """Cancel the live booking that the key fits and return it; its time and its key are free again."""

    async def reschedule(self, key: BookingKey, slot: Slot) -> Booking | None:
        """Move the live booking that the key fits to another slot and return it as it is now; None if there is none.

        It keeps its reference. Until the new time is certain the old one is kept, whatever happens. Raises
        `SlotTakenError` if somebody else has the new time; the patient's own old time does not count as taken, and a
        booking that is at the slot already stays as it is.
        """

    async def changed(self, conversation: str, since: datetime) -> Sequence[PastChange]:
        """Return what became of the conversation's bookings that it cancelled or moved since then, the oldest first.

        What is said to be cancelled is so for certain.
        """

    async def ping(self) -> None:
        """Return if bookings can be made, raise if not."""


@runtime_checkable
class TellingBackend(Protocol):
    """A backend whose appointments other people change as well."""

    async def cancelled_elsewhere(self, conversation: str, now: datetime) -> Sequence[Booking]:
        """Return the bookings to come of which the conversation does not know that they were cancelled, once each."""
