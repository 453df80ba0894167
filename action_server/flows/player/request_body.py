"""The webhook request that an engine with CALM would send now.

What engines send was read in rasa-pro 3.21.0, and stands in the captured exchanges of tests/contract.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from action_server.flows.commands.command import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    HumanHandoff,
    RepeatBotMessages,
    SearchAndReply,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from action_server.flows.player.state import State
from action_server.protocol.jsonable import JsonObject

# The engine the requests are modelled on: what it accepts is not held back from it.
ENGINE_VERSION = "3.21.0"
_WORDS: Mapping[type, str] = {
    CancelFlow: "cancel flow",
    RepeatBotMessages: "repeat bot messages",
    HumanHandoff: "human handoff",
    ChitChat: "chitchat",
    SearchAndReply: "knowledge",
    SkipQuestion: "skip question",
}


def command_as_json(command: Command) -> JsonObject:
    """Return a command as `latest_message` and events have it."""
    if isinstance(command, StartFlow):
        return {"flow": command.flow, "command": "start flow"}
    if isinstance(command, SetSlot):
        return {"name": command.name, "value": command.value, "extractor": "LLM", "command": "set slot"}
    if isinstance(command, Clarify):
        return {"options": list(command.flows), "command": "clarify"}
    if isinstance(command, CannotHandle):
        return {"reason": command.reason, "command": "cannot handle"}
    return {"command": _WORDS[type(command)]}


def message_as_json(
    text: str,
    commands: Sequence[Command],
    *,
    message_id: str,
    intent: str = "",
    entities: Sequence[Mapping[str, Any]] = (),
    flows_in_prompt: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> JsonObject:
    """Return `latest_message`, which is also the `parse_data` of the user's event."""
    return {
        "text": text,
        "intent": {"name": intent or None, "confidence": 1.0 if intent else 0.0},
        "entities": [dict(entity) for entity in entities],
        "commands": [command_as_json(command) for command in commands],
        "message_id": message_id,
        "metadata": dict(metadata or {}),
        "flows_in_prompt": list(flows_in_prompt),
    }


def request_body(action: str, state: State, *, domain: Mapping[str, Any], digest: str, with_domain: bool) -> bytes:
    """Return the body of `POST /webhook`. Engines send the domain only after they were asked, by 449."""
    call: JsonObject = {
        "next_action": action,
        "sender_id": state.sender_id,
        "tracker": tracker_as_json(state),
        "version": ENGINE_VERSION,
    }
    if with_domain:
        call["domain"] = domain
    call["domain_digest"] = digest
    return json.dumps(call, default=str).encode("ascii")


def tracker_as_json(state: State) -> JsonObject:
    """Return the tracker with all of its events."""
    return {
        "sender_id": state.sender_id,
        "slots": state.slots,
        "latest_message": state.latest_message,
        "latest_event_time": state.events[-1]["timestamp"] if state.events else state.now,
        "followup_action": state.followup or None,
        "paused": state.is_paused,
        "inactive": False,
        "terminated": state.has_ended,
        "stack": state.stack.as_json(),
        "events": state.events,
        "latest_input_channel": state.channel,
        "active_loop": state.active_loop,
        "latest_action": {"action_name": state.latest_action} if state.latest_action else {},
        "latest_action_name": state.latest_action or None,
        "user_id": state.latest_message.get("metadata", {}).get("user_id"),
        "conversation_started_timestamp": state.started,
        "current_session_id": None,
    }
