"""One way to say each thing: English wishes in the words that the rules for days and times have."""

from __future__ import annotations

import re

from actions.dates.words import MONTHS, NUMBER, ORDINALS

# "December first", "the first of December": beside a month an ordinal number is a day.
_ORDINAL = rf"({'|'.join(sorted(ORDINALS, key=len, reverse=True))})".replace("-", "[ -]")
# "The first" to "the ninth" may be one of the times that were offered.
_LARGE_ORDINAL = rf"({'|'.join(sorted(ORDINALS[9:], key=len, reverse=True))})".replace("-", "[ -]")
_ANY_MONTH = rf"(?:{'|'.join(MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
_DAY_IN_WORDS = re.compile(rf"(\b{_ANY_MONTH} )(?:the )?{_ORDINAL}\b")
_WORDS_OF_MONTH = re.compile(rf"\b{_ORDINAL}(?= (?:of )?(?:{_ANY_MONTH}|next month)\b)")
_THE_ORDINAL = re.compile(rf"(\bthe ){_LARGE_ORDINAL}\b")

_HOUR = rf"(?:{NUMBER}|\d{{1,2}})\b(?![:.]\d)"
_STEP = r"(five|ten|twenty(?:[ -]five)?)"
_DAY = r"(?:today|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday)"

_REWORDED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.ASCII), words)
    for pattern, words in (
        (r"\b(?:tomm?orr?ow|tmrw?|tmw)\b", "tomorrow"),
        (r"\b(?:a )?fortnight\b", "two weeks"),
        (r"\blunch time\b", "lunchtime"),
        (r"\bchristmas eve\b", "24 december"),
        (r"\bnew year'?s eve\b", "31 december"),
        (r"\bchristmas day\b", "25 december"),
        (r"\bboxing day\b", "26 december"),
        (r"\bnew year'?s day\b", "1 january"),
        (r"\b12 (?:noon|midday)\b", "noon"),
        (r"\btonight\b", "today evening"),
        (r"\b(?:later|still|some ?time) today\b", "today"),
        (rf"\b(?:any ?time|any day|some ?time) (?=on |this |next |after |before |between |from |in |{_DAY})", ""),
        (r"\bthis (morning|lunchtime|afternoon|evening)\b", r"today \1"),
        # "Early tomorrow" is early in the morning; without a day "early" is nothing.
        (rf"\bearly (?:on )?({_DAY}) morning\b", r"\1 early morning"),
        (rf"\bearly (?:on )?({_DAY})$", r"\1 early morning"),
        (r"\b(?:at )?first thing(?: in the morning)?\b(?!.*\bmorning\b)", "in the morning"),
        (r"\bfirst thing ", ""),
        # As the Americans count from an hour.
        (rf"\b(?:a )?quarter after (?={_HOUR})", "quarter past "),
        (rf"\b(?:a )?quarter of (?={_HOUR})", "quarter to "),
        (rf"\b{_STEP} after (?={_HOUR})", r"\1 minutes past "),
        (rf"\b{_STEP} of (?={_HOUR})", r"\1 minutes to "),
        (r"\bat (?:about|around|exactly|precisely) ", "at "),
        (rf"\b(?:(?:at|about|around) )?({NUMBER}|\d{{1,2}})[ -]?ish\b", r"at \1"),
        (rf"\b({_HOUR}|\d{{1,2}}[:.]\d\d|o'?clock|[ap]m) (?:sharp|on the dot)\b", r"\1"),
        (r"\bat (\d{1,2}) fifteen\b", r"at \1:15"),
        (r"\bat (\d{1,2}) thirty\b", r"at \1:30"),
        (r"\bat (\d{1,2}) forty[ -]five\b", r"at \1:45"),
        (r"\bin (?:about|around) ", "in "),
        (r"\bat ([01]\d|2[0-3])([0-5]\d)(?: hours| hrs)?(?![\w:.])", r"at \1:\2"),
        (r"\b(?:not before|(?:no|not) earlier than) ", "after "),
        (r"\b(?:no|not) later than ", "before "),
        (r"^either (?=.+ or )", ""),
        (rf"\b({_DAY}),(?= {_DAY},? or )", r"\1 or"),
        (rf"\b({_DAY}),(?= or )", r"\1"),
    )
)


def reword(text: str) -> str:
    """Return the wish, which is in lower case, in words that the rules have; what is none of these stays as it is."""
    for pattern, words in _REWORDED:
        text = pattern.sub(words, text)
    text = _WORDS_OF_MONTH.sub(_ordinal, _DAY_IN_WORDS.sub(_ordinal, text))
    return _THE_ORDINAL.sub(_ordinal, text)


def _ordinal(match: re.Match[str]) -> str:
    *before, word = match.groups()
    return "".join([*before, f"{ORDINALS.index(word.replace(' ', '-')) + 1}th"])
