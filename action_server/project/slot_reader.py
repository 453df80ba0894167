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

_SYSTEMS = ("NLU", "CALM", "SHARED")
# The key without which a mapping of a type is none.
_NEEDED = {"from_entity": "entity", "from_intent": "value", "from_trigger_intent": "value"}


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
    if slot.is_categorical and not slot.values:
        problems.at(at, f"the slot {name!r} is {kind} and has no `values`", "warning")
    _check_keys(fields, slot)
    return slot


def _check_keys(fields: Fields, slot: Slot) -> None:
    """Check the keys that are not played, and that there are no others: they are the arguments of the slot's class."""
    # Of the classic policies alone.
    fields.check_flag("influence_conversation")
    fields.skip("value_reset_delay", "allow_llm_set", "is_builtin", "filled_by")
    if slot.type == "any" and fields.flag("influence_conversation"):
        fields.problem(
            fields.place_of("influence_conversation"),
            f"{fields.what} is an any, which cannot influence the conversation",
        )
    if "." in slot.type:
        # A class of the project's own takes what it takes.
        fields.note_unknown_keys("warning")
        return
    allowed = ("values",) if slot.is_categorical else ("min_value", "max_value") if slot.type == "float" else ()
    for key in ("values", "min_value", "max_value"):
        if fields.has(key) and key not in allowed:
            fields.problem(fields.place_of(key), f"{fields.what} of the type {slot.type} has no key {key!r}")
    fields.note_unknown_keys()


def _read_values(fields: Fields) -> tuple[Any, ...]:
    # Engines compare them as texts.
    return tuple(v.raw if isinstance(v.value, (bool, int, float)) else v.plain() for v in fields.elements("values"))


def _read_mappings(fields: Fields, at: Place, problems: Problems) -> tuple[SlotMapping, ...]:
    found = [_read_mapping(node, fields.what, problems) for node in fields.elements("mappings")]
    return tuple(found) or (SlotMapping(type="from_llm", at=at),)


def _read_mapping(node: Node, what: str, problems: Problems) -> SlotMapping:
    fields = Fields(node, f"a mapping of {what}", problems)
    kind = fields.text("type") or "from_llm"
    if kind not in MAPPING_TYPES:
        known = ", ".join(MAPPING_TYPES)
        problems.at(
            fields.place_of("type"), f"{kind!r} is not a type of mappings ({known}){did_you_mean(kind, MAPPING_TYPES)}"
        )
    old_name = fields.text("action")
    mapping = SlotMapping(
        type=kind,
        at=node.place,
        entity=fields.text("entity"),
        role=fields.text("role"),
        group=fields.text("group"),
        intents=_one_or_more(fields, "intent"),
        not_intents=_one_or_more(fields, "not_intent"),
        value=fields.plain("value"),
        run_action_every_turn=fields.text("run_action_every_turn") or old_name,
        conditions=tuple(_read_condition(c, what, problems) for c in fields.elements("conditions") if c.is_mapping),
        allow_nlu_correction=fields.flag("allow_nlu_correction"),
        coexistence_system=fields.text("coexistence_system"),
    )
    fields.note_unknown_keys("warning")
    needed = _NEEDED.get(kind)
    if needed and fields.plain(needed) is None:
        fields.problem(node.place, f"a mapping of {what} of the type {kind} needs `{needed}`")
    if mapping.coexistence_system and mapping.coexistence_system not in _SYSTEMS:
        known = ", ".join(_SYSTEMS)
        fields.problem(fields.place_of("coexistence_system"), f"{mapping.coexistence_system!r} is no system ({known})")
    return mapping


def _read_condition(node: Node, what: str, problems: Problems) -> dict[str, Any]:
    fields = Fields(node, f"a condition of a mapping of {what}", problems)
    for key in ("active_loop", "requested_slot", "active_flow"):
        fields.check_text(key)
    fields.note_unknown_keys()
    plain: dict[str, Any] = node.plain()
    return plain


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
    if not entry.has("rejections"):
        problems.at(node.place, f"{entry.what} has no `rejections`")
    elif not validation.rejections:
        problems.at(node.place, f"{entry.what} lists no rejection", "warning")
    if entry.has("refill_utter") and not validation.refill_utter:
        problems.at(entry.place_of("refill_utter"), f"'refill_utter' of {entry.what} has no value")
    entry.note_unknown_keys()
    return validation
