"""Calls tools: what a ``call:`` step with ``mcp_server`` sends, and what it makes of the result, by the engine's rules.

Read in rasa-pro 3.21.0: unset slots are sent as null; values are sandboxed Jinja expressions over ``result``; lists and
objects are stored as JSON text; an empty ``output``, an expression that raises, ``isError`` and every failure of the
connection end in the pattern for errors, with no branch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from action_server.project.conditions import evaluate_expression
from action_server.project.tool_mapping import ToolMapping
from action_server.protocol.jsonable import JsonObject

# What the engine gives a step, from its connection to its result, in seconds.
TIMEOUT = 10.0


@dataclass(frozen=True)
class ToolReply:
    """The result of a tool as the engine has it, or the ``problem`` that stands for it."""

    result: JsonObject
    milliseconds: float
    problem: str = ""


class Tools(Protocol):
    """The MCP servers of a project."""

    async def call(self, server: str, tool: str, arguments: JsonObject, slots: Mapping[str, Any]) -> ToolReply:
        """Call a tool; never raises for what the server or the tool does. ``slots`` are for the server's meta_map."""
        ...


def result_as_engines_have_it(result: Mapping[str, Any]) -> JsonObject:
    """Return a result with every key that engines' expressions may look at; one that did not come is there as well."""
    return {"meta": result.get("_meta"), "content": [], "structuredContent": None, "isError": False, **result}


def arguments_of(mapping: ToolMapping, slots: Mapping[str, Any]) -> JsonObject:
    """Return what a tool is sent. A slot without a value is sent as null, it is not left out."""
    return {entry.param: slots.get(entry.slot) for entry in mapping.inputs}


def slots_of(mapping: ToolMapping, result: JsonObject) -> dict[str, Any]:
    """Return the slots that a result sets.

    Raises:
        ValueError: an expression cannot be evaluated; it says which and why.
    """
    found = {}
    for entry in mapping.outputs:
        try:
            value = evaluate_expression(entry.value, {"result": result})
        except Exception as exc:
            raise ValueError(f"`{entry.value}` cannot be evaluated: {' '.join(str(exc).split())}") from exc
        found[entry.slot] = json.dumps(value) if isinstance(value, (list, dict, tuple)) else value
    return found


def error_of(result: JsonObject) -> str:
    """Return what a result with ``isError`` says, in a line; empty for one without."""
    if not result.get("isError"):
        return ""
    content = result.get("content")
    texts = [str(block.get("text", "")) for block in content or () if isinstance(block, Mapping)]
    return " ".join(" ".join(texts).split()) or "it says no more"
