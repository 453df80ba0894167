"""Which parts of a classic project would be flows, and how much each is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from action_server.flows.check.stories import entries
from action_server.flows.migration.conversations import Traffic
from action_server.project.engine_names import is_default_action
from action_server.project.project import Project
from action_server.project.sources import Sources
from action_server.project.yaml_node import Node

# Slots with their values, and actions.
Ending = tuple[tuple[tuple[str, Any], ...], tuple[str, ...]]


@dataclass
class Candidate:
    """A form, or what an intent leads to if that is no form. Counts are of stories and rules that lead there, of
    training examples of the intents that start it, and of real conversations (None without any).

    ``endings`` are the actions after the form with the slots' values that a rule's condition wants for them, and how
    many stories and rules have them.
    """

    name: str
    form: str = ""
    intents: dict[str, None] = field(default_factory=dict)
    actions: dict[str, None] = field(default_factory=dict)
    stories: int = 0
    rules: int = 0
    examples: int = 0
    seen: int | None = None
    endings: Counter[Ending] = field(default_factory=Counter)


def find_candidates(project: Project, sources: Sources, traffic: Traffic | None) -> list[Candidate]:
    """Return the candidates, most used first."""
    found: dict[str, Candidate] = {form: Candidate(form, form) for form in project.domain.forms}
    for key, counted in (("stories", "stories"), ("rules", "rules")):
        for entry in entries(sources, key):
            touched: dict[str, None] = {}
            for name, form in _add_turns(entry, project, found):
                candidate = found.setdefault(name, Candidate(name, form))
                touched[candidate.name] = None
            for name in touched:
                setattr(found[name], counted, getattr(found[name], counted) + 1)
    for candidate in found.values():
        candidate.examples = sum(len(project.nlu.get(intent, ())) for intent in candidate.intents)
        if traffic is not None:
            by_intent = sum(traffic.intents[intent] for intent in candidate.intents)
            candidate.seen = traffic.loops[candidate.form] if candidate.form else by_intent
    return sorted(found.values(), key=_most_used)


def _most_used(candidate: Candidate) -> tuple[int, int, int, bool, str]:
    seen = candidate.seen if candidate.seen is not None else 0
    return -seen, -(candidate.stories + candidate.rules), -candidate.examples, not candidate.form, candidate.name


def _add_turns(entry: Node, project: Project, found: dict[str, Candidate]) -> Iterator[tuple[str, str]]:
    """Note what each turn of a story does; yield the candidates it leads to, with their forms."""
    wanted = tuple(_slots_of_condition(entry))
    for intents, actions in _turns(entry):
        forms = [action for action in actions if action in project.domain.forms]
        if forms:
            yield from _add_forms(intents, actions, wanted, project, found)
            continue
        own = [a for a in actions if not is_default_action(a)]
        if intents and own:
            name = next(iter(intents)).partition("/")[0]
            candidate = found.setdefault(name, Candidate(name))
            candidate.intents.update(dict.fromkeys(intents))
            candidate.actions.update(dict.fromkeys(own))
            yield name, ""


def _add_forms(
    intents: Sequence[str],
    actions: Sequence[str],
    wanted: tuple[tuple[str, Any], ...],
    project: Project,
    found: dict[str, Candidate],
) -> Iterator[tuple[str, str]]:
    first = True
    for position, name in enumerate(actions):
        if name not in project.domain.forms:
            continue
        candidate = found[name]
        if first and intents and all(is_default_action(action) for action in actions[:position]):
            candidate.intents.update(dict.fromkeys(intents))
        first = False
        after = tuple(a for a in actions[position + 1 :] if a != name and not is_default_action(a))
        if after:
            candidate.endings[(wanted, after)] += 1
            candidate.actions.update(dict.fromkeys(a for a in after if a not in project.domain.forms))
        yield name, name


def _slots_of_condition(entry: Node) -> Iterator[tuple[str, Any]]:
    """Yield the slots and values of a rule's condition."""
    conditions = entry.get("condition")
    for condition in conditions.elements() if conditions is not None else ():
        slots = condition.get("slot_was_set")
        for element in [] if slots is None else [slots] if slots.is_mapping else slots.elements():
            yield from ((name, value.value) for name, value in element.items() if value.is_scalar)


def _turns(entry: Node) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the intents and the actions between two messages of the user.

    What is said while a form asks is a turn of its own, and what follows the form is a part of the turn that began it.
    """
    steps = entry.get("steps")
    outer: tuple[list[str], list[str]] = ([], [])
    inner: tuple[list[str], list[str]] | None = None
    form = ""
    for step in steps.elements() if steps is not None else ():
        if not step.is_mapping:
            continue
        loop, action = step.get("active_loop"), step.get("action")
        if loop is not None:
            form = loop.raw if loop.value is not None else ""
        said = _intents(step)
        if inner is not None and (said or not form):
            yield inner
            inner = None
        if (said or step.get("user") is not None) and form:
            inner = (said, [])
        elif said or step.get("user") is not None:
            yield outer
            outer = (said, [])
        if action is not None and action.is_scalar and action.raw and action.raw != form:
            (inner or outer)[1].append(action.raw)
    yield from [inner] if inner is not None else []
    yield outer


def _intents(step: Node) -> list[str]:
    alternatives = step.get("or")
    nodes = [step, *(alternatives.elements() if alternatives is not None else ())]
    found = [node.get("intent") for node in nodes if node.is_mapping]
    return [intent.raw for intent in found if intent is not None and intent.is_scalar and intent.raw]
