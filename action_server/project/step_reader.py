"""Reads one step of a flow.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from typing import Any

from action_server.project.fields import Fields, kind_of
from action_server.project.flows import (
    ActionStep,
    Branch,
    CallStep,
    CollectStep,
    Condition,
    LinkStep,
    NoopStep,
    Rejection,
    SetSlotsStep,
    Step,
)
from action_server.project.places import Problems
from action_server.project.yaml_node import Node

STEP_KINDS = ("action", "collect", "set_slots", "link", "call", "noop")
# Steps in which engines refuse a key they do not know (schema of flows, rasa-pro 3.21.0, read); others pass it over.
_CLOSED = frozenset({"action", "collect", "call"})


def condition_of(node: Node, problems: Problems) -> Condition:
    """Read a predicate; `if: false` is one as well."""
    if not node.is_scalar:
        problems.at(node.place, f"a condition has to be a text, not {kind_of(node)}")
    return Condition(text=node.raw.strip(), at=node.place)


def step_label(node: Node) -> str:
    """Return what an engine makes a step's id of, after flow and number."""
    for kind in STEP_KINDS:
        found = node.get(kind)
        if found is not None:
            name = found.raw if found.is_scalar else ""
            return {"action": name, "collect": f"collect_{name}", "link": f"link_{name}", "call": f"call_{name}"}.get(
                kind, kind
            )
    return "noop"


def is_step(node: Node, flow: str, problems: Problems) -> bool:
    """Tell whether a node is a step at all; note a problem if it is not."""
    if node.is_mapping and any(node.get(key) is not None for key in (*STEP_KINDS, "next")):
        return True
    found = "none of them" if node.is_mapping else kind_of(node)
    problems.at(node.place, f"a step of the flow {flow!r} has to be one of {', '.join(STEP_KINDS)}; this is {found}")
    return False


def read_step(
    node: Node, flow: str, step_id: str, branches: tuple[Branch, ...], inside_of: str, problems: Problems
) -> Step:
    """Read a node that is a step."""
    what = f"the step {step_id!r} of the flow {flow!r}"
    fields = Fields(node, what, problems)
    kinds = [kind for kind in STEP_KINDS if fields.has(kind)]
    if len(kinds) != 1:
        problem = "more than one of" if kinds else "none of"
        problems.at(node.place, f"{what} has {problem} {', '.join(STEP_KINDS)}; it needs exactly one")
    fields.skip("id", "next", "metadata", *kinds)
    shared: dict[str, Any] = {
        "id": step_id,
        "next": branches,
        "at": node.place,
        "has_id": fields.has("id"),
        "inside_of": inside_of,
    }
    step = _READERS[kinds[0] if kinds else "noop"](fields, shared, problems)
    fields.note_unknown_keys("error" if set(kinds) & _CLOSED else "warning")
    return step


def _read_action(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    return ActionStep(action=fields.text("action"), **shared)


def _read_collect(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    # Of voice channels.
    fields.skip("dtmf", "collect-tool-binding")
    silence = fields.plain("silence_timeout")
    return CollectStep(
        collect=fields.text("collect"),
        description=fields.text("description"),
        ask_before_filling=fields.flag("ask_before_filling"),
        reset_after_flow_ends=fields.flag("reset_after_flow_ends") if fields.has("reset_after_flow_ends") else None,
        utter=fields.text("utter"),
        rejections=read_rejections(fields, problems),
        force_slot_filling=fields.flag("force_slot_filling"),
        # By channel it is a mapping: channels with voice are not played. 0 is none.
        silence_timeout=float(silence) if isinstance(silence, (int, float)) and silence else None,
        **shared,
    )


def read_rejections(fields: Fields, problems: Problems) -> tuple[Rejection, ...]:
    """Read the list under `rejections`."""
    found = []
    for node in fields.elements("rejections"):
        entry = Fields(node, f"a rejection of {fields.what}", problems)
        predicate = entry.take("if")
        utter = entry.text("utter")
        if predicate is None or not utter:
            problems.at(node.place, f"{entry.what} needs both `if` and `utter`")
        if predicate is not None:
            found.append(Rejection(condition=condition_of(predicate, problems), utter=utter, at=node.place))
        entry.note_unknown_keys("warning")
    return tuple(found)


def _read_set_slots(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    node = fields.take("set_slots")
    entries = [] if node is None else [node] if node.is_mapping else list(node.elements())
    slots: list[tuple[str, Any]] = []
    for entry in entries:
        if not entry.is_mapping:
            problems.at(entry.place, f"set_slots of {fields.what} lists slots with values (`- slot: value`)")
        slots += [(name, value.plain()) for name, value in entry.items()]
    if not slots:
        problems.at(shared["at"], f"{fields.what} sets no slot")
    return SetSlotsStep(slots=tuple(slots), **shared)


def _read_link(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    if fields.has("next"):
        problems.at(fields.place_of("next"), f"{fields.what} is a link, which ends the flow: it can have no `next`")
    return LinkStep(link=fields.text("link"), **shared)


def _read_call(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    fields.skip("description")
    exits = tuple(condition_of(node, problems) for node in fields.elements("exit_if"))
    return CallStep(
        call=fields.text("call"),
        mcp_server=fields.text("mcp_server"),
        mapping=fields.plain("mapping"),
        exit_if=exits,
        **shared,
    )


def _read_noop(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    node = fields.take("noop")
    if not fields.has("next") and not (node is not None and node.is_list):
        problems.at(shared["at"], f"{fields.what} is a noop, which needs a `next`")
    return NoopStep(**shared)


_READERS = {
    "action": _read_action,
    "collect": _read_collect,
    "set_slots": _read_set_slots,
    "link": _read_link,
    "call": _read_call,
    "noop": _read_noop,
}
