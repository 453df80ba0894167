"""What speaks for a flow, and how much."""

from __future__ import annotations

from action_server.flows.commands.flow_evidence import FlowWords, find_candidates
from action_server.flows.commands.generator import DialogueView, FlowView

FLOWS = (
    FlowView("rent_car", "rent a car", "Rent a car for some days."),
    FlowView("return_car", "return a car", "Tell where to return it."),
    FlowView("extend", "extend a rental", ""),
)


def test_rare_words_weigh_more() -> None:
    """One that two flows have counts half; a whole name counts more than its words."""
    found = {c.flow.id: c for c in find_candidates(DialogueView("return my car", flows=FLOWS), FlowWords(FLOWS))}

    assert found["rent_car"].evidence == 0.5
    assert found["return_car"].evidence == 2.5
    assert found["return_car"].is_named
    assert not found["rent_car"].is_named


def test_a_synonym_speaks_for_a_flow() -> None:
    """Nobody knows which word the author chose."""
    [best, *_] = find_candidates(DialogueView("prolong the rental", flows=FLOWS), FlowWords(FLOWS))

    assert (best.flow.id, best.known, best.unknown) == ("extend", 2, 0)


def test_a_verb_of_every_description_speaks_for_none() -> None:
    """Something is told, offered or given everywhere."""
    assert find_candidates(DialogueView("tell offer give", flows=FLOWS), FlowWords(FLOWS)) == []


def test_a_name_is_known_by_all_of_its_words() -> None:
    """Small ones too, in the order they stand in."""
    index = FlowWords(FLOWS)

    assert index.named_by(["rent", "a", "car"]) == FLOWS[0]
    assert index.named_by(["rent", "car"]) == FLOWS[0]
    assert index.named_by(["car"]) is None
