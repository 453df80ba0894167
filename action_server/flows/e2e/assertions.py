"""Reads the `assertions:` of a user's step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from action_server.flows.e2e.checks import (
    ANY_VALUE,
    Check,
    Find,
    Uttered,
    action_executed,
    bot_did_not_utter,
    bot_uttered,
    clarification,
    flow_event,
    format_value,
    slot_was_not_set,
    slot_was_set,
)
from action_server.project.fields import Fields, did_you_mean
from action_server.project.places import Problems
from action_server.project.yaml_node import Node

_GENERATIVE = ("generative_response_is_relevant", "generative_response_is_grounded")
# Those of Mantle, which has no flows.
_MANTLE = ("skill_", "memory_", "ordered_block_", "tool_executed", "tools_within_one_turn")
_OF_MANTLE = "{} is for projects of Mantle, whose skills are not played"
_NEEDS_A_MODEL = "{} asks a language model to judge an answer, which this runner does not do"
# Those that look at what came before the first message as well, in a test's first step (rasa-pro 3.21.0, read).
_SEE_OPENING = ("action_executed", "slot_was_set", "slot_was_not_set", "bot_uttered", "bot_did_not_utter")


def read_assertions(node: Node, problems: Problems) -> Iterator[Check]:
    """Yield the checks of a list of assertions. One that cannot be read, or not be played, is a problem."""
    if not node.is_list:
        problems.at(node.place, "`assertions` has to be a list")
    for element in node.elements():
        if not element.is_mapping or not element.keys:
            problems.at(element.place, "an assertion has to be one `name: ...`")
            continue
        if len(element.keys) > 1:
            problems.at(element.place, "an assertion is one `name: ...`; of these only the first counts", "warning")
        for name, value in list(element.items())[:1]:
            at = element.keys[name]
            if name in _GENERATIVE:
                yield Check(name, at, lambda _: None, cannot_be_judged=_NEEDS_A_MODEL.format(name))
            elif name.startswith(_MANTLE):
                yield Check(name, at, lambda _: None, cannot_be_judged=_OF_MANTLE.format(name))
            elif name not in _READERS:
                hint = did_you_mean(name, _READERS)
                problems.at(at, f"there is no assertion {name!r}{hint}; there are {', '.join(_READERS)}")
            else:
                known = len(problems)
                find, what = _READERS[name](name, value, problems)
                if len(problems) == known:
                    yield Check(f"{name}: {what}", at, find, sees_opening=name in _SEE_OPENING)


Read = tuple[Find, str]


def _flow_started(name: str, node: Node, problems: Problems) -> Read:
    if node.is_scalar and node.raw:
        if not isinstance(node.value, str) or not node.value.strip():
            problems.at(node.place, f"{name} has to name a flow, in quotes if it looks like a number")
        return flow_event(name, [node.raw]), node.raw
    ids, any_of_them = _read_flow_ids(name, node, problems)
    if len(ids) > 1 and not any_of_them:
        problems.at(node.place, f"{name} takes exactly one flow with `operator: all`")
    return flow_event(name, ids, any_of_them=any_of_them), _join_ids(ids, any_of_them)


def _clarification(name: str, node: Node, problems: Problems) -> Read:
    if node.is_list:
        names = [part.value for part in node.elements() if isinstance(part.value, str) and part.value.strip()]
        if not names or len(names) < len(list(node.elements())):
            problems.at(node.place, f"{name} has to list names of flows")
        return clarification(names), ", ".join(names)
    ids, any_of_them = _read_flow_ids(name, node, problems)
    return clarification(ids, by_id=True, any_of_them=any_of_them), _join_ids(ids, any_of_them)


def _read_flow_ids(name: str, node: Node, problems: Problems) -> tuple[list[str], bool]:
    """Read `operator: all|any` with `flow_ids:`; both are needed."""
    fields = Fields(node, name, problems)
    ids, operator = list(fields.texts("flow_ids")), fields.text("operator").lower()
    fields.note_unknown_keys()
    if node.is_mapping and operator not in ("all", "any"):
        problems.at(node.place, f"the operator of {name} has to be all or any, not {operator!r}")
    if node.is_mapping and not ids:
        problems.at(node.place, f"{name} has to name a flow")
    return ids, operator == "any"


def _join_ids(ids: list[str], any_of_them: bool) -> str:
    return (" or " if any_of_them else ", ").join(ids)


def _flow_ended(name: str, node: Node, problems: Problems) -> Read:
    fields = Fields(node, name, problems)
    flow, step = fields.text("flow_id"), fields.text("flow_step_id")
    fields.note_unknown_keys()
    if node.is_mapping and not flow:
        problems.at(node.place, f"{name} has to have a `flow_id`")
    return flow_event(name, [flow], step), f"{flow} at {step}" if step else flow


def _action_executed(name: str, node: Node, problems: Problems) -> Read:
    if not isinstance(node.value, str) or not node.value:
        problems.at(node.place, f"{name} has to name an action")
    return action_executed(node.raw), node.raw


def _slots(name: str, node: Node, problems: Problems) -> Read:
    found: list[tuple[str, Any]] = []
    if not node.is_list:
        problems.at(node.place, f"{name} has to be a list of `name:`, with or without `value:`")
    for part in node.elements():
        fields = Fields(part, f"a slot of {name}", problems)
        slot = fields.text("name")
        found.append((slot, fields.plain("value") if "value" in part.keys else ANY_VALUE))
        fields.note_unknown_keys()
        if part.is_mapping and not slot:
            problems.at(part.place, f"a slot of {name} has to have a `name`")
    finder = slot_was_set if name == "slot_was_set" else slot_was_not_set
    said = (slot if value is ANY_VALUE else f"{slot} = {format_value(value)}" for slot, value in found)
    return finder(found), ", ".join(said)


def _message(name: str, node: Node, problems: Problems) -> Read:
    fields = Fields(node, name, problems)
    response, text = fields.text("utter_name"), fields.text("text_matches")
    buttons = [_button(button, name, problems) for button in fields.elements("buttons")]
    fields.note_unknown_keys()
    if node.is_mapping and not (response or text or buttons):
        problems.at(node.place, f"{name} has to have `utter_name`, `text_matches` or `buttons`")
    if name == "bot_uttered" and fields.has("buttons") and not buttons:
        problems.at(node.place, "`buttons` of bot_uttered has to list some")
    pattern = None
    try:
        pattern = re.compile(text) if text else None
    except re.error as exc:
        problems.at(node.place, f"`text_matches` of {name} is no regular expression: {exc}")
    wanted = Uttered(response, pattern, buttons=buttons)
    titles = f"[{', '.join(button.get('title', '') for button in buttons)}]" if buttons else ""
    said = " ".join(part for part in (response, f"/{text}/" if text else "", titles) if part)
    return (bot_uttered if name == "bot_uttered" else bot_did_not_utter)(wanted), said


def _button(node: Node, name: str, problems: Problems) -> dict[str, str]:
    fields = Fields(node, f"a button of {name}", problems)
    found = {key: fields.text(key) for key in ("title", "payload") if fields.has(key)}
    fields.note_unknown_keys()
    return found


_READERS: Mapping[str, Callable[[str, Node, Problems], Read]] = {
    "flow_started": _flow_started,
    "flow_completed": _flow_ended,
    "flow_cancelled": _flow_ended,
    "pattern_clarification_contains": _clarification,
    "slot_was_set": _slots,
    "slot_was_not_set": _slots,
    "action_executed": _action_executed,
    "bot_uttered": _message,
    "bot_did_not_utter": _message,
}
