"""Which flow a message asks for: the words that speak for each, weighed by how few flows have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from action_server.flows.commands.generator import DialogueView, FlowView
from action_server.flows.commands.values import CATEGORIES, read_category
from action_server.flows.commands.words import alike, content_words, synonyms_of, words

# Evidence for a flow: a word that only this flow has in its name counts 1, one that n flows share 1/n, and one of the
# description, of an example of its trigger or of a question a little less; a whole name counts 1 more.
_DESCRIPTION_WEIGHT = 0.8
_WHOLE_NAME_BONUS = 1.0
_LEAST_EVIDENCE = 0.2
_MOST_TEXTS = 20_000
# Verbs of descriptions that do not tell one flow from another.
_WHAT_ANY_FLOW_DOES = frozenset(
    words("sell tell tells give gives say says explain explains offer offers provide provides allow allows take takes")
    + words("bring brings ask asks answer answers handle handles lets helps start starts begin")
)


@dataclass(frozen=True)
class Candidate:
    """Hold a flow and what speaks for it. ``is_named``: by its whole name or an example of its trigger.

    ``known`` and ``unknown`` count the words of the message that it has and has not.
    """

    flow: FlowView
    evidence: float
    because: str
    is_named: bool = False
    unknown: int = 0
    known: int = 0


def find_candidates(view: DialogueView, index: FlowWords) -> list[Candidate]:
    """Return the flows that something in the message speaks for, the best first; else in their own order."""
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
    examples = index.flows_with_example(said)
    candidates = []
    for number in sorted(numbers):
        flow, in_name = view.flows[number], in_names[number]
        found = {**in_texts[number], **in_name}
        evidence = sum(_word_evidence(word, in_name, names, texts) for word in found)
        is_named = number in examples or (bool(in_name) and index.is_whole_name(number, in_name.values()))
        evidence += _WHOLE_NAME_BONUS if is_named else 0.0
        reasons = [f"“{word}”" if word == of else f"“{word}” is like “{of}”" for word, of in found.items()]
        for value, flows in values.items():
            if flow.id in flows:
                evidence += 1 / len(flows)
                reasons.append(value)
        if evidence >= _LEAST_EVIDENCE:
            because = f"{flow.id}: {', '.join(reasons)}"
            candidates.append(Candidate(flow, evidence, because, is_named, len(said) - len(found), len(found)))
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


def _words_of_texts(flow: FlowView) -> Iterable[str]:
    return chain.from_iterable(_description_words(text) for text in (flow.description, *flow.examples))


@lru_cache(maxsize=_MOST_TEXTS)
def _all_words(text: str) -> tuple[str, ...]:
    return tuple(words(text))


class FlowWords:
    """The words of the flows there are: those of each, and which flows have a word. Made once for the same flows."""

    def __init__(self, flows: Sequence[FlowView]) -> None:
        self.flows = flows
        self.names = [_name_words(flow.name, flow.id) for flow in flows]
        self.texts = [
            tuple(word for word in _words_of_texts(flow) if word not in _WHAT_ANY_FLOW_DOES) for flow in flows
        ]
        self._examples: dict[frozenset[str], set[int]] = {}
        for number, flow in enumerate(flows):
            for example in flow.examples:
                self._examples.setdefault(frozenset(_description_words(example)), set()).add(number)
        self._named: dict[tuple[str, ...], set[int]] = {}
        for number, flow in enumerate(flows):
            for name in (flow.name, flow.id.replace("_", " ")):
                self._named.setdefault(_all_words(name), set()).add(number)
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
            for of in synonyms_of(word):
                if of in self._flows_with:
                    found[of] = (*found.get(of, ()), word)
        return found

    def flows_with_example(self, said: Sequence[str]) -> set[int]:
        """Return the numbers of the flows that an example starts which has the words of a message and no others."""
        return self._examples.get(frozenset(said), set()) if said else set()

    def named_by(self, said: Sequence[str]) -> FlowView | None:
        """Return the flow whose name, or id, a message is, word by word; None if there is none or several."""
        found = [self.flows[number] for number in self._named.get(tuple(said), ())]
        return found[0] if len(found) == 1 else None

    def is_whole_name(self, number: int, found: Iterable[str]) -> bool:
        """Tell whether the words that were found are all of a flow's name."""
        return set(_description_words(self.flows[number].name)) <= set(found)

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
        value = read_category(slot, view.message) if slot.type in CATEGORIES else None
        flows = tuple(flow for flow in slot.flows if flow in startable)
        if value is not None and flows:
            found[f"“{value}” is a value of {slot.name}"] = flows
    return found
