"""The polite sentence around an answer: "my name is Ann, thanks" says Ann."""

from __future__ import annotations

import re

from action_server.flows.commands.generator import SlotView
from action_server.flows.commands.slot_kinds import Kind, kind_of, speaks_of
from action_server.flows.commands.spans import Span, find_codes, find_spans
from action_server.flows.commands.words import content_words, words

_LEADS = tuple(
    re.compile(rf"\A(?:{lead})[,:]?\s+(?=\S)", re.IGNORECASE)
    for lead in (
        r"please|ok(?:ay)?|well|oh|u+m+|h+m+|sure|yes|yeah|hi|hello|actually|maybe|perhaps|just|roughly|about|around",
        r"(?:we|i) call (?:it|him|her|them)|(?:he|she|they)(?:['\u2019]s| is| are)(?: called| named)?",
        r"it(?:['\u2019]?s| is| was| would be| will be)(?: called)?|that(?:['\u2019]?s| is| would be| will be)|this is",
        r"i(?:['\u2019]d| would) (?:like|prefer|love|take|need)(?: to (?:have|get|take|see|go|fly|order)|(?! to\b))",
        r"i(?:['\u2019]ll| will) (?:have|take|go with|choose|get)",
        r"i (?:want|need)(?: to (?:have|get|go|fly|travel)|(?! to\b))",
        r"(?:can|could|may) (?:i|we) (?:please )?(?:have|get|take)|give me",
        r"let(?:['\u2019]s| us) (?:say|take|go with|do)",
        r"i(?:['\u2019]m| am)(?: called| from| at| in| leaving)?",
        r"call me|i(?: now)? live|they call me|you can (?:use|call)",
        r"(?:please )?(?:use|call|make it|put|take|deliver (?:it|them)|send (?:it|them)|starting|how about|what about)",
        r"(?:can|could|would|will) you (?:please )?(?:bring|give|send|get|make|put|add)(?: me| us| it| them)?",
        r"(?:it['\u2019]s |it is )?under (?:the name(?: of)?)?",
        r"i (?:think|guess|believe)(?: it(?:['\u2019]?s| is))?",
    )
)
_OWN_LEAD = re.compile(
    r"\A(?:my|the|our|her|his|their)\s+((?:[\w-]+\s+){0,2}[\w-]+)(?:['\u2019]s|\s+(?:is|are|was|would be))\s+(?=\S)",
    re.I,
)
_GENERIC = frozenset(words("name number address one code reference answer new full first it"))
_TRAILS = tuple(
    re.compile(rf"(?<=\S)[,.!]?\s+(?:{trail})[.!]*\Z", re.IGNORECASE)
    for trail in (
        r"(?:would|will) be (?:great|nice|fine|good|best|perfect|ok|okay|ideal)",
        r"(?:works|is fine|is good)(?: well| best)? for (?:me|us)|sounds good",
        r"please|thanks(?: a lot)?|thank you(?: (?:very|so) much)?|thx|instead|then|i (?:think|guess|believe)",
        r"if (?:possible|that['\u2019]?s (?:ok|okay|possible)|you can)|for (?:that|this|me)",
    )
)
_LOOSE_WORDS = frozenset(words("maybe perhaps think works work fine good best great ok okay guess hmm possible"))
_PREPOSITION = re.compile(r"\A(?:to|for|from|in|at|on|by|near|with)\s+(?=\S)", re.IGNORECASE)
_LOOSE_KINDS = frozenset({Kind.PERSON, Kind.PLACE, Kind.ADDRESS, Kind.DATE, Kind.TIME})
_BY_LOOK = frozenset({Kind.EMAIL, Kind.HANDLE})
_TOLD_BY_A_SENTENCE = re.compile(r"\A(?:i|we|it|that|let|can|could|is|are|would|do|how|what)\b", re.IGNORECASE)
_TIMES = frozenset({Kind.DATE, Kind.TIME})
_QUESTION = re.compile(
    r"\A(?:what|why|how|when|where|who|which|is|are|am|do|does|did|can|could|may|must|will|would|should)\b",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(
    r"\A(?:sorry,? )?(?:i|we) (?:(?:do|ca|have)n['\u2019]?t|do not|cannot|have no|have none|forgot)\b",
    re.I,
)
_MOST_WORDS_OF_A_CODE = 3


def read_text(slot: SlotView, message: str) -> str | None:
    """Return the part of an answer that is meant for a text slot; all of it where the words are the user's own.

    None if it is a question, or says that there is no answer.
    """
    text = message.strip()
    kind = kind_of(slot)
    if kind is Kind.OPEN:
        return text
    if kind in _BY_LOOK:
        found = [span for span in find_spans(text) if span.kind is kind]
        if len(found) == 1:
            return found[0].text
    core = _without_preposition(kind, without_courtesy(slot, text))
    if kind in _TIMES and (_TOLD_BY_A_SENTENCE.match(core) or not _is_told_at_length(core)):
        return _one_of(
            tuple(span for span in find_spans(core, with_time=kind is Kind.DATE) if span.kind in _TIMES), core
        )
    if _NO_ANSWER.match(text) or (_QUESTION.match(core) and text.endswith("?")):
        return None
    if kind is Kind.CODE and len(core.split()) > 1:
        return _one_of(find_codes(core), core) if _is_no_code(core) else core
    if kind is Kind.PLACE and _TOLD_BY_A_SENTENCE.match(text):
        names = tuple(span for span in find_spans(core) if span.kind is Kind.PERSON)
        return _one_of(names, core)
    return core


def without_courtesy(slot: SlotView, text: str) -> str:
    """Return an answer without the words before and after it that only make it a sentence."""
    core = text
    while (shorter := _without_trail(_without_lead(slot, core))) != core:
        core = shorter
    return core if core == text else core.rstrip(".!,")


def _without_lead(slot: SlotView, text: str) -> str:
    for lead in _LEADS:
        if match := lead.match(text):
            return text[match.end() :]
    match = _OWN_LEAD.match(text)
    if match and any(word in _GENERIC or speaks_of(slot, word) for word in words(match[1])):
        return text[match.end() :]
    return text


def _without_trail(text: str) -> str:
    for trail in _TRAILS:
        if match := trail.search(text):
            return text[: match.start()]
    return text


def _without_preposition(kind: Kind, text: str) -> str:
    match = _PREPOSITION.match(text) if kind in _LOOSE_KINDS else None
    rest = text[match.end() :] if match else text
    # "on the A1 near Linz" is a place as it is; "in Hamburg", "on 2 May" and "at 3pm" are not.
    is_plain = rest[:1].isupper() or rest[:1].isdigit() or len(rest.split()) == 1 or kind in (Kind.DATE, Kind.TIME)
    return rest if is_plain else text


def _is_told_at_length(text: str) -> bool:
    """Tell whether a day or a time stands among words that may be a part of it."""
    rest = text
    for span in find_spans(text, with_time=True):
        rest = rest.replace(span.text, " ") if span.kind in _TIMES else rest
    return rest != text and not set(content_words(rest)) <= _LOOSE_WORDS


def _is_no_code(text: str) -> bool:
    return len(text.split()) > _MOST_WORDS_OF_A_CODE or any(word.islower() for word in text.split())


def _one_of(found: tuple[Span, ...], text: str) -> str:
    return found[0].text if len(found) == 1 else text
