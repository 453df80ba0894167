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
from action_server.project.domain import Response, Variation
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
        """Say a response by its name. False if the domain has none of it.

        Raises:
            ResponseError: as :meth:`message_of`.
        """
        message = self.message_of(name, frame, values or {})
        if message is not None:
            self.utter_message(replace(message, action=action))
        return message is not None

    def message_of(self, name: str, frame: Frame | None, values: Mapping[str, Any]) -> BotMessage | None:
        """Make the message of a response; None if the domain has no such response.

        Raises:
            ResponseError: a value cannot be filled in.
        """
        state = self._state
        response = state.domain.responses.get(name)
        if response is None:
            return None
        # Slots by their names alone; engines have no `slots` in a text (rasa-pro 3.21.0, read).
        everything = {"context": state.stack.context_of(frame), **state.slots, **values}
        try:
            variation = self._choose(response)
            if variation is None:
                what = f"no variation of {name!r} fits the slots and the channel {state.channel!r}"
                self._recorder.add_failure(what, response.at, frame)
                # Engines say instead, under this name, that something is wrong (rasa-pro 3.21.0, read).
                error = state.domain.responses.get(_INTERNAL_ERROR)
                variation = self._choose(error) if error is not None and error is not response else None
            return None if variation is None else render_variation(name, variation, everything, state.language)
        except ResponseError as exc:
            raise ResponseError(f"{response.at}: the response {name!r} cannot be said: {exc}") from exc

    def _choose(self, response: Response) -> Variation | None:
        state = self._state
        holds, chance = self._conditions.holds, self._chance
        return choose_variation(response, state.channel, state.slots, holds, chance, state.language)

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
    """Return the event of a message, as engines write it (rasa-pro 3.21.0, read)."""
    data = {
        "elements": message.elements or None,
        "quick_replies": message.quick_replies or None,
        "buttons": message.buttons or None,
        # An image is an attachment as well, if there is no other.
        "attachment": message.attachment or message.image or None,
        "image": message.image or None,
        "custom": message.custom,
    }
    said_by = {"utter_source": message.source, **({"utter_action": message.response} if message.response else {})}
    return {"event": "bot", "text": message.text, "data": data, "metadata": {**said_by, **message.metadata}}
