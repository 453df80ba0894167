"""What there is to know of the actions of a server: from their code, their options, and the calls that are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from action_server.errors import ActionServerError
from action_server.inspector.kept import CallRow
from action_server.inspector.pages import Inspector
from action_server.protocol.jsonable import JsonObject
from action_server.runtime.registry import RegisteredAction
from action_server.tools.code import read_code
from action_server.tools.domain import slots_of
from action_server.tools.offer import can_be_a_tool, make_tool
from action_server.tools.report import cost_of
from action_server.tools.tool import Tool


@dataclass(frozen=True)
class ActionFacts:
    """One action. Times are milliseconds of the calls since the server started; None if there were none."""

    action: RegisteredAction
    reads: Sequence[str]
    sets: Sequence[str]
    flows: Collection[str]
    limits: Sequence[str]
    calls: int
    p50: float | None
    p95: float | None
    last_failure: CallRow | None


@dataclass(frozen=True)
class ToolFacts:
    """The tool that an action is, or could be. ``problem`` says why it can be none."""

    schema: JsonObject | None = None
    characters: int = 0
    is_offered: bool = False
    problem: str = ""


def facts_of_all(inspector: Inspector) -> list[ActionFacts]:
    """Return what is known of every action, by name."""
    times = inspector.file.times_since(inspector.since)
    failures = inspector.file.last_failures()
    flows = inspector.project.names_of_callers()
    actions = sorted(inspector.assembly.executor.registry, key=lambda action: action.name)
    return [_facts(inspector, a, times.get(a.name, []), failures.get(a.name), flows.get(a.name, ())) for a in actions]


def _facts(
    inspector: Inspector,
    action: RegisteredAction,
    times: Sequence[float],
    failure: CallRow | None,
    flows: Collection[str],
) -> ActionFacts:
    code = read_code(action.run)
    return ActionFacts(
        action,
        sorted(code.reads),
        sorted(code.sets),
        flows,
        list(_limits(inspector, action)),
        len(times),
        percentile(times, 50),
        percentile(times, 95),
        failure,
    )


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return the nearest-rank percentile of values in order; None of none."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def _limits(inspector: Inspector, action: RegisteredAction) -> Iterator[str]:
    options = inspector.assembly.settings.options.of(action.name, action.run)
    if options.timeout is not None:
        yield f"{options.timeout:g} s"
    if options.max_calls is not None:
        yield f"{options.max_calls} at once"
    if options.idempotent:
        yield f"runs once in a {options.idempotent.scope}"
    if options.on_error is not None:
        yield f"on error: {options.on_error.then}"
    if options.on_timeout is not None:
        yield f"on timeout: {options.on_timeout.then}"


def tool_of(inspector: Inspector, action: RegisteredAction) -> ToolFacts:
    """Return the tool that an action is to a model, offered or not."""
    if not can_be_a_tool(action):
        return ToolFacts(problem="it is about a turn of a conversation, so it can be no tool")
    settings = inspector.assembly.settings
    try:
        tool = make_tool(action, settings.mcp, settings.options, slots_of(inspector.project.domain()))
    except ActionServerError as exc:
        return ToolFacts(problem=str(exc))
    return ToolFacts(_read_by_models(tool), cost_of(tool), _is_offered(inspector, action))


def _read_by_models(tool: Tool) -> JsonObject:
    return {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}


def _is_offered(inspector: Inspector, action: RegisteredAction) -> bool:
    tools: Any = inspector.assembly.tools
    offered: Mapping[str, Tool] = tools.offer.tools if tools is not None else {}
    return any(tool.action == action.name for tool in offered.values())
