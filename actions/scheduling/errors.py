"""What a scheduling backend may raise, whatever system it talks to.

SchedulingError
├── SlotTakenError          somebody else has that time: offer another
├── InvalidRequestError     the caller broke the port's contract: a bug, do not retry
└── UnavailableError        nothing is known to have happened: safe to ask again under the same key
"""

from __future__ import annotations

from actions.errors import ClinicError
from actions.scheduling.models import Slot


class SchedulingError(ClinicError):
    """Root of what a backend raises."""


class SlotTakenError(SchedulingError):
    """Somebody else has the time, or a part of it."""

    def __init__(self, slot: Slot) -> None:
        super().__init__("the time is taken")
        self.slot = slot


class InvalidRequestError(SchedulingError):
    """The caller broke the port's contract."""


class UnavailableError(SchedulingError):
    """The backend did not do its work; the same call under the same key is safe to repeat."""
