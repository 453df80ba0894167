"""Rules about entities: the options of intents, rules and stories name those of the domain."""

from __future__ import annotations

from action_server.flows.check import catalogue
from action_server.flows.check.stories import steps_of_all
from action_server.flows.check.subject import Subject
from action_server.project.fields import did_you_mean
from action_server.project.yaml_node import Node
from action_server.source import Place

# Of an entity in a story these say something about it; every other key is a name.
_ABOUT_AN_ENTITY = ("role", "group", "value", "start", "end", "confidence", "extractor")


def check_entities(subject: Subject) -> None:
    """Check the entities that intents use and ignore, and those of rules and stories."""
    for section in subject.sources.sections("intents"):
        for element in section.elements():
            for intent, options in element.items():
                for key in ("use_entities", "ignore_entities"):
                    _check_list(subject, options.get(key), f"{key} of the intent {intent!r} names")
    for what, step in steps_of_all(subject.sources):
        found = step.get("entities")
        for element in found.elements() if found is not None else ():
            _check_entity_of_a_step(subject, what, element)


def report_part(subject: Subject, entity: str, key: str, word: str, at: Place) -> None:
    """Report a role or group (``key``) of an entity for which the domain lists others."""
    known = {raw for section in subject.sources.sections("entities") for raw in _listed(section, entity, f"{key}s")}
    if word and known and subject.knows_entities and word not in known:
        subject.findings.add(
            catalogue.UNKNOWN_ENTITY,
            at,
            f"the entity {entity!r} has no {key} {word!r}{did_you_mean(word, known)}",
            f"add it to `{key}s` of the entity, or correct the name",
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
