"""From an action's answer to a tool's result, in the one form that every known client passes on whole.

One text that is the compact JSON of ``structuredContent``, as some clients show only this and some only that. All keys
always. ``error`` is set exactly when ``ok`` is false: what went wrong in the business is a result like any other, since
engines end the flow at ``isError``, and so it is for failures nobody foresaw alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from action_server.errors import ActionFailedError, ActionRejectedError, CallError, InternalError, SaturatedError
from action_server.protocol.answers import Answer
from action_server.protocol.jsonable import JsonObject
from action_server.tools.messages import messages_of, text_of_messages
from action_server.tools.names import answer_key

# JavaScript rounds integers beyond this silently.
_LARGEST_EXACT = 2**53 - 1
# Nobody foresaw these.
_UNFORESEEN = (ActionFailedError, InternalError)


@dataclass(frozen=True)
class ToolResult:
    """The result of one call. ``text`` is ``structured`` as compact JSON."""

    structured: JsonObject
    text: str
    is_error: bool = False

    @property
    def as_json(self) -> JsonObject:
        """The result as MCP writes it."""
        found: JsonObject = {
            "content": [{"type": "text", "text": self.text}],
            "structuredContent": self.structured,
        }
        return {**found, "isError": True} if self.is_error else found


def result_of(
    answer: Answer, sets: Mapping[str, str], domain: Mapping[str, Any], slots: Mapping[str, Any]
) -> ToolResult:
    """Return the result for an answer. ``sets`` are the keys of the slots that the tool sets, ``slots`` what it had."""
    error = None if answer.failure is None else words_of(answer.failure)
    changed = {e["name"]: e.get("value") for e in answer.events if e.get("event") == "slot"}
    followup = [e.get("name") for e in answer.events if e.get("event") == "followup"]
    messages = messages_of(answer.responses, domain, slots)
    found = _empty(sets, error)
    # What nobody announced never takes the key of what was announced.
    found |= {answer_key(slot): value for slot, value in changed.items()}
    found |= {key: changed[slot] for slot, key in sets.items() if slot in changed}
    found |= {"text": text_of_messages(messages), "responses": messages}
    if followup:
        found["followup_action"] = followup[-1]
    return _result(found)


def failure_of(error: CallError, sets: Mapping[str, str]) -> ToolResult:
    """Return the result for a call that has no answer."""
    return _result(_empty(sets, words_of(error)), is_error=isinstance(error, _UNFORESEEN))


def refusal_of(problem: str, sets: Mapping[str, str]) -> ToolResult:
    """Return the result for a call that was not begun, with what has to be mended."""
    return _result(_empty(sets, problem))


def words_of(error: CallError) -> str:
    """Say what went wrong, to whoever called. Never more than the webhook says."""
    if isinstance(error, SaturatedError):
        return "busy: too many calls are running; try again later"
    message = error.message or (
        f"the action {error.action!r} declined" if isinstance(error, ActionRejectedError) else ""
    )
    message = message or "the action failed"
    return f"{message} (error_id {error.error_id})" if error.error_id else message


def output_schema(sets: Mapping[str, str], descriptions: Mapping[str, str]) -> JsonObject:
    """Return the schema of a tool's results: types for what is made here, and any value for slots.

    Clients hold each answer against it, and make a failure of their own of a success that does not fit.
    """
    properties: JsonObject = {
        "ok": {"type": "boolean", "description": "Whether it worked."},
        "error": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "What went wrong; null if ok."},
        "text": {"type": "string", "description": "What is to be said to the user."},
        "responses": {"type": "array", "items": {"type": "object"}, "description": "The messages one by one."},
    }
    for slot, key in sets.items():
        properties[key] = {"description": descriptions.get(slot) or f"The slot {slot}."}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _empty(sets: Mapping[str, str], error: str | None) -> JsonObject:
    slots = dict.fromkeys(sets.values())
    return {"ok": error is None, "error": error, "text": "", "responses": [], **slots}


def _result(found: JsonObject, *, is_error: bool = False) -> ToolResult:
    structured: JsonObject = _safe(found)
    return ToolResult(structured, json.dumps(structured, ensure_ascii=False, separators=(",", ":")), is_error)


def _safe(value: Any) -> Any:
    """Return JSON that no client stumbles over: well-formed text, finite numbers, and none that JavaScript rounds."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if -_LARGEST_EXACT <= value <= _LARGEST_EXACT else str(value)
    if isinstance(value, dict):
        return {_safe(key): _safe(item) for key, item in value.items()}
    return [_safe(item) for item in value] if isinstance(value, list) else value
