"""Rules about the domain's responses and slots: their conditions, what their buttons send, and what mappings name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from action_server.flows.check.conditions import check_condition
from action_server.flows.check.flow_rules import check_rejections
from action_server.flows.check.subject import Subject
from action_server.project.domain import Slot, SlotMapping, Variation
from action_server.project.yaml_tree import Node
from action_server.source import Place

_SET_SLOTS = re.compile(r"/SetSlots\((.*)\)", re.DOTALL)
_START_FLOW = re.compile(r"/StartFlow\(([^()]*)\)")
_INTENT = re.compile(r"/([A-Za-z_][\w/.+-]*)(?:@[\d.]+)?\s*(\{.*\})?", re.DOTALL)


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


def check_payload(subject: Subject, payload: str, at: Place) -> None:
    """Check what a button sends: slots and values, a flow, or an intent. Words are fine."""
    text = payload.strip()
    match = _SET_SLOTS.fullmatch(text)
    if match:
        if "{" in match[1]:
            return
        for part in match[1].split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if equals and name.isidentifier():
                subject.report_slot(name, at, "the button sets")
                subject.report_value(name, _slot_value(value), at, "the button sets")
        return
    match = _START_FLOW.fullmatch(text)
    if match:
        name = match[1].strip().strip("\"'")
        if name and "{" not in name:
            subject.report_flow(name, at, "the button starts")
        return
    match = _INTENT.fullmatch(text)
    # A project without intents has its payloads understood by something else.
    if match and subject.domain.intents:
        subject.report_intent(match[1], at, "the button sends")


def _slot_value(value: str) -> str | None:
    text = value.strip("\"'")
    return None if text in ("None", "null", "") else text


def _check_variation(subject: Subject, variation: Variation) -> None:
    if variation.condition is not None:
        check_condition(subject, variation.condition)
    for constraint in variation.constraints:
        if constraint.name:
            subject.report_slot(constraint.name, constraint.at, "the condition reads")
            subject.report_value(constraint.name, constraint.value, constraint.at, "the condition compares")
    node = subject.sources.mapping_at(variation.at)
    for key, buttons in (("buttons", variation.buttons), ("quick_replies", variation.quick_replies)):
        for number, button in enumerate(buttons):
            payload = button.get("payload")
            if isinstance(payload, str):
                check_payload(subject, payload, _payload_place(node, key, number, variation.at))


def _payload_place(node: Node | None, key: str, number: int, otherwise: Place) -> Place:
    found = node.get(key) if node is not None else None
    entries = [e for e in found.elements() if e.is_mapping] if found is not None else []
    return entries[number].keys.get("payload", otherwise) if number < len(entries) else otherwise


def _check_mapping(subject: Subject, slot: Slot, mapping: SlotMapping) -> None:
    node = subject.sources.mapping_at(mapping.at)
    what = f"a mapping of {slot.name!r} names"
    for key, intents in (("intent", mapping.intents), ("not_intent", mapping.not_intents)):
        for intent in intents:
            subject.report_intent(intent, _key_place(node, key, mapping.at), what)
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
