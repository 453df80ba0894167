"""Slots are read with all that the domain may say of them."""

from __future__ import annotations

import pytest

from action_server.project.domain import Slot
from action_server.project.places import Problems
from action_server.project.slot_reader import read_slot
from action_server.project.yaml_tree import parse_tree
from action_server.source import Place


def slot_of(text: str) -> tuple[Slot, list[str]]:
    problems = Problems()
    node = parse_tree(text, "domain.yml", problems)
    assert node is not None
    slot = read_slot("s", node, Place(file="domain.yml", line=1), problems)
    return slot, [p.message for p in problems]


def test_a_slot_without_mappings_is_filled_by_the_language_model() -> None:
    """As the engine completes it."""
    slot, problems = slot_of("type: text")

    assert [m.type for m in slot.mappings] == ["from_llm"]
    assert not slot.is_controlled
    assert problems == []


def test_a_mapping_with_everything() -> None:
    """An intent may be one or a list; `action` is the old name of `run_action_every_turn`."""
    slot, problems = slot_of(
        "{type: text, mappings: [{type: from_entity, entity: city, role: to, group: a, intent: go,"
        " not_intent: [bye, stop], conditions: [{active_flow: travel}], action: action_look,"
        " allow_nlu_correction: true, coexistence_system: NLU}]}"
    )

    (mapping,) = slot.mappings
    assert (mapping.entity, mapping.role, mapping.group) == ("city", "to", "a")
    assert (mapping.intents, mapping.not_intents) == (("go",), ("bye", "stop"))
    assert (mapping.active_flows, slot.every_turn_actions) == (("travel",), ("action_look",))
    assert problems == []


def test_a_float_has_the_bounds_it_is_given() -> None:
    """And none where the domain says nothing."""
    slot, _ = slot_of("{type: float, min_value: 1, max_value: 9.5}")
    unbounded, _ = slot_of("type: float")

    assert (slot.min_value, slot.max_value) == (1, 9.5)
    assert (unbounded.min_value, unbounded.max_value) == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "the slot 's' has no type"),
        ("type: categorical", "the slot 's' is categorical and has no `values`"),
        ("{type: text, influence_conversation: maybe}", "'influence_conversation' of the slot 's' has to be true or"),
        ("{type: text, mappings: [{type: from_llm, allow_nlu_correction: 1}]}", "has to be true or false, not a"),
        ("{type: text, mappings: [{type: from_lm}]}", "'from_lm' is not a type of mappings"),
        ("{type: text, validation: {}}", "the validation of the slot 's' has no `rejections`"),
    ],
)
def test_what_cannot_be_read_is_a_problem(text: str, message: str) -> None:
    """Keys that only other engines need are checked as well."""
    assert any(message in problem for problem in slot_of(text)[1]), slot_of(text)[1]
