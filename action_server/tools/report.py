"""Shows tools as models see them: what each is called, takes and answers, and what it costs to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from action_server.protocol.jsonable import JsonObject
from action_server.tools.offer import Offer
from action_server.tools.tool import Tool


def cost_of(tool: Tool) -> int:
    """Return how many characters a model reads of a tool: name, description and arguments, as compact JSON."""
    read = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return len(json.dumps(read, ensure_ascii=False, separators=(",", ":")))


def facts_of(tool: Tool) -> JsonObject:
    """Return all there is to know of a tool, for machines."""
    renamed = {a.name: a.slot for a in tool.arguments if a.name != a.slot}
    renamed |= {key: slot for slot, key in tool.sets.items() if key != slot}
    return {
        **tool.listing,
        "action": tool.action,
        "place": tool.place,
        "characters": cost_of(tool),
        "seconds": tool.patience,
        "needs": needs_of(tool),
        "renamed": renamed,
    }


def needs_of(tool: Tool) -> list[str]:
    """Say what a call needs besides its arguments."""
    reason = tool.needs_conversation
    if reason is None and not tool.may_ask_for_conversation:
        return []
    by = f"the argument {tool.conversation_argument}" if tool.conversation_argument else "its id in _meta"
    return [f"a conversation ({by}), as {reason or 'code that it calls may read the conversation id'}"]


def arguments_of(tool: Tool) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each argument, its types, and what is said of it."""
    required = set(tool.input_schema.get("required", ()))
    for name, schema in tool.input_schema["properties"].items():
        yield f"{name}{' *' if name in required else ''}", types_of(schema), schema.get("description", "")


def types_of(schema: Any) -> str:
    """Return the types of a schema in one line."""
    options = schema.get("anyOf", [schema])
    return " | ".join(_type(option) for option in options)


def _type(option: JsonObject) -> str:
    if "enum" in option:
        return "enum"
    if option.get("type") == "array":
        return f"array of {types_of(option['items'])}"
    return str(option.get("type", "any"))


def total_cost(offer: Offer) -> int:
    """Return how many characters a model reads of all tools."""
    return sum(map(cost_of, offer.tools.values()))
