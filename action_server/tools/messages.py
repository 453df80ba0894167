"""What an action said, as text: its own words, or a response of the domain with its values filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from action_server.protocol.jsonable import JsonObject

# `{name}`, but neither `{{` nor the braces of JSON.
_VARIABLE = re.compile(r"\{\{|\}\}|\{([\w.\-]+)\}")
_PARTS = ("text", "image", "attachment", "custom", "quick_replies", "elements")


def messages_of(
    responses: Sequence[JsonObject], domain: Mapping[str, Any], slots: Mapping[str, Any]
) -> list[JsonObject]:
    """Return what was said, each message with what it has; a response that the domain lacks keeps its name."""
    return [_message(response, domain.get("responses") or {}, slots) for response in responses]


def text_of_messages(messages: Sequence[JsonObject]) -> str:
    """Return all that was said, joined; "" for nothing."""
    return "\n".join(text for message in messages if isinstance(text := message.get("text"), str) and text)


def _message(response: JsonObject, known: Mapping[str, Any], slots: Mapping[str, Any]) -> JsonObject:
    name = response.get("response") or response.get("template")
    own = {k: v for k, v in response.items() if k not in ("response", "template") and v not in (None, "", [], {})}
    if not name:
        return own
    variation = _choose(known.get(name), slots)
    if variation is None:
        return {"response": name, **own}
    values = {**slots, "slots": slots, **own}
    said = {k: _fill(v, values) for k, v in variation.items() if k in (*_PARTS, "buttons") and v not in (None, "", [])}
    buttons = [*said.pop("buttons", []), *own.get("buttons", [])]
    said |= {k: own[k] for k in _PARTS if k in own}
    return {**said, "buttons": buttons} if buttons else said


def _choose(variations: object, slots: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first variation that fits: one with a condition before one without, none of a single channel."""
    if not isinstance(variations, list):
        return None
    fitting = [v for v in variations if isinstance(v, Mapping) and not v.get("channel")]
    conditional = [v for v in fitting if v.get("condition") and _holds(v["condition"], slots)]
    return next(iter([*conditional, *(v for v in fitting if not v.get("condition"))]), None)


def _holds(condition: object, slots: Mapping[str, Any]) -> bool:
    # The old form, which compares types too. Predicates are the engine's, and its variation without one is said.
    return isinstance(condition, list) and all(
        isinstance(c, Mapping)
        and type(slots.get(str(c.get("name")))) is type(c.get("value"))
        and slots.get(str(c.get("name"))) == c.get("value")
        for c in condition
    )


def _fill(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: found[0][0] if found[1] is None else str(values.get(found[1])), value)
    if isinstance(value, Mapping):
        return {key: _fill(item, values) for key, item in value.items()}
    return [_fill(item, values) for item in value] if isinstance(value, list) else value
