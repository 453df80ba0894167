"""Rules about rules, stories and forms: the classic side of a project."""

from __future__ import annotations

from collections.abc import Iterator

from action_server.flows.check import catalogue
from action_server.flows.check.subject import Subject
from action_server.project.sources import Sources
from action_server.project.yaml_node import Node
from action_server.source import Place


def check_stories(subject: Subject) -> None:
    """Check each step of each rule and story."""
    for what, step in steps_of_all(subject.sources):
        _check_step(subject, what, step)


def check_forms(subject: Subject) -> None:
    """Check each form: its slots exist and, in a project without flows, something fills them."""
    is_classic = not subject.project.flows and subject.knows_flows and not subject.sources.find("flows")
    for form in subject.domain.forms.values():
        node = subject.sources.find("forms", form.name, "required_slots")
        places = _names(node) if node is not None else {}
        for name in form.required_slots:
            at = places.get(name, form.at)
            subject.report_slot(name, at, f"the form {form.name!r} requires")
            declared = subject.sources.find("slots", name)
            if is_classic and declared is not None and declared.is_mapping and declared.get("mappings") is None:
                subject.findings.add(
                    catalogue.FORM_SLOT_WITHOUT_MAPPING,
                    at,
                    f"the form {form.name!r} requires {name!r}, which has no mappings",
                    "add `mappings` to the slot, such as `- type: from_text`",
                )
        ignored = subject.sources.find("forms", form.name, "ignored_intents")
        places = _names(ignored) if ignored is not None else {}
        for intent in form.ignored_intents:
            subject.report_intent(intent, places.get(intent, form.at), f"the form {form.name!r} ignores")


def actions_of_stories(sources: Sources) -> Iterator[tuple[str, Place]]:
    """Yield the actions that rules and stories run, with their places."""
    for _, step in steps_of_all(sources):
        action = step.get("action")
        if action is not None and action.is_scalar and action.raw:
            yield action.raw, step.keys["action"]


def entries(sources: Sources, key: str) -> Iterator[Node]:
    """Yield the stories or rules of all files that can be read."""
    for section in sources.sections(key):
        yield from (entry for entry in section.elements() if entry.is_mapping)


def steps_of(entry: Node) -> Iterator[Node]:
    """Yield the steps of a story, those of its condition and under `or` as well."""
    for key in ("condition", "steps"):
        found = entry.get(key)
        for step in found.elements() if found is not None else ():
            yield from _with_alternatives(step)


def steps_of_all(sources: Sources) -> Iterator[tuple[str, Node]]:
    """Yield all steps of rules and stories, each with words for where it stands."""
    for key, what in (("rules", "the rule"), ("stories", "the story")):
        for entry in entries(sources, key):
            name = entry.get(what.split()[1])
            for step in steps_of(entry):
                yield f"{what} {name.raw if name is not None else ''!r}", step


def _with_alternatives(step: Node) -> Iterator[Node]:
    if not step.is_mapping:
        return
    yield step
    alternatives = step.get("or")
    for other in alternatives.elements() if alternatives is not None else ():
        yield from _with_alternatives(other)


def _check_step(subject: Subject, what: str, step: Node) -> None:
    intent, action, loop, slots = (step.get(key) for key in ("intent", "action", "active_loop", "slot_was_set"))
    if intent is not None and intent.is_scalar and intent.raw:
        subject.report_intent(intent.raw, step.keys["intent"], f"{what} names", is_predicted=True)
    if action is not None and action.is_scalar and action.raw:
        _check_action(subject, what, action.raw, step.keys["action"])
    if loop is not None and loop.is_scalar and loop.value is not None:
        subject.report_form(loop.raw, step.keys["active_loop"], f"{what} names")
    if slots is not None:
        for name, value, at in _slots(slots):
            subject.report_slot(name, at, f"{what} names")
            if value is not None and value.is_scalar:
                subject.report_value(name, value.value, at, f"{what} compares")


def _check_action(subject: Subject, what: str, name: str, at: Place) -> None:
    if not subject.knows_actions or subject.is_listed(name) or not name.replace("/", "_").isidentifier():
        return
    if name.startswith("utter_"):
        subject.report_response(name, at, f"{what} says")
    elif name.endswith("_form") and name not in subject.code.names:
        subject.report_form(name, at, f"{what} runs")
    elif name in subject.code.names:
        fix = f"add `- {name}` to `actions`"
        subject.findings.add(
            catalogue.ACTION_NOT_LISTED, at, f"{what} runs {name!r}, which the domain does not list", fix
        )


def _slots(node: Node) -> Iterator[tuple[str, Node | None, Place]]:
    """Yield name, value and place of `slot_was_set`, in all of its forms; without a value only the name counts."""
    for element in [node] if node.is_mapping else node.elements():
        if element.is_scalar and element.raw:
            yield element.raw, None, element.place
        for name, value in element.items():
            yield name, value, element.keys[name]


def _names(node: Node) -> dict[str, Place]:
    if node.is_mapping:
        return dict(node.keys)
    return {element.raw: element.place for element in node.elements()}
