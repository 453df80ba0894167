"""Wishes in other languages turned into the English ones that the other modules read; what is said how is data.

Word by word, and no more than that: what is left untranslated makes the English rules, which match whole texts only,
refuse the wish. So a false friend ("guten Morgen" becomes "guten tomorrow") is nothing, not a guess.

Each language has a file in `phrasebooks/`, without accents. Its `phrases` are tried in order before the `weekdays`,
`months`, `numbers` (other forms stand behind a slash) and `words` (each meaning with its words), and those of `after`
behind them; there <weekday>, <month> and <number> stand for the English names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from actions.dates.words import MONTHS, NUMBERS, WEEKDAYS

_FOLDER = Path(__file__).parent / "phrasebooks"
_NAMES = {
    "<weekday>": rf"({'|'.join(WEEKDAYS)})",
    "<month>": rf"({'|'.join(MONTHS)})",
    "<number>": rf"({'|'.join(NUMBERS)}|\d{{1,2}})",
    "<weekdays>": "|".join(WEEKDAYS),
}
# A letter with a stroke is no letter with an accent to Unicode.
_STROKES = str.maketrans("\N{LATIN SMALL LETTER L WITH STROKE}", "l")

_Replacements = Sequence[tuple[re.Pattern[str], str]]


@dataclass(frozen=True)
class _Phrasebook:
    phrases: _Replacements
    words: Mapping[str, str]
    after: _Replacements


def has_phrasebook(language: str) -> bool:
    """Say whether times of day, and days as people say them, are understood in the language."""
    return language == "en" or (_FOLDER / f"{language}.yml").is_file()


def translate(text: str, language: str) -> str | None:
    """Return the wish, which is in lower case, in English as far as it can be told; None for an unknown language."""
    book = _phrasebook(language)
    if book is None:
        return None
    text = _without_accents(text)
    for pattern, replacement in book.phrases:
        text = pattern.sub(replacement, text)
    text = re.sub(r"[a-z]+(?:['-][a-z]+)*", lambda match: book.words.get(match[0], match[0]), text)
    for pattern, replacement in book.after:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


@lru_cache(maxsize=32)
def _phrasebook(language: str) -> _Phrasebook | None:
    if language == "en" or not has_phrasebook(language):
        return None
    read: Mapping[str, Any] = YAML(typ="safe").load((_FOLDER / f"{language}.yml").read_text(encoding="utf-8"))
    words = {word: meaning for meaning, words in read["words"].items() for word in words.split()}
    for key, english in (("weekdays", WEEKDAYS), ("months", MONTHS), ("numbers", NUMBERS)):
        for forms, name in zip(read[key].split(), english, strict=True):
            words |= dict.fromkeys(forms.split("/"), name)
    return _Phrasebook(_compile(read["phrases"]), words, _compile(read["after"]))


def _compile(pairs: Sequence[tuple[str, str]]) -> _Replacements:
    found = []
    for pattern, replacement in pairs:
        for mark, names in _NAMES.items():
            pattern = pattern.replace(mark, names)
        found.append((re.compile(pattern), replacement))
    return found


def _without_accents(text: str) -> str:
    # Many people do not type them: "ubermorgen", "proximo", "fevrier".
    plain = unicodedata.normalize("NFKD", text.translate(_STROKES))
    return "".join(c for c in plain if not unicodedata.combining(c))
