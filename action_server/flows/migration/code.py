"""Which action code an assistant of flows calls as it is, and what has to change."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from action_server.flows.check.code import Code
from action_server.project.project import Project
from action_server.project.python.facts import ClassFacts

Verdict = Literal["unchanged", "renamed", "split", "look", "not called"]

# What an action of a form's conversation looks at, and what is there in one of flows.
_CLASSIC: Mapping[str, str] = {
    "requested_slot": "the slot `requested_slot` is the form's; a flow's collect step asks by itself",
    "active_loop": "there is no active loop in a flow",
    "ActiveLoop": "there is no active loop in a flow",
    "get_latest_entity_values": "messages have entities only if the pipeline has an extractor of them",
    "get_intent_of_latest_message": "a message that became commands has no intent",
    "get_slots_to_validate": "there is no form that asks for validation",
    "slots_to_validate": "there is no form that asks for validation",
    "trigger_message": "there is no active loop in a flow",
}


@dataclass(frozen=True)
class ActionVerdict:
    """What becomes of an action. ``why`` is empty for one that stays as it is."""

    name: str
    place: str
    verdict: Verdict
    why: str = ""


def judge_actions(project: Project, code: Code) -> list[ActionVerdict]:
    """Judge each action of the package, those that stay first."""
    classes = {cls.source: cls for cls in code.facts.classes}
    found = []
    for action in code.registered:
        cls = classes.get(action.source)
        verdict, why = _judge(action.name, cls, project)
        found.append(ActionVerdict(action.name, str(action.at), verdict, why))
    order = ("unchanged", "renamed", "split", "look", "not called")
    return sorted(found, key=lambda v: (order.index(v.verdict), v.name))


def validated_slots(project: Project, code: Code) -> dict[str, list[str]]:
    """Return, by form, the slots that its class has methods for."""
    classes = {cls.source: cls for cls in code.facts.classes}
    found: dict[str, list[str]] = {}
    for action in code.registered:
        form = action.name.removeprefix("validate_")
        cls = classes.get(action.source)
        if action.name.startswith("validate_") and form in project.domain.forms and cls is not None:
            found[form] = _methods(cls, "validate_")
    return found


def slots_named(code: Code, actions: Collection[str]) -> frozenset[str]:
    """Return the slots that the classes of these actions name."""
    sources = {action.source for action in code.registered if action.name in actions}
    return frozenset(
        use.name
        for module in code.facts.modules
        for use in module.uses
        if use.kind in ("reads slot", "sets slot", "key slot") and f"{module.module}.{use.owner}" in sources
    )


def _judge(name: str, cls: ClassFacts | None, project: Project) -> tuple[Verdict, str]:
    forms = project.domain.forms
    if name == "action_validate_slot_mappings":
        return "not called", "flows validate in validate_<slot>, and by `validation` of the slot"
    if name.startswith("validate_") and name.removeprefix("validate_") in forms:
        return _judge_validator(cls)
    for form in forms:
        if name.startswith(f"action_ask_{form}_"):
            return "renamed", f"name it action_ask_{name.removeprefix(f'action_ask_{form}_')}"
    reasons = sorted({_CLASSIC[word] for word in _words(cls) & _CLASSIC.keys()}) if cls is not None else []
    return ("look", "; ".join(reasons)) if reasons else ("unchanged", "")


def _judge_validator(cls: ClassFacts | None) -> tuple[Verdict, str]:
    if cls is None:
        return "split", "one action validate_<slot> for each slot that it validates"
    parts = [
        f"{method} becomes the action {method}" for method in (f"validate_{s}" for s in _methods(cls, "validate_"))
    ]
    parts += [f"extract_{slot} becomes an action of run_action_every_turn" for slot in _methods(cls, "extract_")]
    if "required_slots" in cls.methods:
        parts.append("required_slots becomes branches of the flow")
    return ("split", "; ".join(parts)) if parts else ("not called", "it validates nothing")


def _methods(cls: ClassFacts, prefix: str) -> list[str]:
    wanted = {"validate_": 4, "extract_": 3}[prefix]
    return [n.removeprefix(prefix) for n, m in cls.methods.items() if n.startswith(prefix) and m.arguments == wanted]


def _words(cls: ClassFacts) -> set[str]:
    """Return the names, attributes and texts in a class's code."""
    try:
        tree = ast.parse(Path(cls.at.file).read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError):
        return set()
    node = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.lineno == cls.at.line), None)
    words: set[str] = set()
    for child in ast.walk(node) if node is not None else ():
        if isinstance(child, ast.Attribute):
            words.add(child.attr)
        elif isinstance(child, ast.Name):
            words.add(child.id)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            words.add(child.value)
    return words
