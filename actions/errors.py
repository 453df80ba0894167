"""Every error of the clinic; callers tell them apart by class and attributes, never by text.

ClinicError
├── ClinicSettingsError             start-up only: the clinic's settings cannot be used
├── DateError
│   ├── DateNotUnderstoodError      the words name no day or time
│   └── DateInPastError             they name one that is over
├── UnknownAppointmentTypeError     the clinic offers no such appointment
├── NotBookedError                  what a synchronous caller hears instead of a reference
└── SchedulingError                 drawn in `actions.scheduling.errors`
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


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
