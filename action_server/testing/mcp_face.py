"""The face of MCP: an action called as a tool, and its result read back as events and responses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from action_server.assembly import Assembly
from action_server.errors import ActionNotFoundError, CallError, SettingsError
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call
from action_server.telemetry.durations import milliseconds_since
from action_server.testing.face import FaceReply

if TYPE_CHECKING:
    from action_server.tools.results import ToolResult
    from action_server.tools.tool import Tool

# What a result says of itself; the rest of its keys are slots.
_OWN = frozenset({"ok", "error", "text", "responses", "followup_action"})
# What a webhook answers where a tool says that the call was not begun.
_REFUSED = 400


@dataclass(frozen=True)
class ToolReply:
    """The result of a tool. ``answer`` is the action's, ``error`` is there instead; without both it was not begun."""

    tool: Tool
    result: ToolResult
    answer: Answer | None = None
    error: CallError | None = None


class McpFace:
    """A tool's call, from the arguments on, whether the project offers the action or not.

    Of a request it takes what a client can say: the slots that are arguments of the tool, and the conversation's id.
    """

    def __init__(self, assembly: Assembly, _: AsyncExitStack) -> None:
        self._assembly = assembly
        self._tools: dict[str, Tool] = {}

    async def send(self, call: Mapping[str, Any]) -> FaceReply:
        """Call the tool. A slot that is null in its result is no event: a result has all slots of its tool, always."""
        start = time.perf_counter()
        try:
            found = await self.call_tool(call)
        except ActionNotFoundError as exc:
            return FaceReply(exc.status, {"error": exc.message, "action_name": exc.action}, 0.0, exc)
        milliseconds = milliseconds_since(start)
        if found.answer is not None:
            return FaceReply(200, _as_reply(found.tool, found.answer, found.result.structured), milliseconds)
        status = _REFUSED if found.error is None else found.error.status
        body = {"error": found.result.structured["error"], "action_name": found.tool.action}
        return FaceReply(status, body, milliseconds, found.error)

    async def call_tool(self, call: Mapping[str, Any]) -> ToolReply:
        """Call the tool of the action that a request names.

        Raises:
            ActionNotFoundError: there is no such action.
            SettingsError: it can be no tool.
        """
        from action_server.tools.calling import ToolCaller
        from action_server.tools.offer import Offer

        domain = call.get("domain") or {}
        tool = self._tool(str(call.get("next_action")), domain)
        tracker = call.get("tracker") or {}
        slots = tracker.get("slots") or {}
        arguments = {a.name: slots[a.slot] for a in tool.arguments if slots.get(a.slot) is not None}
        found: tuple[Answer | None, CallError | None] = None, None

        async def run(call: Call, **options: Any) -> tuple[Answer | None, CallError | None]:
            nonlocal found
            found = await self._assembly.calls.run(call, **options)
            return found

        key = self._assembly.settings.mcp.conversation
        caller = ToolCaller(Offer({tool.name: tool}, dict(domain)), run, key)
        result = await caller.call(tool, arguments, {key: tracker.get("sender_id")})
        return ToolReply(tool, result, *found)

    def _tool(self, action: str, domain: Mapping[str, Any]) -> Tool:
        # Here, as most tests need not pay for what reads code and schemas.
        from action_server.tools.domain import slots_of
        from action_server.tools.offer import can_be_a_tool, make_tool

        if action not in self._tools:
            registered = self._assembly.executor.registry.get(action)
            if not can_be_a_tool(registered):
                raise SettingsError("face='mcp'", f"{action!r} is about a turn of a conversation, so it can be no tool")
            settings = self._assembly.settings
            self._tools[action] = make_tool(registered, settings.mcp, settings.options, slots_of(domain))
        return self._tools[action]


def _as_reply(tool: Tool, answer: Answer, structured: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result as the webhook's reply; responses of the domain are filled in already."""
    from action_server.tools.names import answer_key

    # Those that the tool did not announce have the names that the answer's rule gives them.
    set_by_action = [str(event["name"]) for event in answer.events if event.get("event") == "slot"]
    slots = {answer_key(slot): slot for slot in set_by_action} | {key: slot for slot, key in tool.sets.items()}
    events: list[dict[str, Any]] = [
        {"event": "slot", "timestamp": None, "name": slots[key], "value": value}
        for key, value in structured.items()
        if key not in _OWN and value is not None
    ]
    if structured.get("followup_action"):
        events.append({"event": "followup", "timestamp": None, "name": structured["followup_action"]})
    return {"events": events, "responses": structured["responses"]}
