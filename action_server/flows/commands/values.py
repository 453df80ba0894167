"""Values for slots, read from words by rules: yes and no, numbers, the values of a category."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from action_server.flows.commands.generator import SlotView
from action_server.flows.commands.words import contains_phrase, words

_YES = frozenset(words("yes y yeah yep yup sure ok okay correct right true affirmative absolutely definitely exactly"))
_NO = frozenset(words("no n nope nah negative false wrong incorrect never"))
_POLITE = frozenset(words("please thanks thank you that's that is it of course i do don't am not sir madam"))
_NUMBER = re.compile(r"(?<![\w.,-])-?\d+(?:\.\d+)?(?![\w]|[.,]\d)")
_UNITS = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_NUMERALS = {word: n for n, word in enumerate(_UNITS)} | {word: 20 + 10 * n for n, word in enumerate(_TENS)}


def read_boolean(text: str) -> bool | None:
    """Return what a yes or a no says; None for anything else, both of them included."""
    found = words(text)
    says_yes, says_no = any(w in _YES for w in found), any(w in _NO for w in found)
    rest = [word for word in found if word not in _YES | _NO | _POLITE]
    if says_yes == says_no or len(rest) > 2:
        return None
    return says_yes


def read_number(text: str) -> float | int | None:
    """Return the one number of a text, in digits or in words up to ninety-nine; None if there is none or several."""
    found: list[float | int] = [float(n) if "." in n else int(n) for n in _NUMBER.findall(text)]
    spoken = [_NUMERALS[word] for word in words(text.replace("-", " ")) if word in _NUMERALS]
    if len(spoken) == 2 and spoken[0] >= 20 and 0 < spoken[1] < 10:
        spoken = [sum(spoken)]
    found += spoken
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=20_000)
def _value_words(value: str) -> tuple[str, ...]:
    return tuple(words(value))


def read_category(slot: SlotView, text: str) -> Any:
    """Return the one value of the slot that the text names, as it is or nearly; None if it names none or several."""
    said = words(text)
    named = [value for value in slot.values if contains_phrase(_value_words(str(value)), said)]
    exact = [value for value in named if list(_value_words(str(value))) == said]
    # Of "general" and "general practice", the longer one is meant where both stand.
    longest = [
        v
        for v in named
        if not any(v != w and contains_phrase(_value_words(str(v)), _value_words(str(w))) for w in named)
    ]
    meant = exact or longest
    return meant[0] if len(meant) == 1 else None


def read_value(slot: SlotView, text: str) -> Any:
    """Return what a text says as the answer to the question for a slot; None if it says nothing that fits."""
    if slot.type in ("categorical", "strict_categorical"):
        return read_category(slot, text)
    if slot.type == "bool":
        return read_boolean(text)
    if slot.type == "float":
        return read_number(text)
    stripped = text.strip()
    if not stripped:
        return None
    return (
        [part.strip() for part in re.split(r",|\band\b", stripped) if part.strip()] if slot.type == "list" else stripped
    )
