"""Rules about Python code: what it reads, sets, says and waits for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from action_server.flows.check import catalogue
from action_server.flows.check.button_rules import check_payload, report_without_payload
from action_server.flows.check.subject import Subject
from action_server.project.fields import did_you_mean
from action_server.project.python.facts import VALIDATING_BASES, ClassFacts, ModuleFacts, Use
from action_server.source import Place


def check_code(subject: Subject) -> None:
    """Check what the code names, and how its actions wait."""
    used, unused = _used_classes(subject), _unused_classes(subject)
    validating = {c.source for c in subject.code.facts.subclasses_of(VALIDATING_BASES)}
    for module in subject.code.facts.modules:
        for use in module.uses:
            if use.kind == "returns slot" and f"{module.module}.{use.owner}" not in validating:
                continue
            if f"{module.module}.{use.owner}" not in unused and _counts(subject, module, use, used):
                _check_use(subject, use)
    for cls in subject.code.facts.actions:
        if cls.source not in unused:
            _check_faults(subject, cls, is_form=cls.source in validating)
    if not subject.code.failure:
        for cls in subject.code.facts.subclasses_of(VALIDATING_BASES):
            _check_methods(subject, cls, used)
    for cls in subject.code.facts.subclasses_of(frozenset({"Slots"})):
        _check_fields(subject, cls)
    _check_options(subject)


def _check_faults(subject: Subject, cls: ClassFacts, *, is_form: bool) -> None:
    for method in cls.methods.values():
        for fault in method.faults:
            if fault.rule == "plain-method" and not is_form:
                continue
            if fault.rule not in ("blocking-call", "signal-in-thread") or _is_called_by_the_server(method.name):
                subject.findings.add(catalogue.RULES[fault.rule], fault.at, fault.message, fault.fix)


def _is_called_by_the_server(method: str) -> bool:
    return method in ("run", "required_slots", "validate") or method.startswith(("validate_", "extract_"))


def _used_classes(subject: Subject) -> frozenset[str]:
    """Return the qualified names of classes whose actions this project surely calls."""
    domain = subject.domain
    return frozenset(a.source for a in subject.code.registered if domain.lists(a.name))


def _unused_classes(subject: Subject) -> frozenset[str]:
    """Return the qualified names of classes that were found to be called by nothing: that is all there is to say."""
    rules = (catalogue.UNUSED_ACTION, catalogue.UNCALLED_ACTION)
    places = {finding.place for finding in subject.findings.sorted() if finding.rule in rules}
    return frozenset(action.source for action in subject.code.registered if action.at in places)


def _counts(subject: Subject, module: ModuleFacts, use: Use, used: frozenset[str]) -> bool:
    """Tell whether a use is this project's: code may serve several assistants, and ask before it reads."""
    if use.name in module.guarded:
        return False
    return f"{module.module}.{use.owner}" in used or use.name not in subject.sources.words_beside


def _check_use(subject: Subject, use: Use) -> None:
    if use.kind == "response":
        subject.report_response(use.name, use.at, "the code says")
    elif use.kind == "payload":
        check_payload(subject, use.name, use.at)
    elif use.kind == "button":
        report_without_payload(subject, dict.fromkeys(use.name.split(",")), use.at)
    elif use.kind == "action":
        _check_followup(subject, use)
    else:
        verb = {"reads slot": "reads", "sets slot": "sets", "key slot": "tells repeats by", "returns slot": "returns"}[
            use.kind
        ]
        subject.report_slot(use.name, use.at, f"the code {verb}")
        if use.kind in ("sets slot", "returns slot") and isinstance(use.value, (str, int, float)):
            subject.report_value(use.name, use.value, use.at, "the code sets")


def _check_followup(subject: Subject, use: Use) -> None:
    name = use.name
    if not subject.knows_actions or subject.is_listed(name):
        return
    if name.startswith("utter_"):
        subject.report_response(name, use.at, "the code leads to")
        return
    hint = did_you_mean(name, [*subject.domain.actions, *subject.domain.forms])
    has_class = name in subject.code.names
    subject.findings.add(
        catalogue.ACTION_NOT_LISTED if has_class else catalogue.ACTION_WITHOUT_CLASS,
        use.at,
        f"the code leads to {name!r}, which the domain does not list{hint}",
        f"add `- {name}` to `actions`",
    )


def _check_methods(subject: Subject, cls: ClassFacts, used: frozenset[str]) -> None:
    """Report `validate_x` and `extract_x` of a form's class where `x` is no slot."""
    if not subject.knows_slots or "required_slots" in cls.methods or cls.source not in used:
        return
    for method in cls.methods.values():
        verb, _, slot = method.name.partition("_")
        wanted = {"validate": 4, "extract": 3}.get(verb)
        if not slot or method.arguments != wanted or slot in subject.domain.slots:
            continue
        if verb == "validate" and f"extract_{slot}" in cls.methods:
            continue
        hint = did_you_mean(slot, subject.domain.slots)
        subject.findings.add(
            catalogue.UNCALLED_ACTION,
            method.at,
            f"{cls.name}.{method.name} is never called: {slot!r} is no slot of the domain{hint}",
            "correct the name, or add the slot",
        )


def _check_fields(subject: Subject, cls: ClassFacts) -> None:
    """Report fields of `Slots` that the domain lacks: those without a default, and those that look misspelled."""
    names = {field.slot for field in cls.fields}
    for field in cls.fields:
        if field.slot in subject.sources.words_beside:
            continue
        others = [name for name in subject.domain.slots if name not in names]
        if field.is_required:
            subject.report_slot(field.slot, field.at, f"{cls.name} requires")
        elif subject.lacks_slot(field.slot) and _looks_like(field.slot, others):
            subject.report_slot(field.slot, field.at, f"{cls.name} reads")


def _looks_like(name: str, others: list[str]) -> bool:
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.88)
    # `phone_1` and `phone_2` are two slots.
    return bool(close) and [c for c in close[0] if c.isdigit()] == [c for c in name if c.isdigit()]


def _check_options(subject: Subject) -> None:
    """Check the slots and responses that `action_server: actions:` of the endpoints file names."""
    block = subject.project.endpoints.get("action_server")
    actions = block.get("actions") if isinstance(block, dict) else None
    for name, options in actions.items() if isinstance(actions, dict) else ():
        at = Place(file=subject.project.endpoints_file)
        if not isinstance(options, dict):
            continue
        for slot in _key_slots(options.get("idempotent")):
            subject.report_slot(slot, at, f"actions.{name}.idempotent tells repeats by")
        for policy in (options.get("on_error"), options.get("on_timeout")):
            said = policy.get("say") if isinstance(policy, dict) else None
            if isinstance(said, str):
                subject.report_response(said, at, f"actions.{name} says")


def _key_slots(rule: object) -> Iterator[str]:
    key = rule.get("key") if isinstance(rule, dict) else None
    for slot in [key] if isinstance(key, str) else key if isinstance(key, list) else ():
        if isinstance(slot, str):
            yield slot
