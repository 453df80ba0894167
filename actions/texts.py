"""What the clinic says, in English, independent of the host's locale."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from actions.booking import Declined, Reason
from actions.dates.words import MONTHS, WEEKDAYS
from actions.scheduling.models import Booking
from actions.wallclock import on_the_wall

UNAVAILABLE = (
    "I cannot reach the appointment book right now. Please try again in a moment; "
    "you will not be booked twice by asking again."
)
NO_URGENT_TIME = "There is no free urgent appointment today or tomorrow."

_REASONS = {
    Reason.NOT_UNDERSTOOD: "I am not sure which day and time you mean.",
    Reason.PAST: "That time is already over.",
    Reason.TOO_FAR_AHEAD: "Appointments can be booked up to {horizon} days ahead.",
    Reason.CLOSED: "The clinic has no {kind} appointments at that time.",
    Reason.TAKEN: "There is no free {kind} appointment at that time.",
    Reason.NOTHING_URGENT: NO_URGENT_TIME,
}


def day_and_time(instant: datetime, zone: ZoneInfo) -> str:
    """Return the full date and time, such as "Tuesday, 24 November 2026 at 10:00"."""
    wall = on_the_wall(instant, zone)
    weekday, month = WEEKDAYS[wall.weekday()].title(), MONTHS[wall.month - 1].title()
    return f"{weekday}, {wall.day} {month} {wall.year} at {wall:%H:%M}"


def urgent_time(instant: datetime, zone: ZoneInfo) -> str:
    """Say which urgent time was found."""
    return f"The earliest urgent appointment is on {day_and_time(instant, zone)}."


def booked(booking: Booking, zone: ZoneInfo) -> str:
    """Say what was booked; the full date is always repeated, so that a misunderstanding shows."""
    when = day_and_time(booking.slot.start, zone)
    return f"Your {booking.appointment_type} appointment has been booked for {when}. Reference: {booking.reference}"


def declined(outcome: Declined, zone: ZoneInfo, horizon_days: int) -> str:
    """Say why nothing was booked and which times are free."""
    reason = _REASONS[outcome.reason].format(kind=outcome.kind.name, horizon=horizon_days)
    if not outcome.offers:
        return f"{reason} There is no free time in the next {horizon_days} days, please call the clinic."
    offers = "\n".join(f"- {day_and_time(slot.start, zone)}" for slot in outcome.offers)
    return f"{reason} The nearest free times are:\n{offers}"


def unknown_type(known: Sequence[str]) -> str:
    """Say which appointments there are."""
    return f"I do not know that type of appointment. The clinic offers: {', '.join(known)}."
