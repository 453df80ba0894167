"""Numbers as people write and say them, with what is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from action_server.flows.commands.words import words

_UNITS = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_NUMERALS = {word: n for n, word in enumerate(_UNITS)} | {word: 20 + 10 * n for n, word in enumerate(_TENS)}
_SCALES = {"hundred": 100, "thousand": 1000}
_CURRENCY = r"(?:dollars?|bucks|euros?|pounds?|francs?|usd|eur|gbp|chf|€|\$|£)"
_NUMBER = re.compile(
    rf"(?<![\w.,-])(?P<sign>[$€£]\s?)?(?P<number>-?\d+(?:,\d{{3}})*(?:\.\d+)?)(?P<thousands>k\b)?"
    rf"(?=(?P<currency>\s?{_CURRENCY}(?!\w))?)(?:(?P<glued>{_CURRENCY})(?!\w)|(?!\w|[.,]\d))",
    re.IGNORECASE,
)
_NUMERAL = "|".join(sorted(_NUMERALS, key=len, reverse=True))
_SPOKEN = re.compile(
    rf"\b(?P<first>a|{_NUMERAL})(?:[\s-](?P<second>{'|'.join(_UNITS[1:10])}))?(?:\s(?P<scale>hundred|thousand))?\b"
    rf"(?=(?P<currency>\s{_CURRENCY}\b)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Number:
    """A number in a text; ``is_money`` if a currency stands with it."""

    value: float | int
    start: int
    end: int
    is_money: bool = False


def find_numbers(text: str) -> tuple[Number, ...]:
    """Return the numbers of a text, in digits and in words up to ninety-nine thousand, from the left."""
    return tuple(sorted((*_in_digits(text), *_in_words(text)), key=lambda number: number.start))


def _in_digits(text: str) -> Iterator[Number]:
    for match in _NUMBER.finditer(text):
        is_money = bool(match["sign"] or match["currency"] or match["glued"])
        written = match["number"]
        if "," in written and not is_money:
            # 1,000 is one thousand to some and one to others.
            continue
        plain = written.replace(",", "")
        value = float(plain) if "." in plain else int(plain)
        yield Number(value * 1000 if match["thousands"] else value, match.start(), match.end(), is_money)


def _in_words(text: str) -> Iterator[Number]:
    for match in _SPOKEN.finditer(text):
        first, second, scale = (match[key] and match[key].casefold() for key in ("first", "second", "scale"))
        if first == "a":
            if scale:
                yield Number(_SCALES[scale], match.start(), match.end(), bool(match["currency"]))
            continue
        value = _NUMERALS[first]
        if second and (value < 20 or value % 10):
            # Two numbers in a row are no number.
            yield Number(value, match.start(), match.end("first"))
            yield Number(_NUMERALS[second], match.start("second"), match.end("second"))
            continue
        value = (value + (_NUMERALS[second] if second else 0)) * _SCALES.get(scale or "", 1)
        yield Number(value, match.start(), match.end(), bool(match["currency"]))
