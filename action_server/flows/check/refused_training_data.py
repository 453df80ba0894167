"""What `rasa train` refuses of training data: keys that do not go together, rules that contradict each other.

The readers of Rasa Open Source 3.6.21 were run; the rules of RulePolicy and the schemas of rasa-pro 3.21.0 were read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from action_server.flows.check.stories import entries
from action_server.flows.check.subject import Subject
from action_server.project.fields import did_you_mean
from action_server.project.settings_parts import mappings_in
from action_server.project.yaml_node import Node

_EXAMPLES = ({"intent", "examples", "metadata"}, *({key, "examples"} for key in ("synonym", "regex", "lookup")))
_USER = {"intent", "user", "entities", "commands"}
_RULE_STEPS = (_USER, {"action"}, {"active_loop"}, {"slot_was_set"}, {"or"})
_STORY_STEPS = (*_RULE_STEPS, {"bot"}, {"stack"}, {"checkpoint", "slot_was_set"})
_ALTERNATIVES = (_USER, {"slot_was_set"})
_CONDITIONS = ({"active_loop"}, {"slot_was_set"})
_KEYS = {
    "stories": {"story", "metadata", "steps"},
    "rules": {"rule", "metadata", "steps", "condition", "conversation_start", "wait_for_user_input"},
}
_FLAGS = ("conversation_start", "wait_for_user_input")
# `[Vienna]{"entity": "city"}`
_ENTITY = re.compile(r"\[[^\]]+\](\{[^}]+\})")


def check_refused_training_data(subject: Subject) -> None:
    """Report what the engine does not take."""
    for section in subject.sources.sections("nlu"):
        _check_list(subject, section, "nlu")
        for element in section.elements():
            _check_examples(subject, element)
    for key, steps in (("stories", _STORY_STEPS), ("rules", _RULE_STEPS)):
        for section in subject.sources.sections(key):
            _check_list(subject, section, key)
            for entry in section.elements():
                _check_entry(subject, entry, key, steps)
    policy = next((p for p in mappings_in(subject.project.config, "policies") if p.get("name") == "RulePolicy"), None)
    if policy is not None:
        _check_rules(subject, policy)


def _check_list(subject: Subject, section: Node, key: str) -> None:
    if not section.is_list:
        subject.refuse(section.place, f"`{key}` is no list", "write a dash in front of each entry")


def _check_keys(subject: Subject, node: Node, kinds: tuple[set[str], ...], what: str) -> bool:
    """Tell whether a mapping has the keys of one of its kinds; report it if not."""
    if not node.is_mapping:
        subject.refuse(node.place, f"{what} is no mapping", "write a key and its value")
        return False
    keys = set(node.keys)
    if any(keys <= kind for kind in kinds):
        return True
    known = sorted(set().union(*kinds))
    unknown = next((key for key in node.keys if key not in known), "")
    if unknown:
        problem, fix = f"has no key {unknown!r}{did_you_mean(unknown, known)}", f"write one of {', '.join(known)}"
    else:
        problem, fix = f"has {' and '.join(sorted(keys))} together", "write one entry for each"
    subject.refuse(node.keys.get(unknown, node.place), f"{what} {problem}", fix)
    return False


def _check_examples(subject: Subject, element: Node) -> None:
    if not _check_keys(subject, element, _EXAMPLES, "an entry of `nlu`"):
        return
    name, examples = element.get("intent"), element.get("examples")
    if name is not None and name.value is not None and not isinstance(name.value, str):
        subject.refuse(name.place, f"the intent {name.raw or name.plain()!r} is no text", "write it in quotes")
    if examples is None:
        return
    listed = list(examples.elements())
    if listed and (name is None or not all(e.is_mapping and set(e.keys) <= {"text", "metadata"} for e in listed)):
        fix = "write `examples: |`, and below it a line with a dash for each"
        subject.refuse(examples.place, "`examples` is a list; engines take one text", fix)
        return
    for text in [examples] if examples.is_scalar else [text for e in listed if (text := e.get("text")) is not None]:
        for written in _ENTITY.findall(text.raw):
            if not _is_json(written):
                what = f"the entity {written!r} of an example is no JSON"
                subject.refuse(text.place, what, "correct its quotes and commas")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _check_entry(subject: Subject, entry: Node, key: str, kinds: tuple[set[str], ...]) -> None:
    what = "a rule" if key == "rules" else "a story"
    if not _check_keys(subject, entry, (_KEYS[key],), what):
        return
    for flag in _FLAGS:
        found = entry.get(flag)
        if found is not None and found.value is not None and not isinstance(found.value, bool):
            subject.refuse(found.place, f"`{flag}` of {what} is neither true nor false", "write one of them")
    for part, allowed in (("steps", kinds), ("condition", _CONDITIONS)):
        found = entry.get(part)
        for step in found.elements() if found is not None else ():
            _check_step(subject, step, allowed, f"a step of {what}" if part == "steps" else f"a condition of {what}")


def _check_step(subject: Subject, step: Node, kinds: tuple[set[str], ...], what: str) -> None:
    if not _check_keys(subject, step, kinds, what):
        return
    slots, alternatives, intent = (step.get(key) for key in ("slot_was_set", "or", "intent"))
    if slots is not None and slots.value is not None and not slots.is_list:
        fix = "write a dash in front of each slot"
        subject.refuse(slots.place, f"`slot_was_set` of {what.removeprefix('a step of ')} is no list", fix)
    if intent is not None and intent.value is not None and not isinstance(intent.value, str):
        subject.refuse(intent.place, f"the intent {intent.raw or intent.plain()!r} is no text", "write it in quotes")
    for other in alternatives.elements() if alternatives is not None else ():
        _check_keys(subject, other, _ALTERNATIVES, f"an `or` of {what.removeprefix('a step of ')}")


def _check_rules(subject: Subject, policy: Mapping[str, Any]) -> None:
    """Report what RulePolicy refuses, unless its settings let it pass."""
    rules = [_Rule(entry) for entry in entries(subject.sources, "rules")]
    for rule in rules if policy.get("restrict_rules", True) is not False else ():
        if rule.messages > 1:
            subject.refuse(rule.node.place, f"the rule {rule.name!r} has several messages", "make it a story")
    seen: dict[str, tuple[str, str]] = {}
    for rule in rules if policy.get("check_for_contradictions", True) is not False else ():
        for before, action in rule.predictions():
            other, first = seen.setdefault(before, (rule.name, action))
            if first != action:
                what = f"the rule {rule.name!r} goes on with {action}, and {other!r} with {first} after the same steps"
                subject.refuse(rule.node.place, what, "let their conditions differ, or take one of them away")
                break


class _Rule:
    """A rule as RulePolicy learns it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        name, steps = node.get("rule"), node.get("steps")
        self.name = name.raw if name is not None else ""
        self._steps = [step for step in (steps.elements() if steps is not None else ()) if step.is_mapping]

    @property
    def messages(self) -> int:
        """Return how many messages of the user it has."""
        return sum(any(_is_message(part) for part in (step, *_alternatives(step))) for step in self._steps)

    def predictions(self) -> Iterator[tuple[str, str]]:
        """Yield what was before each action that follows a message, in an order of its own, and the action.

        Nothing for a rule with an `or`. What a rule begins with is not predicted by it.
        """
        if any(step.get("or") is not None for step in self._steps):
            return
        head = {key: found.plain() for key in ("condition", "conversation_start") if (found := self.node.get(key))}
        before: list[Any] = [head]
        for step in self._steps:
            action = step.get("action")
            follows = any("intent" in part or "user" in part for part in before[1:])
            if action is not None and action.raw != "..." and follows:
                yield json.dumps(before, sort_keys=True, default=str), action.raw
            before.append(step.plain())


def _alternatives(step: Node) -> Iterator[Node]:
    found = step.get("or")
    yield from found.elements() if found is not None else ()


def _is_message(step: Node) -> bool:
    return step.get("intent") is not None or step.get("user") is not None
