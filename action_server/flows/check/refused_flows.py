"""What `rasa train` and `rasa data validate` refuse in flows, beyond what cannot be read (rasa-pro 3.21.0, read)."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping

from action_server.flows.check import catalogue
from action_server.flows.check.refused_conditions import refuse_branch, refuse_rejection
from action_server.flows.check.subject import Subject
from action_server.project.conditions import names_in
from action_server.project.flows import (
    END,
    PATTERN_PREFIX,
    START,
    CallStep,
    CollectStep,
    Flow,
    LinkStep,
    SetSlotsStep,
    Step,
    with_called,
)
from action_server.source import Place

_RESERVED_IDS = (START, END)
_RESERVED_PREFIX = "NEXT:"
_SLOT_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]*")
# Patterns that any flow may link to; to small talk only patterns may.
_LINKED_PATTERNS = ("pattern_human_handoff", "pattern_search", "pattern_customer_satisfaction")
_CHITCHAT, _INTERNAL_ERROR = "pattern_chitchat", "pattern_internal_error"
_CSAT, _CSAT_VALUES = "csat_score", {"satisfied", "unsatisfied"}
_NO_PUNCTUATION: Mapping[int, int | None] = str.maketrans("", "", string.punctuation)


def check_refused_flows(subject: Subject) -> None:
    """Report what the engine does not take."""
    flows = subject.project.flows
    for flow in flows.values():
        _check_persisted(subject, flow)
        for step in flow.steps:
            if step.id in _RESERVED_IDS or step.id.startswith(_RESERVED_PREFIX):
                subject.refuse(step.at, f"the id {step.id!r} of a step is the engine's own", "give it another id")
            _check_step(subject, flow, step)
            for branch in step.next:
                if branch.condition is not None:
                    refuse_branch(subject, branch.condition)
    _check_triggers(subject)
    _check_unique(subject)


def _check_step(subject: Subject, flow: Flow, step: Step) -> None:
    if isinstance(step, CollectStep):
        _check_collect(subject, step)
    elif isinstance(step, SetSlotsStep):
        for name, _ in step.slots:
            _check_list(subject, name, step.at, "sets")
    elif isinstance(step, LinkStep):
        _check_link(subject, flow, step)
    elif isinstance(step, CallStep):
        _check_call(subject, flow, step)


def _check_collect(subject: Subject, step: CollectStep) -> None:
    if step.collect and not _SLOT_NAME.fullmatch(step.collect):
        subject.refuse(
            step.at,
            f"{step.collect!r} is no name of a slot that a flow can collect",
            "begin it with a letter or _, and go on with letters, digits, _ and -",
        )
    _check_list(subject, step.collect, step.at, "collects")
    if step.ask_utter in subject.domain.responses and step.ask_action in subject.domain.actions:
        what = f"both the response {step.ask_utter!r} and the action {step.ask_action!r} ask for {step.collect!r}"
        subject.refuse(step.at, what, "take one of them out of the domain")
    for rejection in step.rejections:
        refuse_rejection(subject, rejection.condition)
        for name in sorted(_other_slots(subject, rejection.condition.text, step.collect)):
            subject.findings.add(
                catalogue.REJECTION_OF_OTHERS,
                rejection.at,
                f"the rejection looks at {name}, which is not there: it sees slots.{step.collect} alone",
                f"compare in the flow, or in an action `validate_{step.collect}`",
            )


def _other_slots(subject: Subject, text: str, own: str) -> set[str]:
    try:
        names = {name for name in names_in(text) if name.startswith("slots.")}
    except RecursionError:
        # It is a finding already that it cannot be read.
        return set()
    others = {name for name in names if name != f"slots.{own}" and not name.startswith(f"slots.{own}.")}
    return {name for name in others if not subject.lacks_slot(name.split(".")[1])}


def _check_list(subject: Subject, name: str, at: Place, what: str) -> None:
    slot = subject.slot(name)
    if slot is not None and slot.type == "list":
        subject.refuse(at, f"the step {what} {name!r}, a list", "let an action fill lists; flows cannot")


def _check_link(subject: Subject, flow: Flow, step: LinkStep) -> None:
    if step.link.startswith(PATTERN_PREFIX):
        allowed = (*_LINKED_PATTERNS, _CHITCHAT) if flow.is_pattern else _LINKED_PATTERNS
        if step.link not in allowed:
            subject.refuse(step.at, f"the step links to {step.link!r}", f"link to one of {', '.join(allowed)}")
        elif step.link == "pattern_customer_satisfaction":
            _check_csat(subject)
    elif flow.id == _INTERNAL_ERROR and step.link:
        subject.refuse(step.at, f"{_INTERNAL_ERROR} links to a flow", "say something, and end")


def _check_csat(subject: Subject) -> None:
    slot = subject.slot(_CSAT)
    if slot is not None and not {str(value).casefold() for value in slot.values} >= _CSAT_VALUES:
        subject.refuse(
            slot.at,
            f"the slot {_CSAT!r} does not have the values satisfied and unsatisfied",
            "add both to `values`; pattern_customer_satisfaction counts them",
        )


def _check_call(subject: Subject, flow: Flow, step: CallStep) -> None:
    if step.call.startswith(PATTERN_PREFIX):
        subject.refuse(step.at, f"the step calls the pattern {step.call!r}", "patterns cannot be called")
    elif flow.is_pattern:
        subject.refuse(step.at, f"the pattern {flow.id!r} calls something", "link to a flow instead")
    called = subject.project.flows.get(step.call) if not step.mcp_server else None
    if called is not None and flow in with_called(called, subject.project.all_flows):
        what = f"the call of {step.call!r} leads back to {flow.id!r}"
        subject.refuse(step.at, what, "link to it at the end, or lead a `next` back")
    if called is not None and any(isinstance(inner, LinkStep) for inner in called.steps):
        subject.refuse(step.at, f"the step calls {step.call!r}, which links", "take the link out of it, or link to it")
    if not step.exit_if:
        return
    if called is not None:
        subject.refuse(step.at, f"`exit_if` stands at a call of the flow {step.call!r}", "only agents have it")
    if step.mcp_server or step.mapping is not None:
        subject.refuse(step.at, "`exit_if` stands beside `mcp_server` or `mapping`", "write one or the other")
    for condition in step.exit_if:
        if not re.search(r"\bslots\.\w+", condition.text):
            subject.refuse(condition.at, f"`exit_if` looks at no slot: {condition.text!r}", "write `slots.name`")


def _check_persisted(subject: Subject, flow: Flow) -> None:
    if not flow.persisted_slots:
        return
    family = with_called(flow, subject.project.all_flows)
    steps = [step for member in family for step in member.collects]
    if not subject.knows_slots or any(subject.lacks_slot(step.collect) for step in steps):
        # The misspelled slot is the fault.
        return
    known = {step.collect for step in steps} | {name for member in family for name in member.set_slots}
    node = subject.sources.find("flows", flow.id, "persisted_slots")
    places = {element.raw: element.place for element in node.elements()} if node is not None else {}
    for name in flow.persisted_slots:
        if name not in known and not subject.lacks_slot(name):
            at = places.get(name, flow.at)
            subject.refuse(at, f"the flow {flow.id!r} neither collects nor sets {name!r}", "persist what it uses")
    for step in steps:
        if step.reset_after_flow_ends is False:
            what = f"{step.collect!r} has `reset_after_flow_ends: false` in a flow with `persisted_slots`"
            subject.refuse(step.at, what, "keep `persisted_slots` alone")


def _check_triggers(subject: Subject) -> None:
    seen: dict[str, Flow] = {}
    for flow in subject.project.flows.values():
        for trigger in flow.nlu_trigger:
            first = seen.setdefault(trigger.intent, flow)
            if first is not flow:
                what = f"the intent {trigger.intent!r} triggers {first.id!r} already"
                subject.refuse(trigger.at, what, "one intent triggers one flow")


def _check_unique(subject: Subject) -> None:
    names: dict[str, Flow] = {}
    descriptions: dict[str, Flow] = {}
    for flow in subject.project.flows.values():
        if names.setdefault(flow.readable_name, flow) is not flow:
            first = names[flow.readable_name].id
            subject.refuse(flow.at, f"{flow.id!r} has the name of the flow {first!r}", "give it another name")
        described = flow.description.translate(_NO_PUNCTUATION)
        if described and descriptions.setdefault(described, flow) is not flow:
            first = descriptions[described].id
            subject.refuse(flow.at, f"{flow.id!r} has the description of the flow {first!r}", "say what differs")
