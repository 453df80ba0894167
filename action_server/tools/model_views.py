"""A tool as the model of a provider, or of an engine, gets it.

For the three providers it is what litellm 1.101.0 makes, which rasa-pro 3.21.0 asks for (run); for the two engines what
rasa-pro 3.21.0 makes (read).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from action_server.protocol.jsonable import JsonObject
from action_server.tools.tool import Tool


def view_of(tool: Tool, model: str) -> JsonObject:
    """Return a tool as a model gets it. ``model`` is one of :data:`MODELS`."""
    return _VIEWS[model](tool)


def _as_openai(tool: Tool) -> JsonObject:
    # Closed at the root, and with `strict` off, so that null may still be left out.
    return _function(tool, {**tool.input_schema, "additionalProperties": False}, strict=False)


def _as_anthropic(tool: Tool) -> JsonObject:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": {**tool.input_schema, "additionalProperties": False},
        "type": "custom",
    }


def _as_gemini(tool: Tool) -> JsonObject:
    parameters = _dialect(tool.input_schema)
    if not parameters.get("properties"):
        # An object without any is refused there.
        parameters = {"type": "object"}
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def _as_engine(tool: Tool) -> JsonObject:
    # Sub agents and Mantle share what makes a function of a tool; `anyOf` is left as it is there.
    return _function(tool, {"required": [], **tool.input_schema, "additionalProperties": False}, strict=False)


def _function(tool: Tool, parameters: JsonObject, **more: Any) -> JsonObject:
    function = {"name": tool.name, "description": tool.description, "parameters": parameters, **more}
    return {"type": "function", "function": function}


def _dialect(schema: JsonObject, *, converts: bool = True) -> JsonObject:
    """Return a schema in the dialect of Gemini: null is a mark on each option, which has the description as well.

    Inside of an option null stays as it is: litellm does not look there.
    """
    if "anyOf" in schema:
        options = [o for o in schema["anyOf"] if not converts or o.get("type") != "null"]
        mark = {"nullable": True} if len(options) < len(schema["anyOf"]) else {}
        said = {"description": schema["description"]} if schema.get("description") else {}
        return {"anyOf": [{**_dialect(option, converts=False), **mark, **said} for option in options]}
    found = dict(schema)
    if "properties" in schema:
        found["properties"] = {name: _dialect(part, converts=converts) for name, part in schema["properties"].items()}
    if "items" in schema:
        found["items"] = _dialect(schema["items"], converts=converts)
    return found


_VIEWS: Mapping[str, Callable[[Tool], JsonObject]] = {
    "gemini": _as_gemini,
    "openai": _as_openai,
    "anthropic": _as_anthropic,
    "rasa": _as_engine,
    "mantle": _as_engine,
}
MODELS = tuple(_VIEWS)
