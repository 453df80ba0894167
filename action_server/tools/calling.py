"""Carries out the call of a tool: arguments become slots, the action runs on the road of every call, and answers."""

from __future__ import annotations

import logging
import marshal
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from action_server.errors import CallError, SlotValueError
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call
from action_server.protocol.tool_calls import CONVERSATION, ToolCall
from action_server.tools.arguments import read_arguments, read_value
from action_server.tools.domain import slots_of
from action_server.tools.names import argument_name
from action_server.tools.offer import Offer
from action_server.tools.results import ToolResult, failure_of, refusal_of, result_of
from action_server.tools.shapes import Shape
from action_server.tools.tool import Tool

logger = logging.getLogger(__name__)

# In characters. A model reads all of it, each time.
LONG_ANSWER = 16_000


class RunCall(Protocol):
    """The road that every call takes: :meth:`action_server.assembly.CallHandler.run`."""

    async def __call__(
        self,
        call: Call,
        *,
        transport: str,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
        client: str = "",
        engine: str = "",
        size: int = 0,
        patience: float | None = None,
    ) -> tuple[Answer | None, CallError | None]:
        """Run a call."""
        ...


@dataclass(frozen=True)
class Caller:
    """Who calls, for the log and the trace: headers, the request's id and size, the address, the engine's name."""

    headers: Mapping[str, str] | None = None
    request_id: str = ""
    client: str = ""
    size: int = 0
    engine: str = ""


_NOBODY = Caller()


class ToolCaller:
    """Calls the tools of one offer. ``conversation`` is the key of ``_meta`` that holds the conversation's id."""

    def __init__(self, offer: Offer, run: RunCall, conversation: str) -> None:
        self.offer = offer
        self._run = run
        self._conversation = conversation
        # As for the webhook, each call may change the domain it gets.
        self._domain = marshal.dumps(offer.domain)
        self._initial = {name: slot.initial_value for name, slot in slots_of(offer.domain).items()}
        self._said: set[tuple[str, str]] = set()

    async def call(
        self, tool: Tool, arguments: Mapping[str, Any], meta: Mapping[str, Any] | None = None, caller: Caller = _NOBODY
    ) -> ToolResult:
        """Call a tool. Raises no ``Exception``: what goes wrong is in the result.

        ``arguments`` and ``meta`` are objects of JSON, of the request.
        """
        conversation = self._conversation_of(tool, arguments, meta or {})
        read = read_arguments(tool.arguments, arguments)
        self._note_unknown(tool, read.unknown)
        reason = None if conversation else tool.needs_conversation
        if reason is not None:
            return refusal_of(self._what_to_set(tool, reason), tool.sets)
        if read.problems:
            return refusal_of("; ".join(read.problems), tool.sets)
        slots = {**self._initial, **dict.fromkeys(tool.sets), **read.slots}
        made: list[ToolResult] = []

        def measure(answer: Answer) -> int:
            made.append(result_of(answer, tool.sets, self.offer.domain, slots))
            return len(made[-1].text)

        call = self._make_call(tool, conversation, slots, measure)
        answer, error = await self._run(
            call,
            transport="mcp",
            headers=caller.headers,
            request_id=caller.request_id,
            client=caller.client,
            engine=caller.engine,
            size=caller.size,
            patience=tool.patience,
        )
        self._note_missed(tool, call.missed)
        if CONVERSATION in call.missed:
            return refusal_of(self._what_to_set(tool, "it reads the conversation's id"), tool.sets)
        if answer is None:
            return _failure(tool, error or CallError("the action failed", tool.action))
        self._note_length(tool, len(made[-1].text))
        return made[-1]

    def _make_call(
        self, tool: Tool, conversation: str, slots: dict[str, Any], measure: Callable[[Answer], int]
    ) -> ToolCall:
        # As a turn, for the rules of actions that run once: the same arguments in the same conversation.
        events = [{"event": "slot", "timestamp": None, "name": name, "value": value} for name, value in slots.items()]
        domain = marshal.loads(self._domain) if tool.reads_domain and self.offer.domain else None  # noqa: S302 - ours
        return ToolCall(tool.action, conversation, {"slots": slots, "events": events}, domain, measure=measure)

    def _conversation_of(self, tool: Tool, arguments: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
        """Return the conversation's id, "" for none. Never the credential's: behind one are many people."""
        sent = _who(meta.get(self._conversation))
        if sent:
            return sent
        name = tool.conversation_argument
        said = " ".join(_who(arguments.get(name)).split()).casefold() if name else ""
        # Under a name of its own: whoever gives an argument must not come into the conversation of an engine.
        return f"{name}:{said}" if said else ""

    def _what_to_set(self, tool: Tool, reason: str) -> str:
        if tool.conversation_argument:
            return f"{tool.conversation_argument} is missing: it says who this is for"
        return (
            f"this tool needs a conversation, as {reason}: send its id as {self._conversation!r} in _meta, or set "
            "conversation_argument for this tool in the action server's mcp settings"
        )

    def _note_unknown(self, tool: Tool, names: tuple[str, ...]) -> None:
        unknown = [argument_name(name) for name in names if name != tool.conversation_argument]
        if unknown and self._is_first(tool, "unknown argument"):
            facts = {"action": tool.action, "tool": tool.name, "argument": unknown[0]}
            logger.warning("mcp.unknown_argument", extra={**facts, "problem": "the tool has none of this name"})

    def _note_missed(self, tool: Tool, missed: set[str]) -> None:
        if missed and self._is_first(tool, "missed"):
            problem = "a tool's call has none of these: the action found them empty"
            facts = {"action": tool.action, "tool": tool.name, "missed": ", ".join(sorted(missed)), "problem": problem}
            logger.warning("mcp.missed", extra=facts)

    def _note_length(self, tool: Tool, characters: int) -> None:
        if characters > LONG_ANSWER and self._is_first(tool, "long"):
            facts = {"action": tool.action, "tool": tool.name, "characters": characters}
            logger.warning(
                "mcp.long_answer", extra={**facts, "problem": f"models read all of it; {LONG_ANSWER} is long"}
            )

    def _is_first(self, tool: Tool, what: str) -> bool:
        key = (tool.name, what)
        is_first = key not in self._said
        self._said.add(key)
        return is_first


def _who(sent: object) -> str:
    """Return what a client says of who this is for as text, "" for nothing: all who say nothing would be one person."""
    if not isinstance(sent, (str, int, float)) or isinstance(sent, bool):
        return ""
    if isinstance(sent, float) and not math.isfinite(sent):
        return ""
    # A number may come as a fraction, as slots of an engine hold it.
    said: str = read_value(Shape("text"), sent).strip()
    return "" if said.casefold() == "null" else said


def _failure(tool: Tool, error: CallError) -> ToolResult:
    if isinstance(error.__cause__, SlotValueError):
        # The caller's mistake, said for each slot and without its value.
        return refusal_of(str(error.__cause__), tool.sets)
    return failure_of(error, tool.sets)
