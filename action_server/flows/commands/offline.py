"""Understands by rules alone, the same way every time and without a network: for trying flows, not for users.

It knows the names and descriptions of the flows, the values of categorical slots, yes and no, numbers, and that the
answer to a question is meant for the slot that was asked for. What it does not understand it says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from action_server.flows.commands.command import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    HumanHandoff,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from action_server.flows.commands.generator import DialogueView, FlowView, Prediction, SlotView
from action_server.flows.commands.values import read_category, read_value
from action_server.flows.commands.words import alike, content_words, words

_CATEGORIES = ("categorical", "strict_categorical")
# Evidence for a flow: a word that only this flow has in its name counts 1, one that n flows share 1/n, and one of the
# description a little less; a whole name counts 1 more.
_DESCRIPTION_WEIGHT = 0.8
_WHOLE_NAME_BONUS = 1.0
_SURE_EVIDENCE = 1.0
_LEAST_EVIDENCE = 0.2
_AMBIGUOUS_MARGIN = 0.3
_MOST_OPTIONS = 5
_MOST_TEXTS = 20_000

# Whole messages, small words at their ends left out.
_FIXED_PHRASES: tuple[tuple[Command, tuple[str, ...]], ...] = (
    (
        CancelFlow(),
        ("cancel", "cancel that", "cancel it", "stop", "abort", "never mind", "nevermind", "forget it", "quit"),
    ),
    (RepeatBotMessages(), ("repeat", "repeat that", "say that again", "what did you say", "pardon", "come again")),
    (HumanHandoff(), ("human", "agent", "a person", "operator", "talk to a human", "speak to a human", "real person")),
    (SkipQuestion(), ("skip", "skip that", "i'd rather not say", "i prefer not to say", "prefer not to say", "pass")),
    (ChitChat(), ("hello", "hi", "hey", "good morning", "good evening", "how are you", "thanks", "thank you", "bye")),
)
_FILLER_WORDS = frozenset(words("please ok okay oh well just now no let's i i'd want to would like can you could"))
_CORRECTION_MARKERS = (
    ("actually",),
    ("i", "meant"),
    ("i", "mean"),
    ("make", "it"),
    ("change",),
    ("instead",),
    ("rather",),
    ("sorry",),
)


@dataclass(frozen=True)
class _Candidate:
    flow: FlowView
    evidence: float
    because: str


class OfflineCommandGenerator:
    """An `CommandGenerator` of rules; `because` names the words that decided."""

    def __init__(self) -> None:
        self._words = FlowWords(())

    async def predict_commands(self, view: DialogueView) -> Prediction:
        """Return the commands, or CannotHandle with what was tried."""
        said = words(view.message)
        if not said:
            return Prediction([CannotHandle()], "the message has no words")
        if self._words.flows is not view.flows:
            self._words = FlowWords(view.flows)
        candidates = _candidates(view, self._words)
        fixed = _fixed_phrase(said)
        if fixed is not None and (view.active_flow or not isinstance(fixed, CancelFlow)):
            return Prediction([fixed], f"“{view.message.strip()}” is a phrase for {type(fixed).__name__}")
        corrected = _correct_category(view, said)
        if corrected is not None:
            return corrected
        if candidates and candidates[0].evidence >= _SURE_EVIDENCE and candidates[0].flow.id != view.active_flow:
            return _start_best_flow(view, candidates)
        answered = _fill_asked_slot(view)
        if answered is not None:
            return answered
        if candidates and not view.asked_slot:
            return _start_best_flow(view, candidates)
        return Prediction([CannotHandle()], _explain_failure(view))


def _fixed_phrase(said: Sequence[str]) -> Command | None:
    core = list(said)
    while core and core[0] in _FILLER_WORDS:
        core.pop(0)
    while core and core[-1] in _FILLER_WORDS:
        core.pop()
    texts = {" ".join(said), " ".join(core)}
    return next((command for command, phrases in _FIXED_PHRASES if texts & set(phrases)), None)


def _correct_category(view: DialogueView, said: Sequence[str]) -> Prediction | None:
    """A value of another category of the active flow: after a word of correction, or as the whole message."""
    marked = said[0] == "no" or any(_contains_words(marker, said) for marker in _CORRECTION_MARKERS)
    for slot in _slots_of_flow(view, view.active_flow):
        if slot.type not in _CATEGORIES or slot.value is None or slot.name == view.asked_slot:
            continue
        value = read_category(slot, view.message)
        if value is None or value == slot.value:
            continue
        if marked or len(content_words(view.message)) <= len(words(str(value))):
            return Prediction([SetSlot(slot.name, value)], f"corrects {slot.name}: “{value}” is another value of it")
    return None


def _contains_words(marker: Sequence[str], said: Sequence[str]) -> bool:
    width = len(marker)
    return any(tuple(said[start : start + width]) == tuple(marker) for start in range(len(said) - width + 1))


def _fill_asked_slot(view: DialogueView) -> Prediction | None:
    asked = next((slot for slot in view.slots if slot.name == view.asked_slot), None)
    if asked is None:
        return None
    value = read_value(asked, view.message)
    if value is None:
        return None
    others = _set_categories(view, view.active_flow, but=asked.name) if asked.type in (*_CATEGORIES, "bool") else []
    return Prediction([SetSlot(asked.name, value), *others], f"answers the question for {asked.name} ({asked.type})")


def _start_best_flow(view: DialogueView, candidates: Sequence[_Candidate]) -> Prediction:
    best = candidates[0]
    close = [c for c in candidates if best.evidence - c.evidence < _AMBIGUOUS_MARGIN][:_MOST_OPTIONS]
    if len(close) > 1:
        names = ", ".join(c.flow.id for c in close)
        return Prediction([Clarify(tuple(c.flow.id for c in close))], f"{best.because}; that fits {names} alike")
    commands: list[Command] = [StartFlow(best.flow.id), *_set_categories(view, best.flow.id)]
    return Prediction(commands, best.because)


def _set_categories(view: DialogueView, flow: str, but: str = "") -> list[Command]:
    found = [(s.name, read_category(s, view.message)) for s in _slots_of_flow(view, flow) if s.type in _CATEGORIES]
    return [SetSlot(name, value) for name, value in found if value is not None and name != but]


def _slots_of_flow(view: DialogueView, flow: str) -> list[SlotView]:
    return [
        slot
        for slot in view.slots
        if flow in slot.flows or (flow == view.active_flow and slot.name in view.active_flow_slots)
    ]


def _candidates(view: DialogueView, index: FlowWords) -> list[_Candidate]:
    """The flows that something in the message speaks for, the best first; those of one evidence in their own order."""
    said = list(dict.fromkeys(content_words(view.message)))
    alike_words = index.alike_words(said)
    values = _category_evidence(view)
    wanted = {flow for flows in values.values() for flow in flows}
    numbers = index.with_words(alike_words)
    numbers |= {number for number, flow in enumerate(view.flows) if flow.id in wanted} if wanted else set()
    in_names, in_texts = (
        {number: _among(alike_words, said, own[number]) for number in numbers} for own in (index.names, index.texts)
    )
    names, texts = (Counter(word for found in of.values() for word in found) for of in (in_names, in_texts))
    candidates = []
    for number in sorted(numbers):
        flow = view.flows[number]
        found = {**in_texts[number], **in_names[number]}
        evidence = sum(_word_evidence(word, in_names[number], names, texts) for word in found)
        if in_names[number] and set(_description_words(flow.name)) <= set(in_names[number].values()):
            evidence += _WHOLE_NAME_BONUS
        reasons = [f"“{word}”" if word == of else f"“{word}” is like “{of}”" for word, of in found.items()]
        for value, flows in values.items():
            if flow.id in flows:
                evidence += 1 / len(flows)
                reasons.append(value)
        if evidence >= _LEAST_EVIDENCE:
            candidates.append(_Candidate(flow, evidence, f"{flow.id}: {', '.join(reasons)}"))
    return sorted(candidates, key=lambda candidate: -candidate.evidence)


def _word_evidence(word: str, in_name: Mapping[str, str], names: Counter[str], texts: Counter[str]) -> float:
    return 1 / names[word] if word in in_name else _DESCRIPTION_WEIGHT / max(texts[word], names[word])


# The texts of a project are the same in each turn; those of users are not kept.
@lru_cache(maxsize=_MOST_TEXTS)
def _name_words(name: str, flow: str) -> tuple[str, ...]:
    return tuple(content_words(f"{name} {flow.replace('_', ' ')}"))


@lru_cache(maxsize=_MOST_TEXTS)
def _description_words(text: str) -> tuple[str, ...]:
    return tuple(content_words(text))


class FlowWords:
    """The words of the flows there are: those of each, and which flows have a word. Made once for the same flows."""

    def __init__(self, flows: Sequence[FlowView]) -> None:
        self.flows = flows
        self.names = [_name_words(flow.name, flow.id) for flow in flows]
        self.texts = [_description_words(flow.description) for flow in flows]
        self._flows_with: dict[str, list[int]] = {}
        for number, own in enumerate(zip(self.names, self.texts, strict=True)):
            for word in dict.fromkeys(chain.from_iterable(own)):
                self._flows_with.setdefault(word, []).append(number)
        # Words that are alike begin alike.
        self._by_letter: dict[str, list[str]] = {}
        for word in self._flows_with:
            self._by_letter.setdefault(word[0], []).append(word)

    def alike_words(self, said: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the words of flows that words of a message are like, each with these."""
        found: dict[str, tuple[str, ...]] = {}
        for word in said:
            for of in self._by_letter.get(word[0], ()):
                if alike(word, of):
                    found[of] = (*found.get(of, ()), word)
        return found

    def with_words(self, known: Iterable[str]) -> set[int]:
        """Return the numbers of the flows that have one of these words."""
        return {number for word in known for number in self._flows_with[word]}


def _among(alike_words: Mapping[str, Sequence[str]], said: Sequence[str], vocabulary: Sequence[str]) -> dict[str, str]:
    """Return the words of the message that stand in a vocabulary, each with the word it is there."""
    found: dict[str, str] = {}
    for of in vocabulary:
        for word in alike_words.get(of, ()):
            found.setdefault(word, of)
    # In the order they were said in.
    return {word: found[word] for word in said if word in found}


def _category_evidence(view: DialogueView) -> dict[str, tuple[str, ...]]:
    """What the message says of categories, each with the flows that ask for it: a reason to start one of them."""
    startable = {flow.id for flow in view.flows}
    found = {}
    for slot in view.slots:
        value = read_category(slot, view.message) if slot.type in _CATEGORIES else None
        flows = tuple(flow for flow in slot.flows if flow in startable)
        if value is not None and flows:
            found[f"“{value}” is a value of {slot.name}"] = flows
    return found


def _explain_failure(view: DialogueView) -> str:
    asked = next((slot for slot in view.slots if slot.name == view.asked_slot), None)
    if asked is None:
        return "no word of it stands in the name or the description of a flow, and no question was asked"
    wants = f"one of {', '.join(map(str, asked.values))}" if asked.values else f"a value of the type {asked.type}"
    return f"it is no answer to the question for {asked.name} ({wants}), and no flow fits"
