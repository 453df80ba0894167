"""Says what the bot says: responses of the domain, and messages that actions made."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from action_server.errors import ResponseError
from action_server.flows.player.conditions import Conditions
from action_server.flows.player.event_log import EventLog
from action_server.flows.player.responses import choose_variation, render_variation
from action_server.flows.player.stack import Frame
from action_server.flows.player.state import State
from action_server.flows.player.trace import BotMessage
from action_server.flows.player.turn_recorder import TurnRecorder
from action_server.protocol.jsonable import JsonObject

_INTERNAL_ERROR = "utter_internal_error_rasa"


class ResponseGenerator:
    """The bot's side of a conversation. ``seed`` decides which of several variations is said."""

    def __init__(
        self, state: State, conditions: Conditions, events: EventLog, recorder: TurnRecorder, seed: int
    ) -> None:
        self._state = state
        self._conditions = conditions
        self._events = events
        self._recorder = recorder
        self._chance = random.Random(seed)  # noqa: S311 - which variation is said is no secret

    def utter_response(
        self, name: str, frame: Frame | None, action: str, values: Mapping[str, Any] | None = None
    ) -> bool:
        """Say a response by its name. False if the domain has none of it."""
        message = self.message_of(name, frame, values or {})
        if message is not None:
            self.utter_message(replace(message, action=action))
        return message is not None

    def message_of(self, name: str, frame: Frame | None, values: Mapping[str, Any]) -> BotMessage | None:
        """Make the message of a response; None if the domain has no such response."""
        state = self._state
        response = state.domain.responses.get(name)
        if response is None:
            return None
        # Slots by their names alone; engines have no `slots` in a text (rasa-pro 3.21.0, read).
        everything = {"context": state.stack.context_of(frame), **state.slots, **values}
        try:
            variation = choose_variation(response, state.channel, state.slots, self._conditions.holds, self._chance)
            return render_variation(name, variation, everything)
        except ResponseError as exc:
            self._recorder.add_failure(f"the response {name!r} cannot be said: {exc}", response.at, frame)
            # As engines do.
            return None if name == _INTERNAL_ERROR else self.message_of(_INTERNAL_ERROR, frame, {})

    def utter_message(self, message: BotMessage) -> None:
        """Say a message."""
        self._recorder.add_message(message)
        self._events.emit(bot_event(message))

    def repeat_message(self, event: Mapping[str, Any]) -> None:
        """Say the message of an earlier event again."""
        data = {key: value for key, value in (event.get("data") or {}).items() if value}
        said_by = str((event.get("metadata") or {}).get("utter_action") or "")
        self.utter_message(
            BotMessage(text=event.get("text"), response=said_by, action="action_repeat_bot_messages", **data)
        )


def bot_event(message: BotMessage) -> JsonObject:
    """Return the event of a message."""
    data = {
        "elements": message.elements or None,
        "quick_replies": message.quick_replies or None,
        "buttons": message.buttons or None,
        "attachment": message.attachment,
        "image": message.image or None,
        "custom": message.custom,
    }
    said_by = {"utter_action": message.response} if message.response else {}
    return {"event": "bot", "text": message.text, "data": data, "metadata": {**said_by, **message.metadata}}
