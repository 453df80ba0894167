"""Rules about flows: their steps, what they collect, run, link and set.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

from action_server.findings.rule import Severity
from action_server.flows.check import catalogue
from action_server.flows.check.conditions import check_condition
from action_server.flows.check.subject import Subject
from action_server.flows.check.tool_rules import check_tool_call
from action_server.project.fields import did_you_mean
from action_server.project.flows import (
    END,
    ActionStep,
    CallStep,
    CollectStep,
    Flow,
    LinkStep,
    Rejection,
    SetSlotsStep,
    Step,
)
from action_server.source import Place

_STARTS_FLOW = "flow_"
# As engines look for it.
_NAMED_BY_CONTEXT = re.compile(r"{context\..+?}")


def check_flows(subject: Subject) -> None:
    """Check each flow of the project."""
    for flow in subject.project.flows.values():
        if flow.guard is not None:
            check_condition(subject, flow.guard)
        for trigger in flow.nlu_trigger:
            subject.report_intent(trigger.intent, trigger.at, f"the flow {flow.id!r} is triggered by")
        _check_persisted(subject, flow)
        for step in flow.steps:
            for branch in step.next:
                if branch.condition is not None:
                    check_condition(subject, branch.condition)
            _check_step(subject, flow, step)
        _check_reached(subject, flow)


def _check_persisted(subject: Subject, flow: Flow) -> None:
    if not flow.persisted_slots:
        return
    node = subject.sources.find("flows", flow.id, "persisted_slots")
    places = {element.raw: element.place for element in node.elements()} if node is not None else {}
    for name in flow.persisted_slots:
        subject.report_slot(name, places.get(name, flow.at), f"the flow {flow.id!r} persists")


def _check_step(subject: Subject, flow: Flow, step: Step) -> None:
    if isinstance(step, ActionStep):
        _check_action(subject, flow, step)
    elif isinstance(step, CollectStep):
        _check_collect(subject, flow, step)
    elif isinstance(step, SetSlotsStep):
        for name, value in step.slots:
            at = _slot_place(subject, step, name)
            subject.report_slot(name, at, "the step sets")
            subject.report_value(name, value, at, "the step sets")
    elif isinstance(step, LinkStep):
        if step.link:
            subject.report_flow(step.link, _key_place(subject, step, "link"), "the step links to")
    elif isinstance(step, CallStep):
        _check_call(subject, step)


def _check_call(subject: Subject, step: CallStep) -> None:
    for condition in step.exit_if:
        check_condition(subject, condition)
    if step.mcp_server:
        check_tool_call(subject, step)
    elif step.call and not step.exit_if:
        # Where there are no sub agents at all the engine only warns: it may be one.
        severity: Severity | None = None if subject.sub_agents else "warning"
        subject.report_flow(step.call, _key_place(subject, step, "call"), "the step calls", severity)


def _check_action(subject: Subject, flow: Flow, step: ActionStep) -> None:
    at = _key_place(subject, step, "action")
    name = step.action
    if name.startswith(_STARTS_FLOW) and "{" not in name and not subject.domain.lists(name):
        subject.report_flow(name.removeprefix(_STARTS_FLOW), at, "the step starts")
        return
    if not name or _NAMED_BY_CONTEXT.search(name) or subject.is_listed(name):
        return
    if "{" in name:
        what = f"the step runs {name!r}; of what stands in braces engines fill in the context alone"
        subject.findings.add(catalogue.ENGINE_REFUSES, at, what, "write the action's name, or branch")
        return
    if name.startswith("utter_"):
        subject.report_response(name, at, "the step says", in_pattern=flow.is_pattern)
    elif subject.knows_actions and (name in subject.code.names or subject.code.path is None) and not flow.is_pattern:
        subject.findings.add(
            catalogue.ACTION_NOT_LISTED,
            at,
            f"the step runs {name!r}, which the domain does not list",
            f"add `- {name}` to `actions`",
        )


def _check_collect(subject: Subject, flow: Flow, step: CollectStep) -> None:
    at = _key_place(subject, step, "collect")
    if not step.collect or (flow.is_pattern and step.collect not in subject.domain.slots):
        # Patterns collect slots of the engine's own.
        return
    subject.report_slot(step.collect, at, "the step collects")
    check_rejections(subject, step.rejections)
    if step.utter and step.ask_action not in subject.domain.actions:
        subject.report_response(
            step.utter, _key_place(subject, step, "utter"), "the step asks with", in_pattern=flow.is_pattern
        )
        return
    asks = (step.ask_utter in subject.domain.responses) or (step.ask_action in subject.domain.actions)
    slot = subject.slot(step.collect)
    is_default = slot is not None and slot.is_default
    # It has a value before it is asked for (rasa-pro 3.21.0, read).
    has_value = slot is not None and slot.initial_value is not None and not step.ask_before_filling
    if asks or has_value or is_default or flow.is_pattern or not (subject.knows_responses and subject.knows_actions):
        return
    if subject.lacks_slot(step.collect):
        # The misspelled slot is the fault.
        return
    fix = f"add the response `{step.ask_utter}`"
    if step.ask_action in subject.code.names:
        fix = f"list `{step.ask_action}`, which has a class, under `actions`"
    close = did_you_mean(step.ask_utter, subject.domain.responses)
    subject.findings.add(
        catalogue.NOTHING_ASKS,
        at,
        f"nothing asks for {step.collect!r}: the domain has neither {step.ask_utter} nor {step.ask_action}{close}",
        fix,
    )


def check_rejections(subject: Subject, rejections: tuple[Rejection, ...]) -> None:
    """Check conditions and responses of rejections."""
    for rejection in rejections:
        check_condition(subject, rejection.condition)
        node = subject.sources.mapping_at(rejection.at)
        utter = node.get("utter") if node is not None else None
        if rejection.utter:
            subject.report_response(
                rejection.utter, utter.place if utter is not None else rejection.at, "a rejection says"
            )


def _check_reached(subject: Subject, flow: Flow) -> None:
    known = flow.by_id
    broken = any(b.target != END and b.target not in known for step in flow.steps for b in step.next)
    if not flow.steps or broken or len(known) != len(flow.steps) or _has_problems(subject, flow):
        return
    reached: set[str] = set()
    waiting = [flow.steps[0].id]
    while waiting:
        current = waiting.pop()
        if current in reached or current not in known:
            continue
        reached.add(current)
        step = known[current]
        if not isinstance(step, LinkStep):
            waiting += [branch.target for branch in step.next]
    for step in flow.steps:
        if step.id not in reached and (not step.inside_of or step.inside_of in reached):
            subject.findings.add(
                catalogue.UNREACHABLE_STEP,
                step.at,
                f"no path of the flow {flow.id!r} leads to the step {step.id!r} ({step.what})",
                "lead a `next` to it, or remove it",
            )


def _has_problems(subject: Subject, flow: Flow) -> bool:
    """Tell whether something in the flow's lines could not be read: its steps may then be incomplete."""
    errors = subject.error_lines.get(flow.at.file)
    if not errors:
        return False
    starts = subject.flow_lines[flow.at.file]
    following = bisect_right(starts, flow.at.line)
    first = bisect_left(errors, flow.at.line)
    return first < len(errors) and (following == len(starts) or errors[first] < starts[following])


def _key_place(subject: Subject, step: Step, key: str) -> Place:
    node = subject.sources.mapping_at(step.at)
    return node.keys.get(key, step.at) if node is not None else step.at


def _slot_place(subject: Subject, step: Step, name: str) -> Place:
    node = subject.sources.mapping_at(step.at)
    found = node.get("set_slots") if node is not None else None
    for entry in [] if found is None else [found, *found.elements()]:
        if name in entry.keys:
            return entry.keys[name]
    return step.at
