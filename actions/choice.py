"""Which of somebody's appointments is meant by "the one on Tuesday", "the second", a type or a reference."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from actions.dates import DateReader
from actions.dates.words import WEEKDAYS
from actions.errors import DateError
from actions.scheduling.models import Booking, Window
from actions.wallclock import on_the_wall

_LONGEST = 120
_FILLER = re.compile(
    r"\b(?:the|my|one|ones|appointments?|that|please|is|it|i|mean|with|cancel|move|reschedule|booking|visit)\b"
)
_PLACES = {
    word: place
    for place, words in {
        0: ("first", "1st", "1", "earliest"),
        1: ("second", "2nd", "2"),
        2: ("third", "3rd", "3"),
        3: ("fourth", "4th", "4"),
        4: ("fifth", "5th", "5"),
        -1: ("last", "latest"),
    }.items()
    for word in words
}
_PLACE = re.compile(rf"\b(?:{'|'.join(_PLACES)})\b")


def names_a_place(choice: object) -> bool:
    """Say whether a choice may be a place in a list, which is another one's as soon as the list has changed."""
    return isinstance(choice, str) and len(choice) <= _LONGEST and _PLACE.search(choice.casefold()) is not None


def is_place(choice: object) -> bool:
    """Say whether a choice is nothing but a place in a list."""
    return isinstance(choice, str) and _FILLER.sub(" ", choice.casefold()).strip(" ,.!?") in _PLACES


def fitting_bookings(
    choice: object, bookings: Sequence[Booking], dates: DateReader, zone: ZoneInfo, now: datetime
) -> Sequence[Booking]:
    """Return those of the bookings, which are in order of time, that the choice fits; without a choice all of them.

    Words that say nothing about an appointment fit none: nobody's appointment is cancelled by a guess.
    """
    if choice is None:
        return bookings
    if not isinstance(choice, str) or len(choice) > _LONGEST:
        return []
    text = " ".join(choice.casefold().split())
    named = [booking for booking in bookings if booking.reference.casefold() in text]
    if named:
        return named
    said = {word for word in re.findall(r"[\w-]+", text) if any(word == b.appointment_type for b in bookings)}
    kept = [booking for booking in bookings if not said or booking.appointment_type in said]
    rest = " ".join(word for word in _FILLER.sub(" ", text).split() if word.strip(",.!?") not in said).strip(" ,.!?")
    if not rest:
        return kept if said else []
    if rest in _PLACES:
        return _at(kept, _PLACES[rest])
    return _bookings_in(rest, kept, dates, zone, now)


def _at(bookings: Sequence[Booking], place: int) -> Sequence[Booking]:
    return [bookings[place]] if place < len(bookings) and bookings else []


def _bookings_in(
    text: str, bookings: Sequence[Booking], dates: DateReader, zone: ZoneInfo, now: datetime
) -> Sequence[Booking]:
    # "Tuesday", said on a Tuesday, is next week's to somebody who books, and may be today's to somebody who has booked.
    wishes = [text]
    today = WEEKDAYS[on_the_wall(now, zone).weekday()]
    if today in text and "next" not in text:
        wishes.append(text.replace(today, "today"))
    windows = [window for wish in wishes if (window := _window(wish, dates, now))]
    return [booking for booking in bookings if any(booking.slot.start in window for window in windows)]


def _window(wish: str, dates: DateReader, now: datetime) -> Window | None:
    try:
        return dates.understand(wish, now)
    except DateError:
        return None
