"""Values for slots, read from words by rules: yes and no, numbers, the values of a category."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from rapidfuzz.distance import OSA

from action_server.flows.commands.courtesy import read_text
from action_server.flows.commands.generator import SlotView
from action_server.flows.commands.numbers import find_numbers
from action_server.flows.commands.words import STOP_WORDS, contains_phrase, words

CATEGORIES = ("categorical", "strict_categorical")
_YES = frozenset(
    words("yes y yeah yep yup sure ok okay correct right true affirmative absolutely definitely exactly fine confirm")
)
_NO = frozenset(words("no n nope nah negative false wrong incorrect never"))
_POLITE = frozenset(
    words(
        "please thanks thank you lovely great nice perfect good wonderful that's that is it of course i do don't am "
        "not sir madam"
    )
)
_YES_PHRASES = frozenset(
    {"go ahead", "sounds good", "do it", "please do", "why not", "go for it", "looks good", "no problem"}
)
_NO_PHRASES = frozenset(
    {
        "i don't think so",
        "don't think so",
        "not really",
        "not now",
        "don't",
        "do not",
        "rather not",
        "no need",
        "not yet",
    }
)
_WELCOMED = re.compile(r"\b(?:that|it) would be (?:lovely|great|nice|perfect|good|fine|wonderful)\b")
_UNSURE = re.compile(
    r"\b(?:not (?:so |quite |really |that )?sure|unsure|don't (?:know|care|understand|remember)|no idea)\b"
)
_DENIED = re.compile(r"\bnot (?:ok|okay|correct|right|true|fine|exactly|necessary|needed|required)\b")
_DECLINED = re.compile(r"\A(?:i|we|it|they|that) (?:don't|do not|doesn't|didn't|won't|wouldn't|isn't|wasn't)\b")
_SAYS_MORE = re.compile(r"\b(?:i meant?|wait|what|why|how|instead|actually|change|cancel)\b")
_CLAUSES = re.compile(r"[,.;!]+\s*")
_MOST_OTHER_WORDS = 2
_SHORTEST_MISSPELT = 5
_ADVERB = "ly"
# Adverbs that say nothing of what they are made of.
_SENTENCE_ADVERBS = frozenset(
    words("generally specially especially personally basically normally really surely mostly")
)


def read_boolean(text: str) -> bool | None:
    """Return what a yes or a no says; None for anything else, both of them included."""
    said = " ".join(words(text))
    if _UNSURE.search(said):
        return None
    whole = _boolean_of(words(text))
    clauses = [words(clause) for clause in _CLAUSES.split(text) if clause.strip()]
    if whole is not None or len(clauses) < 2 or _SAYS_MORE.search(said):
        return whole
    # "yes, that one" and "I would sit inside, no": the clause that is nothing but a yes or a no counts.
    edges = {v for c in (clauses[0], clauses[-1]) if (v := _boolean_of(c)) is not None and len(c) <= _MOST_OTHER_WORDS}
    return edges.pop() if len(edges) == 1 else None


def _says_yes(found: Sequence[str], said: str) -> bool:
    return any(word in _YES for word in found) or _has_phrase(_YES_PHRASES, said) or bool(_WELCOMED.search(said))


def _boolean_of(found: Sequence[str]) -> bool | None:
    said = " ".join(found)
    if _DENIED.search(said) or said in ("i don't", "i do not", "we don't"):
        return False
    if said in ("i do", "we do"):
        return True
    says_yes = _says_yes(found, said)
    says_no = (any(word in _NO for word in found) and "no problem" not in said) or _has_phrase(_NO_PHRASES, said)
    rest = [word for word in found if word not in _YES | _NO | _POLITE]
    if says_yes != says_no:
        content = [word for word in rest if word not in STOP_WORDS]
        is_short = len(rest) <= _MOST_OTHER_WORDS or len(content) <= 1
        return says_yes if is_short else None
    if not says_yes and _DECLINED.match(said) and len([word for word in rest if word not in STOP_WORDS]) <= 1:
        return False
    return None


def _has_phrase(phrases: frozenset[str], said: str) -> bool:
    return any(f" {phrase} " in f" {said} " for phrase in phrases)


def read_number(text: str) -> float | int | None:
    """Return the one number of a text, in digits or in words; None if there is none or several."""
    found = find_numbers(text)
    return found[0].value if len(found) == 1 else None


@lru_cache(maxsize=20_000)
def _value_words(value: str) -> tuple[str, ...]:
    return tuple(words(value))


def category_words(value: object) -> tuple[str, ...]:
    """Return the words of a value of a category."""
    return _value_words(str(value))


# A message's words are compared with those of every value.
@lru_cache(maxsize=100_000)
def _is_written(word: str, of: str) -> bool:
    """Say whether a word is that of a value, or a slip of the fingers away; never by its stem."""
    if word == of:
        return True
    if word == f"{of}s" or of == f"{word}s" or (word == f"{of}{_ADVERB}" and word not in _SENTENCE_ADVERBS):
        return True
    if min(len(word), len(of)) < _SHORTEST_MISSPELT or word[0] != of[0] or word.startswith(of) or of.startswith(word):
        return False
    return OSA.distance(word, of, score_cutoff=1) <= 1


def _is_denied(before: Sequence[str]) -> bool:
    """Tell whether a "not" stands right before a value: "not credit", "not the credit card"."""
    return before[-1:] == ["not"] or (before[-2:-1] == ["not"] and before[-1] in ("a", "an", "the", "my"))


def _stands(value: Sequence[str], said: Sequence[str]) -> bool:
    width = len(value)
    return width > 0 and any(
        all(_is_written(a, b) for a, b in zip(said[start : start + width], value, strict=True))
        and not _is_denied(said[:start])
        for start in range(len(said) - width + 1)
    )


def read_category(slot: SlotView, text: str) -> Any:
    """Return the one value of the slot that the text names, as it is or nearly; None if it names none or several."""
    said = words(text)
    named = [value for value in slot.values if _stands(category_words(value), said)]
    exact = [value for value in named if list(category_words(value)) == said]
    # Of "general" and "general practice", the longer one is meant where both stand.
    longest = [
        v for v in named if not any(v != w and contains_phrase(category_words(v), category_words(w)) for w in named)
    ]
    meant = exact or longest
    return meant[0] if len(meant) == 1 else None


def read_value(slot: SlotView, text: str) -> Any:
    """Return what a text says as the answer to the question for a slot; None if it says nothing that fits."""
    if slot.type in CATEGORIES:
        return read_category(slot, text)
    if slot.type == "bool":
        return read_boolean(text)
    if slot.type == "float":
        return read_number(text)
    stripped = text.strip()
    if not stripped:
        return None
    if slot.type == "list":
        return [part.strip() for part in re.split(r",|\band\b", stripped) if part.strip()]
    return read_text(slot, text) if slot.type == "text" else stripped
