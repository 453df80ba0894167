"""Plays a conversation with a project's flows, turn by turn, against the real actions.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from action_server.flows.commands.command import Command
from action_server.flows.commands.generator import CommandGenerator, DialogueView, Prediction
from action_server.flows.player.actions import Actions
from action_server.flows.player.buttons import ButtonPayload, read_button_payload, words_of
from action_server.flows.player.command_processor import CommandProcessor
from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.message_limits import fault_of, most_characters
from action_server.flows.player.policy import MOST_ACTIONS, MOST_STEPS, LostTurn, Policy
from action_server.flows.player.request_body import message_as_json
from action_server.flows.player.state import Snapshot, State
from action_server.flows.player.tools import Tools
from action_server.flows.player.trace import BotMessage, Turn
from action_server.flows.player.view import Views
from action_server.flows.player.webhook import ActionReply, Webhook
from action_server.project.project import Project

_SESSION_START = "action_session_start"


class Player:
    """One conversation.

    ``seed`` decides which of several variations of a response is said, and the frames' ids. ``clock`` gives seconds
    since 1970. ``channel`` is the channel's name, for responses that depend on it. Without
    ``tools``, a step that calls one of an MCP server is not played; one that calls a sub agent is where ``sub_agents``
    says, by its name, what it does until it is done.
    """

    def __init__(
        self,
        project: Project,
        webhook: Webhook,
        *,
        sender_id: str = "player",
        channel: str = "cmdline",
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        most_steps: int = MOST_STEPS,
        most_actions: int = MOST_ACTIONS,
        tools: Tools | None = None,
        sub_agents: Mapping[str, ActionReply] | None = None,
    ) -> None:
        self.project = project
        self._dialogue = Dialogue(project, sender_id=sender_id, channel=channel, seed=seed, clock=clock)
        self._views = Views(self._dialogue.flows, self._dialogue.domain, project.nlu)
        self._actions = Actions(self._dialogue, webhook)
        self._policy = Policy(self._dialogue, self._actions, most_steps, most_actions, tools, sub_agents)
        self._messages = 0
        self._most_characters = most_characters(project.config)
        self._has_chitchat = project.has_policy("IntentlessPolicy")
        self._has_started = False

    @property
    def state(self) -> State:
        """Return the tracker: slots, events, stack."""
        return self._dialogue.state

    @property
    def last_turn(self) -> Turn:
        """Return the record of the last turn; after an error, as far as it came."""
        return self._dialogue.recorder.turn

    def view(self, message: str) -> DialogueView:
        """Return what there is to understand a message by."""
        return self._views.view_of(message, self.state, self._dialogue.conditions.is_startable)

    def button_payload(self, message: str) -> ButtonPayload | None:
        """Return what a message says that is a button's payload or an intent; None if it is words."""
        active = self.state.stack.active
        return read_button_payload(
            message, self._dialogue.flows, self._dialogue.domain, active.flow_id if active else ""
        )

    def set_slots(self, slots: Mapping[str, Any]) -> list[str]:
        """Set slots before a turn, as fixtures of tests do. Returns the names the domain does not have."""
        unknown = [name for name in slots if name not in self.state.slots]
        for name, value in slots.items():
            if name not in unknown:
                self._dialogue.events.set_slot(name, value)
        return unknown

    async def say(
        self, message: str, generator: CommandGenerator, *, metadata: Mapping[str, Any] | None = None
    ) -> Turn:
        """Play a turn whose commands ``generator`` finds, unless a button sent the message.

        Raises:
            UnsupportedError: a step or an action that the player does not play.
        """
        await self.start(metadata=metadata)
        if self.button_payload(message) is not None:
            return await self.turn(message, metadata=metadata)
        message = words_of(message)
        if fault_of(message, self._most_characters) is not None:
            return await self.turn(message, metadata=metadata)
        return await self.turn(message, await generator.predict_commands(self.view(message)), metadata=metadata)

    async def start(self, *, metadata: Mapping[str, Any] | None = None) -> Turn | None:
        """Begin the session, which the first turn does by itself. None if it has begun; otherwise what happened."""
        if self._has_started:
            return None
        self._has_started = True
        dialogue = self._dialogue
        dialogue.recorder.begin_turn("", self.state.slots)
        fixtures = {n: v for n, v in self.state.slots.items() if v != self.state.initial_value(n)}
        if metadata:
            dialogue.events.set_slot("session_started_metadata", dict(metadata))
        await self._actions.run(_SESSION_START, None)
        for name, value in fixtures.items():
            dialogue.events.set_slot(name, value)
        if self.state.latest_action != "action_listen":
            dialogue.events.emit({"event": "action", "name": "action_listen", "policy": None, "confidence": None})
        return self._finish_turn()

    async def turn(
        self,
        message: str,
        commands: Prediction | Sequence[Command] = (),
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> Turn:
        """Play a turn: follow the commands, then the flows, until the bot listens.

        A message that is a payload (`/SetSlots(...)`, `/intent{...}`) means what it says; ``commands`` do not count
        then.

        Raises:
            UnsupportedError: a step or an action that the player does not play.
        """
        started = await self.start(metadata=metadata)
        dialogue = self._dialogue
        payload = self.button_payload(message)
        message = words_of(message) if payload is None else message
        dialogue.recorder.begin_turn(message, self.state.slots)
        if started is not None:
            self._prepend_session_start(started)
        prediction = commands if isinstance(commands, Prediction) else Prediction(tuple(commands), "")
        if payload is not None:
            prediction = Prediction(payload.commands, payload.because)
        dialogue.recorder.turn.because, dialogue.recorder.turn.details = prediction.because, prediction.details
        before = self.state.snapshot()
        self._emit_user_message(message, prediction, payload, metadata)
        if not self.state.is_paused:
            self._processor(payload).execute(prediction.commands, message)
            dialogue.events.emit_stack()
            await self._actions.run_every_turn()
            try:
                await self._policy.run()
            except LostTurn:
                self._forget_turn(before, started)
        return self._finish_turn()

    def receive(self, texts: Sequence[str], slots: Mapping[str, Any], metadata: Mapping[str, Any]) -> Turn:
        """Take what comes after a turn: it is said and set as an engine does with events from outside.

        No flow goes on by it. ``metadata`` stands in the events.
        """
        dialogue = self._dialogue
        dialogue.recorder.begin_turn("", self.state.slots)
        for name, value in slots.items():
            if name in self.state.slots:
                dialogue.events.set_slot(name, value, metadata=dict(metadata))
        for text in texts:
            dialogue.events.emit({"event": "bot", "text": text, "data": {}, "metadata": dict(metadata)})
            dialogue.recorder.add_message(BotMessage(text, metadata=dict(metadata)))
        return self._finish_turn()

    def _processor(self, payload: ButtonPayload | None) -> CommandProcessor:
        return CommandProcessor(
            self._dialogue,
            extractor=payload.extractor if payload else "LLM",
            forced=payload.forced if payload else (),
            most_characters=-1 if payload else self._most_characters,
            has_chitchat=self._has_chitchat,
        )

    def _forget_turn(self, before: Snapshot, started: Turn | None) -> None:
        """Take everything back but what was said, as engines do: they save the tracker at the turn's end only."""
        turn = self._dialogue.recorder.turn
        self.state.restore(before)
        self._dialogue.events.forget_stack()
        turn.events[:] = started.events if started is not None else []
        turn.notes.append("an engine loses this turn: what is said is said, and nothing of it is remembered")

    def _emit_user_message(
        self, message: str, prediction: Prediction, payload: ButtonPayload | None, metadata: Mapping[str, Any] | None
    ) -> None:
        self._messages += 1
        # A session that was hung up begins again with the next message.
        self.state.has_ended = False
        said = message_as_json(
            message,
            prediction.commands,
            message_id=f"{self.state.sender_id}-{self._messages}",
            intent=payload.intent if payload else "",
            entities=payload.entities if payload else (),
            flows_in_prompt=[flow.id for flow in self._views.startable(self._dialogue.conditions.is_startable)],
            metadata=metadata,
        )
        self._dialogue.events.emit(
            {
                "event": "user",
                "text": message,
                "parse_data": said,
                "input_channel": self.state.channel,
                "message_id": said["message_id"],
                "metadata": said["metadata"],
            }
        )

    def _prepend_session_start(self, started: Turn) -> None:
        """Put what happened at the session's start in front of the turn's record."""
        turn = self._dialogue.recorder.turn
        turn.calls += started.calls
        turn.messages += started.messages
        turn.events += started.events
        turn.failures += started.failures
        turn.notes += started.notes
        turn.slots_before = started.slots_before

    def _finish_turn(self) -> Turn:
        dialogue = self._dialogue
        dialogue.events.emit_stack()
        turn = dialogue.recorder.turn
        turn.slots = dict(self.state.slots)
        turn.stack = self.state.stack.as_json()
        active = self.state.stack.active
        turn.active_flow = active.flow_id if active else ""
        turn.asked_slot = dialogue.stack.asked_slot
        turn.is_paused, turn.has_ended = self.state.is_paused, self.state.has_ended
        return turn
