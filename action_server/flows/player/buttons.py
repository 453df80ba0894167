"""Messages that are not words but payloads: what a button sends.

`/SetSlots(a=1, b=2)` sets slots, `/intent{"entity": "value"}` is an intent with entities. Both go past whoever
understands words. There is no payload that starts a flow but through an intent: what else begins with `/` is words.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from action_server.flows.commands.command import Command, SetSlot, StartFlow
from action_server.project.domain import Domain, SlotMapping
from action_server.project.engine_names import DEFAULT_INTENTS
from action_server.project.flows import Flow

_SET_SLOTS = "/SetSlots"
_INTENT = re.compile(r"/([^{@]+)(?:@[0-9.]+)?(\{.+\})?")
_SLASHES = re.compile(r"^[/\s]+")
_ASSIGNMENT = re.compile(r"([^(),=]+)=(\[[^\]]*\]|[^(),]+)")
_NOTHING = ("none", "null", "undefined")
# Beyond this engines read no slot at all, against payloads that take long to match.
_MOST_SLOTS = 10


@dataclass(frozen=True)
class ButtonPayload:
    """What a payload says. ``flows`` are started by force, without looking at their guards."""

    commands: tuple[Command, ...]
    because: str
    intent: str = ""
    entities: tuple[Mapping[str, Any], ...] = ()
    forced: tuple[str, ...] = field(default=())

    @property
    def extractor(self) -> str:
        """Return who found the values, in the engine's words."""
        return "NLU" if self.intent else "CommandPayloadReader"


def read_button_payload(
    message: str, flows: Mapping[str, Flow], domain: Domain, active_flow: str = ""
) -> ButtonPayload | None:
    """Read a message that begins with `/`; None if it is words, or no payload after all."""
    text = message.strip()
    if not text.startswith("/"):
        return None
    if text.startswith(_SET_SLOTS):
        slots = _read_slots(text, domain)
        return ButtonPayload(tuple(slots), "the message is a button's /SetSlots") if slots else None
    match = _INTENT.match(text)
    name = match[1].strip() if match else ""
    if match is None or (name not in domain.intents and name not in DEFAULT_INTENTS):
        return None
    return _read_intent(name, match[2] or "", flows, domain, active_flow)


def words_of(message: str) -> str:
    """Return what is understood of a message that is no payload: without the slashes at its beginning."""
    return _SLASHES.sub("", message).strip() if message.strip().startswith("/") else message


def _read_slots(inside: str, domain: Domain) -> list[SetSlot]:
    """Read `a=1, b=2` up to the first name that is no slot; quotes belong to a value (rasa-pro 3.21.0, read)."""
    found: list[SetSlot] = []
    if inside.count("=") > _MOST_SLOTS:
        return found
    for name, written in _ASSIGNMENT.findall(inside):
        if name.strip() not in domain.slots:
            break
        value = written.strip()
        found.append(SetSlot(name.strip(), None if value.lower() in _NOTHING else value))
    return found


def _read_intent(name: str, payload: str, flows: Mapping[str, Flow], domain: Domain, active_flow: str) -> ButtonPayload:
    entities = tuple(_read_entities(payload))
    started = tuple(f.id for f in flows.values() if any(t.intent == name for t in f.nlu_trigger))
    commands: list[Command] = [StartFlow(flow) for flow in started[:1]]
    active = started[0] if started else active_flow
    for slot in domain.slots.values():
        for mapping in slot.mappings:
            value = _value_of_mapping(mapping, name, entities, active)
            if value is not None:
                commands.append(SetSlot(slot.name, value))
                break
    because = f"the message is the intent {name!r}"
    return ButtonPayload(tuple(commands), because, intent=name, entities=entities, forced=started[:1])


def _read_entities(payload: str) -> list[dict[str, Any]]:
    # In a domain the braces are written twice.
    text = payload[1:-1] if payload.startswith("{{") else payload
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return []
    pairs = found.items() if isinstance(found, dict) else ()
    return [
        {"entity": name, "value": value}
        for name, values in pairs
        for value in (values if isinstance(values, list) else [values])
    ]


def _value_of_mapping(mapping: SlotMapping, intent: str, entities: tuple[dict[str, Any], ...], active_flow: str) -> Any:
    """Return the value a mapping takes from an intent and its entities, None if it takes none."""
    if mapping.active_flows and active_flow not in mapping.active_flows:
        return None
    if (mapping.intents and intent not in mapping.intents) or intent in mapping.not_intents:
        return None
    if mapping.type == "from_entity":
        if mapping.role or mapping.group:
            # A button's entities have neither.
            return None
        return next((e["value"] for e in entities if e["entity"] == mapping.entity), None)
    return mapping.value if mapping.type in ("from_intent", "from_trigger_intent") and mapping.intents else None
