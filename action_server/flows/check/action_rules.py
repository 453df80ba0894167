"""Rules about actions: every name has a class, every class a name that somebody calls.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from action_server.flows.check import catalogue
from action_server.flows.check.code import KnownAction
from action_server.flows.check.stories import actions_of_stories
from action_server.flows.check.subject import Subject
from action_server.project.engine_names import UTTER, is_default_action
from action_server.project.fields import did_you_mean
from action_server.project.flows import ActionStep
from action_server.source import Place


def check_actions(subject: Subject) -> None:
    """Check the names of actions in YAML against the classes, and the other way round."""
    check_loaded(subject)
    named = list(_actions_in_yaml(subject))
    for listed in subject.domain.actions.values():
        if listed.name.startswith(UTTER):
            subject.report_response(listed.name, listed.at, "the domain lists")
    if subject.code.path is None:
        _check_package_missing(subject, named)
        return
    _check_classes(subject, named)
    if not subject.is_whole:
        return
    names = {name for name, _ in named}
    for action in subject.code.registered:
        if not _check_called(subject, action):
            _check_used(subject, action, names)


def check_loaded(subject: Subject) -> None:
    """Check that the package of actions can be imported, and its classes registered."""
    code = subject.code
    for at, message in code.facts.unread:
        if code.failed_at is None or (code.failed_at.file, code.failed_at.line) != (at.file, at.line):
            subject.findings.add(catalogue.IMPORT_FAILED, at, f"is not Python: {message}", "correct the file")
    if code.failure:
        at = code.failed_at or Place(file=str(code.path))
        message = code.failure.removeprefix(f"{at}: ").rstrip(".")
        if code.is_import_failure:
            fix = "correct it, or install what is missing"
            subject.findings.add(catalogue.IMPORT_FAILED, at, message, fix)
        else:
            fix = "an action is a class with `name()` and `run(self, dispatcher, tracker, domain)`"
            subject.findings.add(catalogue.NOT_AN_ACTION, at, message, fix)
    for duplicate in code.duplicates:
        subject.findings.add(
            catalogue.DUPLICATE_NAME,
            duplicate.replaced,
            f"the action {duplicate.name!r} is also at {duplicate.used}; that one counts",
            "give one of them another name",
            "warning",
        )


def _actions_in_yaml(subject: Subject) -> Iterator[tuple[str, Place]]:
    """Yield the actions that YAML names, with the places; the domain's list first."""
    for listed in subject.domain.actions.values():
        yield listed.name, listed.at
    for flow in subject.project.flows.values():
        for step in flow.steps:
            if isinstance(step, ActionStep) and not (flow.is_pattern and _may_be_the_engines(subject, step.action)):
                node = subject.sources.mapping_at(step.at)
                yield step.action, node.keys.get("action", step.at) if node is not None else step.at
    for slot in subject.domain.slots.values():
        for mapping in slot.mappings:
            if mapping.run_action_every_turn and not slot.is_default:
                yield mapping.run_action_every_turn, mapping.at
    yield from actions_of_stories(subject.sources)


def _may_be_the_engines(subject: Subject, name: str) -> bool:
    """Tell whether an action of a pattern could be one that a newer engine brings along."""
    return not subject.domain.lists(name) and name not in subject.code.names


def _needs_a_class(subject: Subject, name: str) -> bool:
    return (
        name.replace("-", "_").replace(".", "_").isidentifier()
        and not name.startswith("utter_")
        and not is_default_action(name)
        and name not in subject.domain.responses
        and name not in subject.domain.forms
    )


def _check_package_missing(subject: Subject, named: list[tuple[str, Place]]) -> None:
    custom = [(name, at) for name, at in named if _needs_a_class(subject, name)]
    if custom:
        name, at = custom[0]
        subject.findings.add(
            catalogue.ACTIONS_NOT_FOUND,
            at,
            f"{name!r} is an action of the project's own, and there is no package {subject.code.package!r}",
            "name the package with `--actions`, or run the command in its folder",
        )


def _check_classes(subject: Subject, named: list[tuple[str, Place]]) -> None:
    if not subject.code.knows_all_names:
        return
    said: set[str] = set()
    for name, at in named:
        if name in said or name in subject.code.names or not _needs_a_class(subject, name):
            continue
        if not subject.domain.lists(name) and not subject.knows_forms:
            continue
        said.add(name)
        hint = did_you_mean(name, subject.code.names)
        fix = "write a class whose `name()` returns it, or correct the name"
        subject.findings.add(
            catalogue.ACTION_WITHOUT_CLASS, at, f"no class of {subject.code.package!r} has the name {name!r}{hint}", fix
        )


def _check_called(subject: Subject, action: KnownAction) -> bool:
    """Report an action whose name only engines call, where no engine does; tell whether there was one."""
    name = action.name
    reason = None
    if subject.domain.lists(name) and name in subject.actions_of_steps:
        # Whatever it is called, a flow calls it.
        return False
    if name.startswith("validate_"):
        reason = _why_not_validated(subject, name.removeprefix("validate_"), name)
    elif name.startswith("action_ask_"):
        reason = _why_not_asked(subject, name.removeprefix("action_ask_"), name)
    elif name == "action_validate_slot_mappings" and subject.knows_actions and not subject.domain.lists(name):
        reason = "the domain does not list it", f"add `- {name}` to `actions`"
    if reason is None or name in subject.sources.words_beside:
        return False
    why, fix = reason
    subject.findings.add(catalogue.UNCALLED_ACTION, action.at, f"{name!r} is never called: {why}", fix)
    return True


def _why_not_validated(subject: Subject, name: str, action: str) -> tuple[str, str] | None:
    domain = subject.domain
    if not (subject.knows_slots and subject.knows_forms and subject.knows_flows and subject.knows_actions):
        return None
    slot = domain.slots.get(name)
    is_collected = name in subject.collected_slots
    if name not in domain.forms and slot is None:
        hint = did_you_mean(name, [*domain.forms, *domain.slots])
        return f"{name!r} is neither a form nor a slot of the domain{hint}", "correct the name"
    if name not in domain.forms and not is_collected and (slot is None or slot.validation is None):
        if subject.domain.forms or not subject.project.flows:
            return (
                f"{name!r} is a slot, and in a classic project a form validates",
                "write a method of the form's class",
            )
        return f"no flow collects {name!r}", "collect the slot, or remove the class"
    if not domain.lists(action):
        return "the domain does not list it", f"add `- {action}` to `actions`"
    return None


def _why_not_asked(subject: Subject, name: str, action: str) -> tuple[str, str] | None:
    domain = subject.domain
    if not (subject.knows_slots and subject.knows_forms and subject.knows_flows and subject.knows_actions):
        return None
    slots = {name, *(name.removeprefix(f"{form}_") for form in domain.forms)}
    if not slots & domain.slots.keys():
        return f"{name!r} is no slot of the domain{did_you_mean(name, domain.slots)}", "correct the name"
    is_collected = name in subject.collected_slots
    if not is_collected and not domain.forms:
        return f"no flow collects {name!r}", "collect the slot, or remove the class"
    if not domain.lists(action):
        return "the domain does not list it", f"add `- {action}` to `actions`"
    return None


def _check_used(subject: Subject, action: KnownAction, named: set[str]) -> None:
    name = action.name
    if name in named or is_default_action(name) or name in subject.sources.words_beside:
        return
    if any(name in module.strings for module in subject.code.facts.modules):
        # Another action may lead to it.
        return
    if subject.code.path is None or not (subject.knows_actions and subject.knows_flows):
        return
    if not any(cls.source == action.source for cls in subject.code.facts.classes):
        # It came with a library.
        return
    subject.findings.add(
        catalogue.UNUSED_ACTION,
        action.at,
        f"nothing names the action {name!r}",
        "list it in the domain, or remove the class",
    )
