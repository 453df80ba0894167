"""Every error of the clinic; callers tell them apart by class and attributes, never by text.

ClinicError
├── ClinicSettingsError             start-up only: the clinic's settings cannot be used
├── DateError
│   ├── DateNotUnderstoodError      the words name no day or time
│   └── DateInPastError             they name one that is over
├── UnknownAppointmentTypeError     the clinic offers no such appointment
├── NotBookedError                  what a synchronous caller hears instead of a reference
└── BackendError                    a scheduling system or CRM did not do what it was asked; the text is for operators
    ├── SlotTakenError              somebody else has that time: offer another
    │   └── GaveWayError            nobody has it, but the same call on another host has another time, or will have it
    ├── InvalidRequestError         the system refused what was sent, or the port's contract was broken: do not retry
    ├── AuthFailedError             the credentials are refused or may not do this: nothing happened, do not retry
    ├── UnavailableError            nothing happened: the same call is safe to repeat
    │   └── RateLimitedError        ... but not before `retry_after` seconds
    └── OutcomeUnknownError         it may have happened: look the key up before anything is repeated
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actions.scheduling.models import Slot


class ClinicError(Exception):
    """Root of everything the clinic raises on purpose."""


class ClinicSettingsError(ClinicError):
    """The clinic's settings cannot be used; `problems` has one sentence for each bad key."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"the clinic's settings cannot be used: {'; '.join(problems)}")
        self.problems = tuple(problems)


class DateError(ClinicError):
    """A wish for a date leads nowhere."""


class DateNotUnderstoodError(DateError):
    """The wish names no day or time that is safe to act on."""

    def __init__(self) -> None:
        super().__init__("the wish does not name a day or a time")


class DateInPastError(DateError):
    """The wish names a time that is over."""

    def __init__(self) -> None:
        super().__init__("the wished time is over")


class UnknownAppointmentTypeError(ClinicError):
    """The clinic offers no such appointment; `known` lists what it does offer."""

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__(f"the clinic offers these appointments: {', '.join(known)}")
        self.known = tuple(known)


class NotBookedError(ClinicError):
    """Nothing was booked; `reason` is a `booking.Reason` value, `offers` the nearest free starts (UTC)."""

    def __init__(self, reason: str, offers: Sequence[datetime]) -> None:
        super().__init__(f"nothing was booked: {reason.replace('_', ' ')}")
        self.reason = reason
        self.offers = tuple(offers)


class BackendError(ClinicError):
    """Root of what a scheduling backend, a CRM or the transport to them raises.

    The text says in one sentence what is wrong, for operators; no credential and nothing about a patient stands in it.
    """


class SlotTakenError(BackendError):
    """Somebody else has the time, or a part of it."""

    def __init__(self, slot: Slot) -> None:
        super().__init__("the time is taken")
        self.slot = slot


class GaveWayError(SlotTakenError):
    """The same call on another host has booked another time, or is about to: this one left nothing behind."""


class InvalidRequestError(BackendError):
    """The system refused what was sent, or the caller broke the port's contract: repeating it does not help."""


class AuthFailedError(BackendError):
    """The credentials are refused, or they may not do this. Nothing happened."""


class UnavailableError(BackendError):
    """The backend did not do its work, and nothing is left of it: the same call is safe to repeat."""


class RateLimitedError(UnavailableError):
    """There were too many requests; `retry_after` is how many seconds to wait, None if the system did not say."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class OutcomeUnknownError(BackendError):
    """The connection broke or the time ran out after the request was sent: it may have been carried out or not."""
