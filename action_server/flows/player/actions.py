"""Runs an action by its name: a response, one of the engine's own, or one of the action server.

What engines do here was read in rasa-pro 3.21.0 (rasa/core/actions, and `_run_action` of rasa/core/processor.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from action_server.errors import ResponseError
from action_server.flows.player.default_actions import DEFAULT_ACTIONS, NOT_PLAYED, trigger_flow
from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.request_body import request_body
from action_server.flows.player.responses import message_from_action
from action_server.flows.player.stack import Frame
from action_server.flows.player.trace import ActionCall, BotMessage
from action_server.flows.player.webhook import ActionReply, Webhook
from action_server.project.places import UnsupportedError
from action_server.source import Place

LISTEN = "action_listen"
_TRIGGER = "flow_"
_REJECTS = "rejects its execution"


class Outcome(Enum):
    """What follows an action: the next step, the user's next message, the pattern for errors, or itself once more."""

    GO_ON = "go on"
    LISTEN = "listen"
    FAILED = "failed"
    REJECTED = "rejected"


class Actions:
    """The actions of a dialogue."""

    def __init__(self, dialogue: Dialogue, webhook: Webhook) -> None:
        self._frames = dialogue.frames
        self._recorder = dialogue.recorder
        self._events = dialogue.events
        self._state = dialogue.state
        self._flows = dialogue.flows
        self._domain = dialogue.domain
        self._responses = dialogue.responses
        self._dialogue = dialogue
        self._webhook = webhook
        # How many there were in the conversation.
        self.executed = 0
        self._digest = self._domain.digest

    def exists(self, name: str) -> bool:
        """Tell whether the engine has such an action: its own, one the domain lists, or a response."""
        domain = self._domain
        return domain.lists(name) or name in DEFAULT_ACTIONS or name in domain.responses or self._is_trigger(name)

    async def run(self, name: str, frame: Frame | None, at: Place | None = None) -> Outcome:
        """Run an action for a frame; None outside of any flow. ``at`` is the step it stands in.

        Raises:
            UnsupportedError: it is one of the engine's own that the player does not play.
        """
        if name.startswith("utter_"):
            return self._utter(name, frame, at)
        if self._domain.lists(name):
            # The project's own, even under the name of a default action.
            return await self._run_custom_action(name, frame, at)
        if name in NOT_PLAYED:
            raise UnsupportedError(NOT_PLAYED[name], at)
        if name == LISTEN:
            self._emit_executed(name)
            return Outcome.LISTEN
        if name == "action_session_start" and self._state.has_session:
            # A session has begun for this message or another one.
            self._events.emit({"event": "action_execution_rejected", "name": name})
            return Outcome.REJECTED
        if name in DEFAULT_ACTIONS:
            return self._run_default_action(name, frame, at)
        if self._is_trigger(name):
            self._emit_executed(name)
            trigger_flow(self._dialogue, name.removeprefix(_TRIGGER))
            return Outcome.GO_ON
        self._recorder.add_failure(f"the domain lists no action {name!r}", at, frame)
        return Outcome.FAILED

    async def run_every_turn(self) -> None:
        """Run the actions of `run_action_every_turn`: of what they answer, slots and messages count."""
        for name in self._domain.every_turn_actions:
            reply, asked = await self._post_request(name)
            messages, problem = self._messages_of(name, reply, None)
            before = dict(self._state.slots)
            if not problem:
                slots = [e for e in (reply.body or {}).get("events") or () if e.get("event") == "slot"]
                self._apply(slots, messages)
            # Engines tolerate a failure here.
            self._record_call(name, reply, asked, before, problem)

    def play_sub_agent(self, name: str, stub: ActionReply, frame: Frame) -> None:
        """Say and set what a stub has a sub agent say and set until it is done."""
        before = dict(self._state.slots)
        messages, problem = self._messages_of(name, stub, frame)
        self._apply((stub.body or {}).get("events") or (), messages)
        self._record_call(name, stub, False, before, problem)

    def _is_trigger(self, name: str) -> bool:
        return name.startswith(_TRIGGER) and name.removeprefix(_TRIGGER) in self._flows

    def _utter(self, name: str, frame: Frame | None, at: Place | None) -> Outcome:
        if name in self._domain.responses:
            self._emit_executed(name)
            try:
                self._responses.utter_response(name, frame, name)
            except ResponseError as exc:
                self._recorder.add_failure(str(exc), at, frame)
                return Outcome.FAILED
            return Outcome.GO_ON
        if self._domain.lists(name):
            self._emit_executed(name)
            self._recorder.add_note(
                f"{name} is listed without a text: an NLG server would say it, which the player does not ask"
            )
            return Outcome.GO_ON
        self._recorder.add_failure(f"the domain has no response {name!r}", at, frame)
        return Outcome.FAILED

    def _run_default_action(self, name: str, frame: Frame | None, at: Place | None) -> Outcome:
        self._emit_executed(name)
        try:
            DEFAULT_ACTIONS[name](self._dialogue, frame)
        except ResponseError as exc:
            self._recorder.add_failure(str(exc), at, frame)
            return Outcome.FAILED
        return Outcome.GO_ON

    def _emit_executed(self, name: str) -> None:
        self.executed += 1
        self._events.emit_stack()
        self._events.emit(
            {"event": "action", "name": name, "policy": "FlowPolicy", "confidence": 1.0, "action_text": None}
        )

    async def _run_custom_action(self, name: str, frame: Frame | None, at: Place | None) -> Outcome:
        self._events.emit_stack()
        reply, asked = await self._post_request(name)
        before = dict(self._state.slots)
        messages, problem = self._messages_of(name, reply, frame)
        if problem:
            rejects = problem.startswith(_REJECTS)
            if rejects:
                self._events.emit({"event": "action_execution_rejected", "name": name})
            else:
                # Its events are lost, and the action counts as executed all the same.
                self._emit_executed(name)
            self._recorder.add_failure(f"the action {name!r} {problem}", at, frame)
            self._record_call(name, reply, asked, before, problem)
            return Outcome.REJECTED if rejects else Outcome.FAILED
        self._emit_executed(name)
        body = reply.body or {}
        self._apply(body.get("events") or (), messages)
        self._record_call(name, reply, asked, before, "")
        # Taking messages back ends the turn, as nothing is left to answer.
        listens = any(e.get("event") in ("rewind", "undo") or _is_listen(e) for e in body.get("events") or ())
        starts_session = any(e.get("event") == "session_started" for e in body.get("events") or ())
        return Outcome.LISTEN if listens and not starts_session else Outcome.GO_ON

    async def _post_request(self, name: str) -> tuple[ActionReply, bool]:
        """Call the action server; once more, with the domain, if it asks for it."""
        for with_domain in (False, True):
            body = request_body(
                name, self._state, domain=self._domain.raw, digest=self._digest, with_domain=with_domain
            )
            reply = await self._webhook.post(body)
            if reply.status != 449:
                return reply, with_domain
        return reply, True

    def _messages_of(self, name: str, reply: ActionReply, frame: Frame | None) -> tuple[list[BotMessage], str]:
        """Return what an action says, or why its reply is a failure: one text that cannot be filled in loses all."""
        problem, messages = _problem_of(reply), []
        for response in () if problem else (reply.body or {}).get("responses") or ():
            try:
                message = message_from_action(
                    response, name, lambda n, values: self._responses.message_of(n, frame, values)
                )
            except ResponseError as exc:
                return [], f"says what cannot be said: {exc}"
            if message is None:
                self._recorder.add_note(
                    f"{name} wants to say {_response_name(response)!r}, which the domain does not have"
                )
            else:
                messages.append(message)
        return messages, problem

    def _apply(self, events: Any, messages: list[BotMessage]) -> None:
        for message in messages:
            self._responses.utter_message(message)
        for event in events:
            self._events.emit(event)
            if event.get("event") == "reminder":
                self._recorder.add_note(
                    f"a reminder is set for {event.get('date_time')}; the player does not wait for it"
                )

    def _record_call(self, name: str, reply: ActionReply, asked: bool, before: Mapping[str, Any], problem: str) -> None:
        body = reply.body if isinstance(reply.body, dict) and not problem else {}
        call = ActionCall(
            name,
            reply.status,
            reply.milliseconds,
            before,
            dict(self._state.slots),
            events=body.get("events") or (),
            responses=body.get("responses") or (),
            logs=reply.logs,
            asked_for_domain=asked,
            problem=problem,
        )
        self._recorder.add_call(call)


def _problem_of(reply: ActionReply) -> str:
    """Say why an engine takes a reply for a failure; empty if it does not."""
    error = reply.body.get("error") if isinstance(reply.body, dict) else None
    if reply.problem:
        return f"cannot be called: {reply.problem}"
    if reply.status == 400 and isinstance(reply.body, dict) and "action_name" in reply.body:
        return f"{_REJECTS}: {error}"
    if reply.status != 200:
        return f"failed with status {reply.status}: {error or 'no reason given'}"
    if reply.body is None:
        return ""
    if not isinstance(reply.body, dict):
        return "answered with something else than an object"
    for key in ("events", "responses"):
        found = reply.body.get(key, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            return f"answered with {key!r} that is not a list of objects"
    return ""


def _is_listen(event: Mapping[str, Any]) -> bool:
    return event.get("event") == "action" and event.get("name") == LISTEN


def _response_name(response: Mapping[str, Any]) -> str:
    return str(response.get("response") or response.get("template"))
