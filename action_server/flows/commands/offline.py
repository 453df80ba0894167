"""Understands by rules alone, the same way every time and without a network: for trying flows, not for users.

It knows the names and descriptions of the flows and the examples of their triggers, the values of categorical slots,
yes and no, numbers, days, names after a preposition and other values that are told by their look, and that the answer
to a question is meant for the slot that was asked for. What it does not understand it says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
from action_server.flows.commands.corrections import read_correction
from action_server.flows.commands.first_values import read_values
from action_server.flows.commands.flow_evidence import Candidate, FlowWords, find_candidates
from action_server.flows.commands.generator import DialogueView, Prediction, SlotView
from action_server.flows.commands.slot_kinds import Kind, kind_of
from action_server.flows.commands.values import CATEGORIES, read_value
from action_server.flows.commands.words import words

_SURE_EVIDENCE = 1.0
_AMBIGUOUS_MARGIN = 0.3
_MOST_OPTIONS = 5
_SURE_WORDS = 2

# Whole messages, small words at their ends left out.
_FIXED_PHRASES: tuple[tuple[Command, tuple[str, ...]], ...] = (
    (
        CancelFlow(),
        (
            *("cancel", "cancel that", "cancel it", "cancel this", "stop", "abort", "never mind", "nevermind"),
            *("forget it", "quit", "i changed my mind"),
        ),
    ),
    (RepeatBotMessages(), ("repeat", "repeat that", "say that again", "what did you say", "pardon", "come again")),
    (HumanHandoff(), ("human", "agent", "a person", "operator", "talk to a human", "speak to a human", "real person")),
    (SkipQuestion(), ("skip", "skip that", "i'd rather not say", "i prefer not to say", "prefer not to say", "pass")),
    (
        ChitChat(),
        (
            *("hello", "hi", "hey", "hello there", "hi there", "hey there", "good morning", "good afternoon"),
            *("good evening", "how are you", "thanks", "thank you", "thanks a lot", "many thanks"),
            *("thank you very much", "bye", "goodbye"),
        ),
    ),
)
_FILLER_WORDS = frozenset(words("please ok okay oh well just now no let's i i'd want to would like can you could"))
_HANDOFF = re.compile(
    r"\b(?:talk|speak|chat|connect me|put me through) (?:to|with) (?:a |an |some |the )?(?:real |live |human )?"
    r"(?:human|person|agent|operator|representative|someone|somebody|colleague)\b"
)
_ASKS_TO_KNOW = frozenset({"who", "who's", "whose", "why"})
_CLAUSES = re.compile(r"[,.;!]+\s*")


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
        candidates = find_candidates(view, self._words)
        if said[0] in _ASKS_TO_KNOW:
            # "who invented yoga" is no wish for a class.
            candidates = [candidate for candidate in candidates if candidate.is_named]
        if (named := self._words.named_by(said)) is not None and named.id != view.active_flow:
            return Prediction([StartFlow(named.id)], f"the message is the name of {named.id}")
        fixed = _fixed_phrase(view, said)
        if fixed is not None and (view.active_flow or not isinstance(fixed, CancelFlow)):
            return Prediction([fixed], f"“{view.message.strip()}” is a phrase for {type(fixed).__name__}")
        corrected = read_correction(view, _slots_of_flow(view, view.active_flow))
        if corrected is not None:
            return corrected
        if candidates and candidates[0].flow.id != view.active_flow and _interrupts(view, candidates[0]):
            return _start_best_flow(view, candidates)
        answered = _fill_asked_slot(view)
        if answered is not None:
            return answered
        if candidates and not view.asked_slot:
            return _start_best_flow(view, candidates)
        return Prediction([CannotHandle()], _explain_failure(view))


def _fixed_phrase(view: DialogueView, said: Sequence[str]) -> Command | None:
    whole, asked = _phrase_of(said), _asked(view)
    if isinstance(whole, ChitChat) and asked is not None and asked.type == "bool":
        # "no, thanks" is no small talk there.
        return whole if read_value(asked, view.message) is None else None
    if whole is not None:
        return whole
    if asked is not None and asked.type == "text" and kind_of(asked) is Kind.OPEN:
        # A story may have any clause in it.
        return None
    if _HANDOFF.search(" ".join(said)):
        return HumanHandoff()
    if not view.active_flow:
        return None
    later = [words(clause) for clause in _CLAUSES.split(view.message) if clause.strip()][1:]
    return CancelFlow() if any(isinstance(_phrase_of(clause), CancelFlow) for clause in later) else None


def _phrase_of(said: Sequence[str]) -> Command | None:
    core = list(said)
    while core and core[0] in _FILLER_WORDS:
        core.pop(0)
    while core and core[-1] in _FILLER_WORDS:
        core.pop()
    texts = {" ".join(said), " ".join(core)}
    return next((command for command, phrases in _FIXED_PHRASES if texts & set(phrases)), None)


def _interrupts(view: DialogueView, best: Candidate) -> bool:
    """Tell whether a message starts a flow though a question waits: the more openly it was asked, the surer it must."""
    asked = _asked(view)
    if asked is None:
        return best.evidence >= _SURE_EVIDENCE
    if asked.type in CATEGORIES and read_value(asked, view.message) is not None:
        return best.is_named and best.unknown == 0 and best.known >= _SURE_WORDS
    if asked.type == "text" and kind_of(asked) is Kind.OPEN:
        return best.is_named and best.unknown == 0
    if asked.type in ("text", "list", "any"):
        is_said = best.known >= _SURE_WORDS and best.unknown <= 1
        return best.evidence >= _SURE_EVIDENCE and (is_said or (best.is_named and best.unknown == 0))
    if read_value(asked, view.message) is not None:
        return best.is_named
    return best.evidence >= _SURE_EVIDENCE


def _asked(view: DialogueView) -> SlotView | None:
    return next((slot for slot in view.slots if slot.name == view.asked_slot), None)


def _fill_asked_slot(view: DialogueView) -> Prediction | None:
    asked = _asked(view)
    value = read_value(asked, view.message) if asked is not None else None
    if asked is None or value is None:
        return None
    others: list[Command] = []
    if asked.type in (*CATEGORIES, "bool"):
        slots = [slot for slot in _slots_of_flow(view, view.active_flow) if slot.type in CATEGORIES]
        found = read_values([slot for slot in slots if slot.name != asked.name and slot.value is None], view.message)
        others = [SetSlot(name, other) for name, other in found.items() if other != value]
    return Prediction([SetSlot(asked.name, value), *others], f"answers the question for {asked.name} ({asked.type})")


def _start_best_flow(view: DialogueView, candidates: Sequence[Candidate]) -> Prediction:
    best = candidates[0]
    close = [c for c in candidates if best.evidence - c.evidence < _AMBIGUOUS_MARGIN][:_MOST_OPTIONS]
    found = [(c, read_values(_slots_of_flow(view, c.flow.id), view.message)) for c in close]
    if len(close) > 1:
        # The flow that asks for what was said is meant.
        most = max(len(values) for _, values in found)
        found = [(c, values) for c, values in found if len(values) == most]
    if len(found) > 1:
        names = ", ".join(c.flow.id for c, _ in found)
        return Prediction([Clarify(tuple(c.flow.id for c, _ in found))], f"{best.because}; that fits {names} alike")
    [(best, values)] = found
    return Prediction([StartFlow(best.flow.id), *(SetSlot(n, v) for n, v in values.items())], best.because)


def _slots_of_flow(view: DialogueView, flow: str) -> list[SlotView]:
    return [
        slot
        for slot in view.slots
        if flow in slot.flows or (flow == view.active_flow and slot.name in view.active_flow_slots)
    ]


def _explain_failure(view: DialogueView) -> str:
    asked = next((slot for slot in view.slots if slot.name == view.asked_slot), None)
    if asked is None:
        return "no word of it stands in the name or the description of a flow, and no question was asked"
    wants = f"one of {', '.join(map(str, asked.values))}" if asked.values else f"a value of the type {asked.type}"
    return f"it is no answer to the question for {asked.name} ({wants}), and no flow fits"
