"""Words and how alike they are, for understanding without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz.distance import JaroWinkler

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
# Shorter ones are alike too easily: "no" and "on".
_SHORTEST = 4
_ALIKE = 0.92
_ENDINGS = ("ations", "ation", "ments", "ment", "ings", "ing", "edly", "ies", "ed", "es", "ly", "s", "e", "y")


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return [word.replace("\u2019", "'") for word in _WORD.findall(text.casefold())]


# Words that tell no flow from another.
STOP_WORDS = frozenset(
    words(
        """
    a about again all also am an and another any are as at be been but by can could did do does for from get give go
    going had has have help her here him his how i i'd i'll i'm if in into is it its just know let like lot make may me
    might mine more must my need needs no not now of off on one or our out over please say see shall she should so some
    someone something tell than that the their them then there these they this those to too up us use user users user's
    very want wants was we were what when where which who will wish with would yes you your
    """
    )
)


# Words for one thing that people do with an assistant, in a row; a message may have another one than the flow's name.
_SYNONYMS = tuple(
    frozenset(row.split())
    for row in (
        "send transfer wire",
        "book reserve",
        "rent hire",
        "renew extend prolong",
        "buy order purchase",
        "change update modify edit switch",
        "show list view display",
        "delete remove erase",
        "find search locate",
        "flight flights fly",
        "luggage baggage",
        "lost stolen",
        "help assistance",
    )
)
_SYNONYMS_OF = {word: tuple(sorted(row - {word})) for row in _SYNONYMS for word in row}


def synonyms_of(word: str) -> tuple[str, ...]:
    """Return other words for the same thing."""
    return _SYNONYMS_OF.get(word, ())


def content_words(text: str) -> list[str]:
    """Return the words that say what a text is about."""
    return [word for word in words(text) if word not in STOP_WORDS]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return a word without its ending, if enough of it is left: "urgently" is "urgent", "bookings" is "book"."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST - 1:
            return word[: -len(ending)]
    return word


# A message's words are compared with those of every flow and value, which share most of theirs.
@lru_cache(maxsize=100_000)
def alike(first: str, second: str) -> bool:
    """Say whether two words are one, but for their endings or a slip of the fingers."""
    if first == second:
        return True
    if min(len(first), len(second)) < _SHORTEST:
        return False
    return stem(first) == stem(second) or (JaroWinkler.similarity(first, second) >= _ALIKE and first[0] == second[0])


def contains_phrase(phrase: Sequence[str], text: Sequence[str]) -> bool:
    """Say whether the words of a phrase stand in a text, next to each other and in order."""
    width = len(phrase)
    return width > 0 and any(
        all(alike(a, b) for a, b in zip(phrase, text[start : start + width], strict=True))
        for start in range(len(text) - width + 1)
    )
