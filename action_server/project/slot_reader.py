"""Reads one slot of a domain.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from typing import Any

from action_server.project.domain import MAPPING_TYPES, SLOT_TYPES, Slot, SlotMapping, SlotValidation
from action_server.project.fields import Fields, did_you_mean
from action_server.project.places import Problems
from action_server.project.step_reader import read_rejections
from action_server.project.yaml_node import Node
from action_server.source import Place


def read_slot(name: str, node: Node, at: Place, problems: Problems) -> Slot:
    """Read a slot; what cannot be read is a problem."""
    fields = Fields(node, f"the slot {name!r}", problems)
    kind = fields.text("type")
    if not kind:
        problems.at(at, f"the slot {name!r} has no type")
    elif kind not in SLOT_TYPES and "." not in kind:
        known = ", ".join(SLOT_TYPES)
        problems.at(
            fields.place_of("type"), f"{kind!r} is not a type of slots ({known}){did_you_mean(kind, SLOT_TYPES)}"
        )
    slot = Slot(
        name=name,
        type=kind or "any",
        at=at,
        initial_value=fields.plain("initial_value"),
        values=_read_values(fields),
        min_value=fields.number("min_value"),
        max_value=fields.number("max_value"),
        mappings=_read_mappings(fields, at, problems),
        shared_for_coexistence=fields.flag("shared_for_coexistence"),
        validation=_read_validation(fields, problems),
    )
    # Of the classic policies alone.
    fields.check_flag("influence_conversation")
    fields.skip("auto_fill", "value_reset_delay", "metadata", "description")
    fields.note_unknown_keys("warning")
    if slot.is_categorical and not slot.values:
        problems.at(at, f"the slot {name!r} is {kind} and has no `values`")
    return slot


def _read_values(fields: Fields) -> tuple[Any, ...]:
    # Engines compare them as texts.
    return tuple(v.raw if isinstance(v.value, (bool, int, float)) else v.plain() for v in fields.elements("values"))


def _read_mappings(fields: Fields, at: Place, problems: Problems) -> tuple[SlotMapping, ...]:
    found = [_read_mapping(node, fields.what, problems) for node in fields.elements("mappings")]
    return tuple(found) or (SlotMapping(type="from_llm", at=at),)


def _read_mapping(node: Node, what: str, problems: Problems) -> SlotMapping:
    fields = Fields(node, f"a mapping of {what}", problems)
    kind = fields.text("type")
    if kind not in MAPPING_TYPES:
        known = ", ".join(MAPPING_TYPES)
        problems.at(
            fields.place_of("type"), f"{kind!r} is not a type of mappings ({known}){did_you_mean(kind, MAPPING_TYPES)}"
        )
    old_name = fields.text("action")
    mapping = SlotMapping(
        type=kind or "from_llm",
        at=node.place,
        entity=fields.text("entity"),
        role=fields.text("role"),
        group=fields.text("group"),
        intents=_one_or_more(fields, "intent"),
        not_intents=_one_or_more(fields, "not_intent"),
        value=fields.plain("value"),
        run_action_every_turn=fields.text("run_action_every_turn") or old_name,
        conditions=tuple(c.plain() for c in fields.elements("conditions") if c.is_mapping),
        allow_nlu_correction=fields.flag("allow_nlu_correction"),
        coexistence_system=fields.text("coexistence_system"),
    )
    fields.note_unknown_keys("warning")
    return mapping


def _one_or_more(fields: Fields, key: str) -> tuple[str, ...]:
    node = fields.take(key)
    if node is None or node.value is None:
        return ()
    return fields.texts(key) if node.is_list else (node.raw,)


def _read_validation(fields: Fields, problems: Problems) -> SlotValidation | None:
    node = fields.take("validation")
    if node is None or node.value is None:
        return None
    entry = Fields(node, f"the validation of {fields.what}", problems)
    validation = SlotValidation(
        rejections=read_rejections(entry, problems), refill_utter=entry.text("refill_utter"), at=node.place
    )
    if not validation.rejections:
        problems.at(node.place, f"{entry.what} has no `rejections`")
    entry.note_unknown_keys()
    return validation
