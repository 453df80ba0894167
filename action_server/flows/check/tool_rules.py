"""Rules about steps that call a tool of an MCP server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from action_server.flows.check import catalogue
from action_server.flows.check.subject import Subject
from action_server.flows.check.tool_places import ToolPlaces
from action_server.flows.check.tool_signature_rules import check_signature
from action_server.project.conditions import error_of_expression
from action_server.project.fields import did_you_mean
from action_server.project.flows import CallStep
from action_server.project.tool_mapping import ToolMapping, read_mapping


def check_tool_call(subject: Subject, step: CallStep) -> None:
    """Check a step with `mcp_server`: the server, and the slots, parameters and expressions of its mapping."""
    places = ToolPlaces(subject, step)
    url = _check_server(subject, step, places)
    mapping = read_mapping(step.mapping)
    for problem in [*mapping.problems, *_problems(mapping)]:
        subject.findings.add(
            catalogue.TOOL_MAPPING,
            places.key("mapping"),
            f"the step calls the tool {step.call!r}, and {problem}",
            "write `mapping: {input: [{slot: ..., param: ...}], output: [{slot: ..., value: result....}]}`",
        )
    if url is not None:
        check_signature(subject, step, url, mapping, places)
    for entry in mapping.inputs:
        subject.report_slot(entry.slot, places.slot("input", entry.slot), "the step sends")
    for output in mapping.outputs:
        subject.report_slot(output.slot, places.slot("output", output.slot), "the step sets")


def _check_server(subject: Subject, step: CallStep, places: ToolPlaces) -> str | None:
    """Return the address of the server, "" where it has none or nobody knows it; None if there is no such server."""
    if not subject.project.endpoints_file:
        # Nobody knows which there are.
        return ""
    servers = subject.project.endpoints.get("mcp_servers")
    entries = servers if isinstance(servers, list) else []
    by_name = {str(e["name"]): e for e in entries if isinstance(e, Mapping) and "name" in e}
    if step.mcp_server in by_name:
        return str(by_name[step.mcp_server].get("url") or "")
    subject.findings.add(
        catalogue.UNKNOWN_MCP_SERVER,
        places.key("mcp_server"),
        f"the step calls a tool of {step.mcp_server!r}, which `mcp_servers` of {subject.project.endpoints_file} "
        f"does not have{did_you_mean(step.mcp_server, list(by_name))}",
        "add the server, or correct the name",
    )
    return None


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
