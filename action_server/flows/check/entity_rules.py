"""Rules about entities: the options of intents, rules, stories and training examples name those of the domain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from action_server.findings.rule import Severity
from action_server.flows.check import catalogue
from action_server.flows.check.stories import steps_of_all
from action_server.flows.check.subject import Subject
from action_server.project.fields import did_you_mean
from action_server.project.yaml_node import Node
from action_server.source import Place

# `[Vienna](city)`, `[Vienna](city:value)`, `[Vienna]{"entity": "city", "role": "to"}`, and a list of the latter.
_ANNOTATION = re.compile(r"\[[^\[\]]+\](?:\(([^():]+)(?::[^()]*)?\)|(\{[^{}]*\}|\[\{.*?\}\]))")
# Of an entity in a story these say something about it; every other key is a name.
_ABOUT_AN_ENTITY = ("role", "group", "value", "start", "end", "confidence", "extractor")


def check_entities(subject: Subject) -> None:
    """Check the entities that intents use and ignore, and those of rules, stories and training examples."""
    for section in subject.sources.sections("intents"):
        for element in section.elements():
            for intent, options in element.items():
                for key in ("use_entities", "ignore_entities"):
                    _check_list(subject, options.get(key), f"{key} of the intent {intent!r} names")
    for what, step in steps_of_all(subject.sources):
        found = step.get("entities")
        for element in found.elements() if found is not None else ():
            _check_entity_of_a_step(subject, what, element)
    for section in subject.sources.sections("nlu"):
        for element in section.elements():
            _check_examples(subject, element.get("examples"))


def report_part(
    subject: Subject, entity: str, key: str, word: str, at: Place, severity: Severity | None = None
) -> None:
    """Report a role or group (``key``) of an entity for which the domain lists others."""
    known = {raw for section in subject.sources.sections("entities") for raw in _listed(section, entity, f"{key}s")}
    if word and known and subject.knows_entities and word not in known:
        subject.findings.add(
            catalogue.UNKNOWN_ENTITY,
            at,
            f"the entity {entity!r} has no {key} {word!r}{did_you_mean(word, known)}",
            f"add it to `{key}s` of the entity, or correct the name",
            severity,
        )


def _listed(section: Node, entity: str, key: str) -> list[str]:
    options = [element.get(entity) for element in section.elements()]
    lists = [found.get(key) for found in options if found is not None]
    return [node.raw for found in lists if found is not None for node in found.elements()]


def _check_list(subject: Subject, node: Node | None, what: str) -> None:
    # `true` is all of them.
    for element in node.elements() if node is not None else ():
        if element.is_scalar and element.raw:
            subject.report_entity(element.raw, element.place, what)


def _check_entity_of_a_step(subject: Subject, what: str, element: Node) -> None:
    if element.is_scalar and element.raw:
        subject.report_entity(element.raw, element.place, f"{what} names")
        return
    named = element.get("entity")
    if named is not None and named.raw and "entity" not in subject.domain.entities:
        names = {named.raw: named.place}
    else:
        names = {key: at for key, at in element.keys.items() if key not in _ABOUT_AN_ENTITY}
    for name, at in names.items():
        subject.report_entity(name, at, f"{what} names")
        for key in ("role", "group"):
            part = element.get(key)
            if part is not None and part.is_scalar:
                report_part(subject, name, key, part.raw, part.place)


def _check_examples(subject: Subject, examples: Node | None) -> None:
    for at, text in _lines_of(examples) if examples is not None else ():
        for found in _annotations_in(text):
            # An entity that only a model finds and only an action reads need not be in the domain: it is warned of.
            name = str(found.get("entity", ""))
            subject.report_entity(name, at, "a training example names", "warning")
            for key in ("role", "group"):
                report_part(subject, name, key, str(found.get(key, "")), at, "warning")


def _lines_of(examples: Node) -> Iterator[tuple[Place, str]]:
    """Yield the training examples of an intent, each with its place."""
    for element in (examples,) if examples.is_scalar else examples.elements():
        text = element.get("text") or element
        lines = text.raw.splitlines()
        # A text of several lines begins below the sign that says so.
        first = text.place.line + (len(lines) > 1)
        yield from ((replace(text.place, line=first + number), line) for number, line in enumerate(lines))


def _annotations_in(text: str) -> Iterator[Mapping[str, Any]]:
    for match in _ANNOTATION.finditer(text):
        if match[1]:
            yield {"entity": match[1].strip()}
            continue
        try:
            found = json.loads(match[2])
        except ValueError:
            continue
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, dict) and one.get("entity"):
                yield one
