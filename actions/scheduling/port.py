"""The port: what the clinic needs from whatever keeps its appointments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from actions.scheduling.models import AppointmentType, Booking, BookingKey, Slot, Window


class SchedulingBackend(Protocol):
    """Keeps appointments so that no two of them share a resource's time.

    A key names its booking by conversation, type and window: a conversation has at most one live booking that a key
    fits. Each method may raise `UnavailableError`; repeating the call under the same key is then safe.
    """

    async def find_slots(self, kind: AppointmentType, window: Window) -> Sequence[Slot]:
        """Return the free slots that start in the window, earliest first."""

    async def book(self, key: BookingKey, slot: Slot) -> Booking:
        """Book the slot, or return the live booking that the key fits already.

        Raises `SlotTakenError` if somebody else has the time, `InvalidRequestError` if the slot is outside of the
        key's window: such a booking could never be found again by its key.
        """

    async def get(self, key: BookingKey) -> Booking | None:
        """Return the live booking that the key fits, the earliest one if there are several."""

    async def cancel(self, key: BookingKey) -> Booking | None:
        """Cancel the live booking that the key fits and return it; its time and its key are free again."""

    async def ping(self) -> None:
        """Return if bookings can be made, raise if not."""
