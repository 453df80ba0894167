"""Rules about buttons: each sends something, and what it sends can be read and names what there is.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Mapping
from typing import Any

from action_server.flows.check import catalogue
from action_server.flows.check.subject import Subject
from action_server.project.domain import Variation
from action_server.project.engine_names import DEFAULT_SLOTS
from action_server.project.fields import did_you_mean
from action_server.project.yaml_node import Node
from action_server.source import Place

_SET_SLOTS = re.compile(r"/SetSlots\((.*)\)", re.DOTALL)
_START_FLOW = re.compile(r"/StartFlow\(([^()]*)\)")
_COMMAND = re.compile(r"/(?:SetSlots|StartFlow)\b")
_INTENT = re.compile(r"/([A-Za-z_][\w/.+-]*)(?:@[\d.]+)?\s*(\{.*|\".*)?", re.DOTALL)
# A slot's place in a payload of the domain, and what stands there while nothing is rendered.
_PLACE_OF_A_SLOT = re.compile(r"\{\s*[A-Za-z_][\w.]*\s*\}")
_ANY_VALUE = "1"
# Of a button that has only these nothing else says what it does: a channel's own keys might.
_ONLY_SHOWN = frozenset({"title", "payload", "image_url", "description"})


def check_buttons(subject: Subject, variation: Variation) -> None:
    """Check the buttons and quick replies of a variation."""
    node = subject.sources.mapping_at(variation.at)
    for key, buttons in (("buttons", variation.buttons), ("quick_replies", variation.quick_replies)):
        for number, button in enumerate(buttons):
            payload = button.get("payload")
            if isinstance(payload, str) and payload.strip():
                at = _place(node, key, number, "payload", variation.at)
                check_payload(subject, payload, at, is_template=True, is_jinja=variation.is_jinja)
            else:
                report_without_payload(subject, button, _place(node, key, number, "title", variation.at))


def report_without_payload(subject: Subject, button: Mapping[str, Any], at: Place) -> None:
    """Report a button that has no payload, unless it has a key that says what it does instead."""
    others = [key for key in button if key not in _ONLY_SHOWN and not did_you_mean(key, ["payload"])]
    if button.get("payload") in (None, "") and not others:
        title = str(button.get("title") or "")
        hint = "".join(f"; {key!r} is not `payload`" for key in button if key not in _ONLY_SHOWN)
        subject.findings.add(
            catalogue.BUTTON_WITHOUT_PAYLOAD,
            at,
            f"the button{f' {title!r}' if title else ''} has no payload{hint}",
            "add `payload`: an intent, `/SetSlots(...)` or words",
        )


def check_payload(
    subject: Subject, payload: str, at: Place, *, is_template: bool = False, is_jinja: bool = False
) -> None:
    """Check what a button sends: slots and values, a flow, or an intent with entities. Words are fine.

    ``is_template``: engines fill in slots first, as they do in the domain, by Jinja where ``is_jinja`` says so.
    """
    text = payload.strip()
    if match := _SET_SLOTS.fullmatch(text):
        _check_slots(subject, match[1], at)
    elif match := _START_FLOW.fullmatch(text):
        name = match[1].strip().strip("\"'")
        if name and "{" not in name:
            subject.report_flow(name, at, "the button starts")
    elif _COMMAND.match(text):
        _report_broken(subject, text, at, "write `/SetSlots(slot=value)` or `/StartFlow(flow)`")
    elif match := _INTENT.fullmatch(text):
        # A project without intents has its payloads understood by something else.
        if subject.domain.intents:
            subject.report_intent(match[1], at, "the button sends")
        if match[2] and not is_jinja:
            _check_json(subject, match[2], at, is_template=is_template)


def _check_slots(subject: Subject, text: str, at: Place) -> None:
    if "{" in text:
        return
    if text.strip() and "=" not in text:
        _report_broken(subject, f"/SetSlots({text})", at, "write `/SetSlots(slot=value)`")
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if equals and name.isidentifier():
            subject.report_slot(name, at, "the button sets")
            subject.report_value(name, _slot_value(value), at, "the button sets")


def _slot_value(value: str) -> str | None:
    text = value.strip("\"'")
    return None if text in ("None", "null", "") else text


def _check_json(subject: Subject, text: str, at: Place, *, is_template: bool) -> None:
    if is_template and ("{%" in text or re.match(r"\{\{\s*\w", text)):
        # Made by Jinja.
        return
    try:
        entities = json.loads(_fill_in(text) if is_template else text)
    except (ValueError, RecursionError):
        entities = None
    if not isinstance(entities, dict):
        _report_broken(subject, text, at, 'write the entities as JSON: `{"city": "Vienna"}`')
        return
    _check_entities(subject, entities, at)


def _check_entities(subject: Subject, names: Iterable[str], at: Place) -> None:
    for name in names:
        is_slot = name in subject.domain.slots or name in DEFAULT_SLOTS
        # Actions may read it from the message.
        if not is_slot and subject.domain.intents and name not in subject.strings_of_code and "{" not in name:
            subject.report_entity(name, at, "the button sends")


def _fill_in(text: str) -> str:
    """Put a value where the domain names a slot; `{{` stands for one bracket there."""
    if not text.startswith("{{"):
        return _PLACE_OF_A_SLOT.sub(_ANY_VALUE, text)
    parts = string.Formatter().parse(text)
    return "".join(literal + (_ANY_VALUE if name is not None else "") for literal, name, _, _ in parts)


def _report_broken(subject: Subject, text: str, at: Place, fix: str) -> None:
    subject.findings.add(catalogue.BROKEN_PAYLOAD, at, f"the button's payload cannot be read: {text!r}", fix)


def _place(node: Node | None, key: str, number: int, of: str, otherwise: Place) -> Place:
    found = node.get(key) if node is not None else None
    entries = [e for e in found.elements() if e.is_mapping] if found is not None else []
    if number >= len(entries):
        return otherwise
    return entries[number].keys.get(of, entries[number].place)
