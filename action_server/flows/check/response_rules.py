"""Rules about the domain's responses and slots: their conditions, and what mappings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from action_server.flows.check.button_rules import check_buttons
from action_server.flows.check.conditions import check_condition, check_type
from action_server.flows.check.entity_rules import report_part
from action_server.flows.check.flow_rules import check_rejections
from action_server.flows.check.subject import Subject
from action_server.project.domain import Slot, SlotMapping, Variation
from action_server.project.yaml_node import Node
from action_server.source import Place


def check_responses(subject: Subject) -> None:
    """Check each response of the project."""
    for response in subject.domain.responses.values():
        if not response.is_default:
            for variation in response.variations:
                _check_variation(subject, variation)


def check_slots(subject: Subject) -> None:
    """Check each slot of the project: its mappings and its validation."""
    for slot in subject.domain.slots.values():
        if slot.is_default:
            continue
        for mapping in slot.mappings:
            _check_mapping(subject, slot, mapping)
        if slot.validation is not None:
            check_rejections(subject, slot.validation.rejections)
            if slot.validation.refill_utter:
                subject.report_response(slot.validation.refill_utter, slot.validation.at, "the validation asks with")


def _check_variation(subject: Subject, variation: Variation) -> None:
    if variation.condition is not None:
        check_condition(subject, variation.condition)
    for constraint in variation.constraints or ():
        if constraint.name:
            subject.report_slot(constraint.name, constraint.at, "the condition reads")
            subject.report_value(constraint.name, constraint.value, constraint.at, "the condition compares")
            check_type(subject, constraint.name, constraint.value, constraint.at)
    check_buttons(subject, variation)


def _check_mapping(subject: Subject, slot: Slot, mapping: SlotMapping) -> None:
    node = subject.sources.mapping_at(mapping.at)
    what = f"a mapping of {slot.name!r} names"
    for key, intents in (("intent", mapping.intents), ("not_intent", mapping.not_intents)):
        for intent in intents:
            subject.report_intent(intent, _key_place(node, key, mapping.at), what)
    if mapping.entity:
        subject.report_entity(mapping.entity, _key_place(node, "entity", mapping.at), what)
        for key, word in (("role", mapping.role), ("group", mapping.group)):
            report_part(subject, mapping.entity, key, word, _key_place(node, key, mapping.at))
    found = node.get("conditions") if node is not None else None
    nodes = [element for element in found.elements() if element.is_mapping] if found is not None else []
    for number, condition in enumerate(mapping.conditions):
        _check_mapping_condition(subject, what, condition, nodes[number] if number < len(nodes) else None, mapping.at)


def _check_mapping_condition(
    subject: Subject, what: str, condition: Mapping[str, Any], node: Node | None, otherwise: Place
) -> None:
    reports = {
        "active_loop": subject.report_form,
        "requested_slot": subject.report_slot,
        "active_flow": subject.report_flow,
    }
    for key, report in reports.items():
        name = condition.get(key)
        if isinstance(name, str):
            report(name, _key_place(node, key, otherwise), what)


def _key_place(node: Node | None, key: str, otherwise: Place) -> Place:
    return node.keys.get(key, otherwise) if node is not None else otherwise
