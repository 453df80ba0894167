"""English names of numbers, weekdays and months, as dates and times are made of them."""

from __future__ import annotations

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
    *("twentieth", *(f"twenty-{word}" for word in ("first", "second", "third", "fourth", "fifth", "sixth"))),
    *("twenty-seventh", "twenty-eighth", "twenty-ninth", "thirtieth", "thirty-first"),
)

NUMBER = rf"(?:{'|'.join(NUMBERS)})"


def number(word: str) -> int:
    """Return the number that digits or a number word stand for; "a" and "an" are one."""
    if word in {"a", "an"}:
        return 1
    return NUMBERS.index(word) + 1 if word in NUMBERS else int(word)


def weekday(word: str) -> int:
    """Return the weekday that a name or its short form stands for, Monday being 0."""
    return next(index for index, name in enumerate(WEEKDAYS) if name.startswith(word[:3]))


def month(word: str) -> int:
    """Return the month that a name or its short form stands for, January being 1."""
    return next(index for index, name in enumerate(MONTHS, 1) if name.startswith(word[:3]))
