"""English words for a time of day: "at 10", "half past nine", "afternoon", "between 10 and 12"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from actions.dates.words import NUMBER, number

_NOON = 12 * 60
_MIDNIGHT = 24 * 60
# Said to a clinic without "am" or "pm", the hours from one to six are those of the afternoon.
_FIRST_MORNING_HOUR = 7

_PARTS = {
    "morning": (0, _NOON),
    "lunchtime": (_NOON, 14 * 60),
    "afternoon": (_NOON, 18 * 60),
    "evening": (17 * 60, _MIDNIGHT),
    "night": (17 * 60, _MIDNIGHT),
    "early morning": (0, 10 * 60),
    "late morning": (10 * 60, _NOON),
    "early afternoon": (_NOON, 15 * 60),
    "late afternoon": (15 * 60, 18 * 60),
    "early evening": (17 * 60, 19 * 60),
    "late evening": (19 * 60, _MIDNIGHT),
}
# "Half ten" is half past ten, as the British say it; "half to" is what other languages mean by it.
_SHIFTS = {"half past": 30, "half to": -30, "half": 30, "quarter past": 15, "quarter to": -15}
# "Nine ten" may be nine or ten; what is said after an hour here is no hour.
_MINUTES = {"oh five": 5, "fifteen": 15, "twenty": 20, "twenty five": 25, "thirty": 30, "thirty five": 35}
_MINUTES |= {"forty": 40, "forty five": 45, "fifty": 50, "fifty five": 55}

# "Ten to eleven" is 10:50 after "at"; elsewhere it may be from ten to eleven, if nobody says minutes.
_STEPS = {"five": 5, "ten": 10, "twenty": 20, "twenty five": 25}
_STEP = r"(?:five|ten|twenty(?:[ -]five)?)"

_HOUR = rf"(?:\d{{1,2}}|{NUMBER})"
# "Five minutes to half to ten" is 9:25, which is how some languages count.
_SURE_SHIFT = (
    rf"(?:(?:(?:{_STEP}|\d{{1,2}}) minutes? (?:past|to)|{_STEP} past|twenty(?:[ -]five)? to)(?: half to)?"
    rf"|(?:a )?(?:{'|'.join(_SHIFTS)}))"
)
_SHIFT = rf"(?:{_SURE_SHIFT}|{_STEP} to)"
_SHIFT_PARTS = re.compile(r"(?P<step>.+?)(?: minutes?)? (?P<side>past|to)(?P<half> half to)?", re.ASCII)
_MINUTE = rf"(?:{'|'.join(sorted(_MINUTES, key=len, reverse=True))})".replace(" ", "[ -]")
# After "at", "before" and the like a bare number is a time of day; elsewhere it must look like one.
_CLOCK = (
    rf"(?:noon|midday|(?:{_SHIFT} )?(?:{NUMBER}[ -]{_MINUTE}(?!\w)|{_HOUR}(?:[:.]\d\d)?)(?: ?[ap]m)?(?: ?o'?clock)?)"
)
_PLAIN_CLOCK = (
    rf"(?:noon|midday|{_SURE_SHIFT} {_HOUR}(?: ?[ap]m)?|{_HOUR}:\d\d(?: ?[ap]m)?|\d{{1,2}}\.\d\d ?[ap]m"
    rf"|{NUMBER}[ -]{_MINUTE}(?: ?[ap]m)?|{_HOUR} ?[ap]m|{_HOUR} ?o'?clock)"
)
# A range must look like one of times: 2-4pm, 14:00-16:00, and not like a date.
_BARE = r"\d{1,2}(?:[:.]\d\d)?"
_RANGE = re.compile(
    rf"(?<!\S)(?:from )?(?P<start>{_BARE}(?: ?[ap]m)?) ?(?:[-\u2013]|to|until|till) ?(?P<end>{_BARE} ?[ap]m)(?![\w:])"
    r"|(?<!\S)(?P<start_24>\d{1,2}:\d\d) ?[-\u2013] ?(?P<end_24>\d{1,2}:\d\d)(?![\w:])"
    rf"|(?<!\S)(?:from )?(?P<start_noon>{_BARE} ?am) ?(?:-|to|until|till) ?(?P<end_noon>noon|midday)(?!\w)",
    re.ASCII,
)
_BETWEEN = re.compile(
    rf"(?<!\S)(?:between|from) (?P<start>{_CLOCK}) (?:and|to|until|till) (?P<end>{_CLOCK})(?![\w:])", re.ASCII
)
_BOUND = re.compile(rf"(?<!\S)(?P<bound>after|from|before|until|till|by) (?P<clock>{_CLOCK})(?![\w:])", re.ASCII)
_AT = re.compile(rf"(?<!\S)(?:at |@ ?|around |about )(?P<clock>{_CLOCK})(?![\w:])", re.ASCII)
_PLAIN = re.compile(rf"(?<!\S)(?P<clock>{_PLAIN_CLOCK})(?![\w:])", re.ASCII)
_PART = re.compile(rf"(?<!\S)(?:in the |at )?(?P<part>{'|'.join(sorted(_PARTS, key=len, reverse=True))})(?!\w)")
_CLOCK_PARTS = re.compile(
    rf"(?:(?P<shift>{_SHIFT}) )?(?P<hour>{_HOUR})(?:[:.](?P<minute>\d\d)|[ -](?P<said>{_MINUTE}))?"
    r"(?: ?(?P<half>[ap])m)?(?: ?o'?clock)?",
    re.ASCII,
)


_HALF = re.compile(r"[ap]m$")
_BARE_HOUR = re.compile(r"\d{1,2}(?:[:.]\d\d)?", re.ASCII)


@dataclass(frozen=True)
class DayTime:
    """A time of day or, with an `end`, a part of the day; both in minutes since midnight."""

    start: int
    end: int | None = None


def split_time(text: str) -> tuple[DayTime | None, str]:
    """Return the time of day that the text names, if any, and the words that are left.

    Raises `ValueError` for a time that does not exist or contradicts itself ("14:00 in the morning").
    """
    part, rest = _cut(_PART, text)
    name = part["part"] if part else None
    for pattern in (_RANGE, _BETWEEN, _BOUND, _AT, _PLAIN):
        match, without = _cut(pattern, rest)
        if match:
            return _within(_day_time(match, name), name), without
    return (DayTime(*_PARTS[name]), rest) if name else (None, text)


def _cut(pattern: re.Pattern[str], text: str) -> tuple[re.Match[str] | None, str]:
    match = pattern.search(text)
    if match is None:
        return None, text
    return match, f"{text[: match.start()].rstrip()} {text[match.end() :].lstrip()}".strip()


def _day_time(match: re.Match[str], part: str | None) -> DayTime:
    words = match.groupdict()
    start, end = (words.get(name) or words.get(f"{name}_24") or words.get(f"{name}_noon") for name in ("start", "end"))
    if start and end:
        return _span(start, end, part)
    minutes = _minutes(words["clock"], part)
    bound = words.get("bound")
    if bound is None:
        return DayTime(minutes)
    begin, end = _PARTS[part] if part else (0, _MIDNIGHT)
    return DayTime(minutes, end) if bound in {"after", "from"} else DayTime(begin, minutes)


def _span(start: str, end: str, part: str | None) -> DayTime:
    until = _minutes(end, part)
    half = _HALF.search(end)
    if half and _BARE_HOUR.fullmatch(start):
        # "8 to 10pm" begins in the evening, "10 to 2pm" in the morning.
        begin = _minutes(f"{start} {half[0]}", part)
        if begin >= until:
            begin = _minutes(f"{start} am", part)
            if begin < _FIRST_MORNING_HOUR * 60:
                raise ValueError("it would begin at night")
        return DayTime(begin, until)
    return DayTime(_minutes(start, part), until)


def _within(time: DayTime, part: str | None) -> DayTime:
    begin, end = _PARTS[part] if part else (0, _MIDNIGHT)
    last = time.start + 1 if time.end is None else time.end
    if not begin <= time.start < last <= end:
        raise ValueError("the time of day contradicts itself")
    return time


def _minutes(clock: str, part: str | None) -> int:
    match = _CLOCK_PARTS.fullmatch(clock)
    if match is None:  # noon, midday: the only clock words without an hour
        return _NOON
    said = (match["said"] or "").replace("-", " ")
    hour, minute = number(match["hour"]), _MINUTES[said] if said else int(match["minute"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour before or after noon")
        hour = hour % 12 + (12 if match["half"] == "p" else 0)
    elif hour < 12 and _is_after_noon(match["hour"], hour, part):
        hour += 12
    if hour > 23 or minute > 59:
        raise ValueError("no such time of day")
    return hour * 60 + minute + (_shift(match["shift"]) if match["shift"] else 0)


def _shift(said: str) -> int:
    """Return how many minutes after the hour (before it if negative) "ten past" or "quarter to" is."""
    words = said.removeprefix("a ").replace("-", " ")
    if words in _SHIFTS:
        return _SHIFTS[words]
    match = _SHIFT_PARTS.fullmatch(words)
    if match is None:
        raise ValueError("no such part of an hour")
    step = _STEPS[match["step"]] if match["step"] in _STEPS else int(match["step"])
    if step > 29:
        raise ValueError("nobody counts more than half an hour from an hour")
    return (step if match["side"] == "past" else -step) - (30 if match["half"] else 0)


def _is_after_noon(written: str, hour: int, part: str | None) -> bool:
    if part:
        return not part.endswith("morning")
    return 0 < hour < _FIRST_MORNING_HOUR and not written.startswith("0")
