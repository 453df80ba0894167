"""Reads one step of a flow.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from typing import Any

from action_server.nearest import did_you_mean
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


def condition_of(node: Node, problems: Problems, *, may_be_bool: bool = False) -> Condition:
    """Read a predicate. In flows `if: false` is one as well."""
    if not isinstance(node.value, (str, bool) if may_be_bool else str):
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
    found = f"none of them{_meant_kind(node)}" if node.is_mapping else kind_of(node)
    problems.at(node.place, f"a step of the flow {flow!r} has to be one of {', '.join(STEP_KINDS)}; this is {found}")
    return False


def _meant_kind(node: Node) -> str:
    return next(filter(None, (did_you_mean(key, STEP_KINDS) for key in node.keys)), "")


def read_step(
    node: Node, flow: str, step_id: str, branches: tuple[Branch, ...], inside_of: str, problems: Problems
) -> Step:
    """Read a node that is a step."""
    what = f"the step {step_id!r} of the flow {flow!r}"
    fields = Fields(node, what, problems, filled=True, or_empty=("metadata", "noop"))
    kinds = [kind for kind in STEP_KINDS if fields.has(kind)]
    if len(kinds) != 1:
        problem = "more than one of" if kinds else "none of"
        meant = "" if kinds else _meant_kind(node)
        problems.at(node.place, f"{what} has {problem} {', '.join(STEP_KINDS)}; it needs exactly one{meant}")
    fields.check_text("id")
    fields.skip("next", "metadata", *kinds)
    shared: dict[str, Any] = {
        "id": step_id,
        "next": branches,
        "at": node.place,
        "has_id": fields.has("id"),
        "inside_of": inside_of,
    }
    step = _READERS[kinds[0] if kinds else "noop"](fields, shared, problems)
    if kinds:
        # Of a step that is none, it is unknown which keys it may have.
        fields.note_unknown_keys("error" if set(kinds) & _CLOSED else "warning")
    return step


def _read_action(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    return ActionStep(action=fields.text("action"), **shared)


def _read_collect(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    _check_voice(fields)
    silence = fields.plain("silence_timeout")
    return CollectStep(
        collect=fields.text("collect"),
        description=fields.text("description"),
        ask_before_filling=fields.flag("ask_before_filling"),
        reset_after_flow_ends=fields.flag("reset_after_flow_ends") if fields.has("reset_after_flow_ends") else None,
        utter=fields.text("utter"),
        rejections=read_rejections(fields, problems, is_flow=True),
        force_slot_filling=fields.flag("force_slot_filling"),
        # By channel it is a mapping: channels with voice are not played. 0 is none.
        silence_timeout=float(silence) if isinstance(silence, (int, float)) and silence else None,
        **shared,
    )


def _check_voice(fields: Fields) -> None:
    """Check what channels with voice look at; it is not played."""
    fields.check("collect-tool-binding", "a text or a mapping", str, dict)
    fields.check("dtmf", "a mapping", dict)
    node = fields.take("silence_timeout")
    each = {} if node is None or not node.value else node.plain() if node.is_mapping else {"": node.value}
    if any(not isinstance(value, (int, float)) or value < 0 for value in each.values()):
        fields.problem(fields.place_of("silence_timeout"), f"'silence_timeout' of {fields.what} has to be 0 or more")
    keys = fields.take("dtmf")
    if keys is None or not keys.is_mapping:
        return
    dtmf = Fields(keys, f"'dtmf' of {fields.what}", fields.problems)
    dtmf.check_number("length")
    dtmf.check_text("finish_on_key")
    dtmf.check_flag("allow_audio_input")
    if dtmf.has("length") and dtmf.has("finish_on_key"):
        fields.problem(keys.place, f"{dtmf.what} has both `length` and `finish_on_key`")


def read_rejections(fields: Fields, problems: Problems, *, is_flow: bool = False) -> tuple[Rejection, ...]:
    """Read the list under `rejections`: of a flow's question, or of a slot's validation, which is stricter."""
    found = []
    for node in fields.elements("rejections"):
        entry = Fields(node, f"a rejection of {fields.what}", problems, filled=is_flow)
        predicate = entry.take("if")
        utter = entry.text("utter")
        if predicate is None or not utter:
            problems.at(node.place, f"{entry.what} needs both `if` and `utter`")
        if predicate is not None:
            condition = condition_of(predicate, problems, may_be_bool=is_flow)
            found.append(Rejection(condition=condition, utter=utter, at=node.place))
        entry.note_unknown_keys("warning" if is_flow else "error")
    return tuple(found)


def _read_set_slots(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    node = fields.take("set_slots")
    entries = [] if node is None else [node] if node.is_mapping else list(node.elements())
    slots: list[tuple[str, Any]] = []
    if node is not None and not node.is_list:
        problems.at(node.place, f"set_slots of {fields.what} has to be a list (`- slot: value`), not {kind_of(node)}")
    for entry in entries:
        if not entry.is_mapping:
            problems.at(entry.place, f"set_slots of {fields.what} lists slots with values (`- slot: value`)")
        slots += [(name, value.plain()) for name, value in entry.items()]
    if not slots:
        problems.at(shared["at"], f"{fields.what} sets no slot", "warning")
    return SetSlotsStep(slots=tuple(slots), **shared)


def _read_link(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    if fields.has("next"):
        problems.at(fields.place_of("next"), f"{fields.what} is a link, which ends the flow: it can have no `next`")
    return LinkStep(link=fields.text("link"), **shared)


def _read_call(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    fields.check_text("description")
    if fields.has("mapping") and not fields.has("mcp_server"):
        problems.at(fields.place_of("mapping"), f"{fields.what} has a `mapping` without `mcp_server`")
    exits = tuple(condition_of(node, problems) for node in fields.elements("exit_if"))
    return CallStep(
        call=fields.text("call"),
        mcp_server=fields.text("mcp_server"),
        mapping=fields.plain("mapping"),
        exit_if=exits,
        **shared,
    )


def _read_noop(fields: Fields, shared: dict[str, Any], problems: Problems) -> Step:
    if not fields.has("next"):
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
