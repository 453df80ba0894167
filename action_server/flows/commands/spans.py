"""What in a message is told by its look: addresses, handles, codes, days, times, numbers, names after a preposition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from action_server.flows.commands.slot_kinds import Kind

_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)"
)
_CLOCK = r"(?:\d{1,2}(?::\d\d)?\s?(?:am|pm)\b|\d{1,2}:\d\d|noon\b|midnight\b)"
_DATE = re.compile(
    rf"\b(?:(?:the\s)?day\safter\stomorrow|today|tonight|tomorrow(?:\s(?:morning|afternoon|evening))?"
    rf"|(?:(?:next|this|coming)\s)?{_DAY}(?:\s(?:morning|afternoon|evening))?|(?:next|this)\s(?:week|month|weekend)"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}\b(?:,?\s\d{{4}})?|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}})?"
    rf"|\d{{4}}-\d\d-\d\d|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}})\b",
    re.IGNORECASE,
)
_AT_TIME = re.compile(rf"\s(?:at\s)?(?:{_CLOCK}|(?<=at\s)\d{{1,2}}\b)", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_HANDLE = re.compile(r"(?<![\w.])@\w[\w.-]*\w")
_PHONE = re.compile(r"(?<![\w-])\+?\d[\d ()/-]{5,}\d(?![\w-])")
_CODE = re.compile(r"#?\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b")
_NO_CODE = re.compile(r"\d+(?:st|nd|rd|th|am|pm|k|eur|usd|gbp|kg|km|h|min|x)\Z", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"(?<![\w.,$€£-])#?\d{4,}(?![\w-]|[.,]\d)")
_NAME = r"[A-Z][\w'\u2019-]*(?:\s+[A-Z][\w'\u2019-]*)*"
_NAMED = re.compile(rf"\b(to|for|from|in|at|near|by|with)\s+({_NAME})")
_BOTH_WAYS = re.compile(r"\bfrom\s+(\w+)\s+to\s+(\w+)")
_LAST_WORD = re.compile(r"\b(?:money|cash|dollars|euros|pounds|bucks|\d[\d.]*)\s+(to)\s+(\w+)(?=\s*(?:please)?[.!]?\Z)")
_NO_NAMES = frozenset({"I", "I'm", "I'd", "I'll", "OK", "My"})
_SHORTEST_CODE = 4


@dataclass(frozen=True)
class Span:
    """A part of a message: its text, what it looks like, where it stands, and the preposition before it, if any."""

    text: str
    kind: Kind
    start: int
    end: int
    preposition: str = ""

    def overlaps(self, start: int, end: int) -> bool:
        """Tell whether it shares a letter with a part of the message."""
        return self.start < end and start < self.end


def find_spans(message: str, *, with_time: bool = False) -> tuple[Span, ...]:
    """Return what is told by its look, from the left; of two that overlap, the one of the surer look.

    ``with_time`` has a time that follows a day count as a part of the day.
    """
    found: list[Span] = []
    for span in _all_spans(message, with_time):
        if not any(other.overlaps(span.start, span.end) for other in found):
            found.append(span)
    return tuple(sorted(found, key=lambda span: span.start))


def find_codes(message: str) -> tuple[Span, ...]:
    """Return the words that have letters and digits, and the long numbers."""
    return (*_codes(message), *_matches(_LONG_NUMBER, Kind.CODE, message))


def _all_spans(message: str, with_time: bool) -> Iterator[Span]:
    yield from _matches(_EMAIL, Kind.EMAIL, message)
    yield from _matches(_HANDLE, Kind.HANDLE, message)
    for date in _matches(_DATE, Kind.DATE, message):
        time = _AT_TIME.match(message, date.end) if with_time else None
        end = time.end() if time else date.end
        yield Span(message[date.start : end], Kind.DATE, date.start, end)
    yield from _matches(re.compile(_CLOCK, re.IGNORECASE), Kind.TIME, message)
    yield from _matches(_PHONE, Kind.PHONE, message)
    yield from find_codes(message)
    for pattern in (_NAMED, _LAST_WORD):
        for match in pattern.finditer(message):
            if match[2].split()[0] not in _NO_NAMES:
                yield Span(match[2], Kind.PERSON, match.start(2), match.end(2), match[1])
    for match in _BOTH_WAYS.finditer(message):
        yield Span(match[1], Kind.PERSON, match.start(1), match.end(1), "from")
        yield Span(match[2], Kind.PERSON, match.start(2), match.end(2), "to")


def _matches(pattern: re.Pattern[str], kind: Kind, message: str) -> Iterator[Span]:
    for match in pattern.finditer(message):
        yield Span(match[0], kind, match.start(), match.end())


def _codes(message: str) -> Iterator[Span]:
    for span in _matches(_CODE, Kind.CODE, message):
        if len(span.text) >= _SHORTEST_CODE and not _NO_CODE.match(span.text):
            yield span
