"""Rules about steps that call a tool of an MCP server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from action_server.flows.check import catalogue
from action_server.flows.check.subject import Subject
from action_server.project.conditions import error_of_expression
from action_server.project.fields import did_you_mean
from action_server.project.flows import CallStep
from action_server.project.tool_mapping import ToolMapping, read_mapping
from action_server.source import Place


def check_tool_call(subject: Subject, step: CallStep) -> None:
    """Check a step with `mcp_server`: the server, and the slots, parameters and expressions of its mapping."""
    places = _Places(subject, step)
    _check_server(subject, step, places)
    mapping = read_mapping(step.mapping)
    for problem in [*mapping.problems, *_problems(mapping)]:
        subject.findings.add(
            catalogue.TOOL_MAPPING,
            places.key("mapping"),
            f"the step calls the tool {step.call!r}, and {problem}",
            "write `mapping: {input: [{slot: ..., param: ...}], output: [{slot: ..., value: result....}]}`",
        )
    for entry in mapping.inputs:
        subject.report_slot(entry.slot, places.slot("input", entry.slot), "the step sends")
    for output in mapping.outputs:
        subject.report_slot(output.slot, places.slot("output", output.slot), "the step sets")


def _check_server(subject: Subject, step: CallStep, places: _Places) -> None:
    if not subject.project.endpoints_file:
        # Nobody knows which there are.
        return
    servers = subject.project.endpoints.get("mcp_servers")
    entries = servers if isinstance(servers, list) else []
    names = [str(entry["name"]) for entry in entries if isinstance(entry, Mapping) and "name" in entry]
    if step.mcp_server not in names:
        subject.findings.add(
            catalogue.UNKNOWN_MCP_SERVER,
            places.key("mcp_server"),
            f"the step calls a tool of {step.mcp_server!r}, which `mcp_servers` of {subject.project.endpoints_file} "
            f"does not have{did_you_mean(step.mcp_server, names)}",
            "add the server, or correct the name",
        )


def _problems(mapping: ToolMapping) -> Iterator[str]:
    for what, names in (
        ("the parameter", [entry.param for entry in mapping.inputs]),
        ("the slot", [entry.slot for entry in mapping.outputs]),
    ):
        yield from (f"{what} {name!r} stands twice in its mapping" for name, n in Counter(names).items() if n > 1)
    for entry in mapping.outputs:
        problem = error_of_expression(entry.value)
        if problem:
            yield f"`{entry.value}` is no expression of Jinja: {problem}"


class _Places:
    """Where the parts of a step stand."""

    def __init__(self, subject: Subject, step: CallStep) -> None:
        self._step = step
        self._node = subject.sources.mapping_at(step.at)

    def key(self, name: str) -> Place:
        return self._step.at if self._node is None else self._node.keys.get(name, self._step.at)

    def slot(self, part: str, name: str) -> Place:
        mapping = self._node.get("mapping") if self._node is not None else None
        entries = mapping.get(part) if mapping is not None else None
        for entry in entries.elements() if entries is not None else ():
            slot = entry.get("slot")
            if slot is not None and slot.is_scalar and slot.raw == name:
                return slot.place
        return self.key("mapping")
