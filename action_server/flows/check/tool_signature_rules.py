"""Rules about steps that call a tool which is known: whether it is there, and whether the mapping fits its schemas.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from action_server.flows.check import catalogue
from action_server.flows.check.known_tools import KnownTool
from action_server.flows.check.subject import Subject
from action_server.flows.check.tool_places import ToolPlaces
from action_server.flows.check.tool_schemas import Dead, look_up, misfit_of_input, misfit_of_output
from action_server.project.fields import did_you_mean
from action_server.project.flows import CallStep
from action_server.project.result_paths import ResultPath, paths_in
from action_server.project.tool_mapping import ToolMapping, ToolOutput

# What an engine gives a step, from its connection to its result, in seconds.
_STEP = 10
# A key of our answers that only some have.
_SOMETIMES = "followup_action"


def check_signature(subject: Subject, step: CallStep, url: str, mapping: ToolMapping, places: ToolPlaces) -> None:
    """Check a step against the tool it calls, if anybody knows the tools of its server."""
    tools = subject.tools.of(step.mcp_server, url)
    if tools is None or "{" in step.call:
        return
    tool = tools.get(step.call)
    if tool is None:
        _report_missing(subject, step, tools, places, is_own=subject.tools.is_own(url))
        return
    if tool.seconds is not None and tool.seconds > _STEP:
        subject.findings.add(
            catalogue.SLOW_TOOL,
            places.key("call"),
            f"a call of {tool.name!r} may take {tool.seconds:g} s, and engines give a step {_STEP}",
            "lower `mcp: timeout` of the action server, or the tool's own, below 10",
        )
    _check_inputs(subject, tool, mapping, places)
    for output in mapping.outputs:
        for path in paths_in(output.value):
            _check_output(subject, tool, output, path, places)


def _report_missing(
    subject: Subject, step: CallStep, tools: Mapping[str, KnownTool], places: ToolPlaces, *, is_own: bool
) -> None:
    fix = "correct the name"
    if is_own and step.call in subject.code.names:
        fix = "offer the action: `action_server: mcp: actions:` of endpoints.yml"
    subject.findings.add(
        catalogue.UNKNOWN_TOOL,
        places.key("call"),
        f"the step calls {step.call!r}, which {step.mcp_server!r} does not offer{did_you_mean(step.call, list(tools))}",
        fix,
    )


def _check_inputs(subject: Subject, tool: KnownTool, mapping: ToolMapping, places: ToolPlaces) -> None:
    properties: Mapping[str, Any] = tool.input_schema.get("properties") or {}
    given = {entry.param for entry in mapping.inputs}
    for name in tool.input_schema.get("required") or ():
        if name not in given:
            subject.findings.add(
                catalogue.TOOL_PARAMETER,
                places.key("mapping"),
                f"{tool.name!r} needs {name!r}, and the step does not send it",
                f"add {{slot: ..., param: {name}}} to `input`",
            )
    for entry in mapping.inputs:
        at = places.slot("input", entry.slot)
        if entry.param not in properties:
            subject.findings.add(
                catalogue.TOOL_PARAMETER,
                at,
                f"the step sends {entry.param!r}, which {tool.name!r} does not take"
                f"{did_you_mean(entry.param, list(properties))}",
                "correct the name, or leave it out",
            )
            continue
        slot = subject.slot(entry.slot)
        misfit = slot and misfit_of_input(slot, properties[entry.param], is_lenient=tool.is_lenient)
        if misfit:
            subject.findings.add(
                catalogue.TOOL_TYPE,
                at,
                f"{entry.slot!r} is sent as {entry.param!r} of {tool.name!r}: {misfit}",
                "send another slot, or give it another type",
            )


def _check_output(subject: Subject, tool: KnownTool, output: ToolOutput, path: ResultPath, places: ToolPlaces) -> None:
    at = places.slot("output", output.slot)
    if path.method:
        subject.findings.add(
            catalogue.TOOL_RESULT,
            at,
            f"`.{path.method}` in `{output.value}` is a method of the result, and no key of it",
            f"write `['{path.method}']`",
        )
        return
    found = look_up(tool.output_schema, path.keys)
    if isinstance(found, Dead):
        if not (tool.is_lenient and found.key == _SOMETIMES):
            _report_dead(subject, tool, output, found, places)
        return
    slot = subject.slot(output.slot)
    misfit = slot and path.is_whole and misfit_of_output(slot, found)
    if misfit:
        subject.findings.add(
            catalogue.TOOL_TYPE,
            at,
            f"{output.slot!r} is set to `{output.value}` of {tool.name!r}: {misfit}",
            "set another slot, or give it another type",
        )


def _report_dead(subject: Subject, tool: KnownTool, output: ToolOutput, dead: Dead, places: ToolPlaces) -> None:
    hint = did_you_mean(str(dead.key), list(dead.known))
    fix = f"take one of {', '.join(dead.known)}" if dead.known else "take what is above it"
    subject.findings.add(
        catalogue.TOOL_RESULT,
        places.slot("output", output.slot),
        f"`{output.value}` looks for {dead.key!r}, which is not in the result of {tool.name!r}{hint}",
        fix if dead.is_certain or not tool.is_lenient else f"{fix}, or declare it in `sets` of the tool",
        # An answer may have keys that its schema does not name; one that looks like a slip is one.
        None if dead.is_certain or hint else "warning",
    )
