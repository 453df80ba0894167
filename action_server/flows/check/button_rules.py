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
from action_server.project.engine_names import DEFAULT_INTENTS, DEFAULT_SLOTS
from action_server.project.fields import did_you_mean
from action_server.project.yaml_node import Node
from action_server.source import Place

_SET_SLOTS = "/SetSlots"
_ASSIGNMENT = re.compile(r"([^(),=]+)=(\[[^\]]*\]|[^(),]+)")
_INTENT = re.compile(r"/([A-Za-z_][\w/.+-]*)(?:@[\d.]+)?\s*(\{.*|\".*)?", re.DOTALL)
# What engines take for the name of an intent: words, too.
_NAME = re.compile(r"/([^{@]+)")
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
    """Check what a button sends: slots and values, or an intent with entities. Words are fine.

    ``is_template``: engines fill in slots first, as they do in the domain, by Jinja where ``is_jinja`` says so.
    """
    text = payload.strip()
    if text.startswith(_SET_SLOTS):
        _check_slots(subject, text, at)
    elif text.startswith("/") and not (is_jinja and "{" in text.partition(" ")[0][:3]):
        _check_intent(subject, text, at, is_template=is_template, is_jinja=is_jinja)


def _check_intent(subject: Subject, text: str, at: Place, *, is_template: bool, is_jinja: bool) -> None:
    named = _NAME.match(text)
    name = named[1].strip() if named else ""
    match = _INTENT.fullmatch(text)
    if not name or (match is None and not _is_intent(subject, name)):
        fix = (
            "name an intent of the domain, or write `/SetSlots(slot=value)`; flows start by an intent of `nlu_trigger`"
        )
        _report_broken(subject, text, at, fix)
        return
    # A project without intents may have the payloads of its actions understood by something else.
    if subject.domain.intents:
        subject.report_intent(match[1] if match else name, at, "the button sends")
    elif is_template and subject.project.flows and not _is_intent(subject, name):
        what = f"the button sends {name!r}, and the domain has no intents"
        subject.findings.add(catalogue.UNKNOWN_INTENT, at, what, "add it to `intents`, or send words")
    if match and match[2] and not is_jinja:
        _check_json(subject, match[2], at, is_template=is_template)


def _is_intent(subject: Subject, name: str) -> bool:
    return name.partition("/")[0] in {*subject.domain.intents, *DEFAULT_INTENTS}


def _check_slots(subject: Subject, text: str, at: Place) -> None:
    """Check what engines find to set: names and values, wherever they stand."""
    found = _ASSIGNMENT.findall(text)
    if not found:
        _report_broken(subject, text, at, "write `/SetSlots(slot=value)`")
    for name, value in ((name.strip(), value.strip()) for name, value in found):
        if "{" in name + value:
            continue
        if name.startswith(_SET_SLOTS):
            _report_broken(subject, text, at, "write `/SetSlots(slot=value)`")
        else:
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
