"""Runs an action by its name: a response, one of the engine's own, or one of the action server."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from action_server.flows.player.default_actions import DEFAULT_ACTIONS, NOT_PLAYED, start_linked
from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.payload import call_body, digest_of
from action_server.flows.player.responses import from_action
from action_server.flows.player.stack import Frame
from action_server.flows.player.trace import ActionCall
from action_server.flows.player.webhook import ActionReply, Webhook
from action_server.project.places import Place, UnsupportedError

LISTEN = "action_listen"
_TRIGGER = "flow_"


class Outcome(Enum):
    """What follows an action: the next step, the user's next message, or the pattern for errors."""

    GO_ON = "go on"
    LISTEN = "listen"
    FAILED = "failed"


class Actions:
    """The actions of a dialogue."""

    def __init__(self, dialogue: Dialogue, webhook: Webhook) -> None:
        self._dialogue = dialogue
        self._webhook = webhook
        self._digest = digest_of(dialogue.domain.raw)

    def exists(self, name: str) -> bool:
        """Tell whether the engine has such an action: its own, one the domain lists, or a response."""
        domain = self._dialogue.domain
        return domain.lists(name) or name in DEFAULT_ACTIONS or name in domain.responses or self._is_trigger(name)

    async def run(self, name: str, frame: Frame | None, at: Place | None = None) -> Outcome:
        """Run an action for a frame; None outside of any flow. ``at`` is the step it stands in.

        Raises:
            UnsupportedError: it is one of the engine's own that the player does not play.
        """
        dialogue = self._dialogue
        if name.startswith("utter_"):
            return self._respond(name, frame, at)
        if dialogue.domain.lists(name):
            # The project's own, even under the name of a default action.
            return await self._call(name, frame, at)
        if name in NOT_PLAYED:
            raise UnsupportedError(NOT_PLAYED[name], at)
        if name == LISTEN:
            self._executed(name)
            return Outcome.LISTEN
        if name in DEFAULT_ACTIONS:
            return self._own(name, frame)
        if self._is_trigger(name):
            self._executed(name)
            start_linked(dialogue, name.removeprefix(_TRIGGER))
            return Outcome.GO_ON
        dialogue.fail(f"the domain lists no action {name!r}", at, frame)
        return Outcome.FAILED

    async def run_every_turn(self) -> None:
        """Run the actions of `run_action_every_turn`: of what they answer, slots and messages count."""
        for name in self._dialogue.domain.every_turn_actions:
            reply, asked = await self._post(name)
            problem = _problem_of(reply)
            before = dict(self._dialogue.state.slots)
            if not problem:
                body = reply.body or {}
                slots = [e for e in body.get("events") or () if e.get("event") == "slot"]
                self._apply(name, slots, body.get("responses") or (), None)
            # Engines tolerate a failure here.
            self._record(name, reply, asked, before, problem)

    def _is_trigger(self, name: str) -> bool:
        return name.startswith(_TRIGGER) and name.removeprefix(_TRIGGER) in self._dialogue.flows

    def _respond(self, name: str, frame: Frame | None, at: Place | None) -> Outcome:
        dialogue = self._dialogue
        if name in dialogue.domain.responses:
            self._executed(name)
            dialogue.say(name, frame, name)
            return Outcome.GO_ON
        if dialogue.domain.lists(name):
            self._executed(name)
            dialogue.note(f"{name} is listed without a text: an NLG server would say it, which the player does not ask")
            return Outcome.GO_ON
        dialogue.fail(f"the domain has no response {name!r}", at, frame)
        return Outcome.FAILED

    def _own(self, name: str, frame: Frame | None) -> Outcome:
        self._executed(name)
        DEFAULT_ACTIONS[name](self._dialogue, frame)
        return Outcome.GO_ON

    def _executed(self, name: str) -> None:
        self._dialogue.tell_stack()
        self._dialogue.emit(
            {"event": "action", "name": name, "policy": "FlowPolicy", "confidence": 1.0, "action_text": None}
        )

    async def _call(self, name: str, frame: Frame | None, at: Place | None) -> Outcome:
        dialogue = self._dialogue
        dialogue.tell_stack()
        reply, asked = await self._post(name)
        before = dict(dialogue.state.slots)
        problem = _problem_of(reply)
        if problem:
            dialogue.fail(f"the action {name!r} {problem}", at, frame)
            self._record(name, reply, asked, before, problem)
            return Outcome.FAILED
        self._executed(name)
        body = reply.body or {}
        self._apply(name, body.get("events") or (), body.get("responses") or (), frame)
        self._record(name, reply, asked, before, "")
        # Taking messages back ends the turn, as nothing is left to answer.
        listens = any(e.get("event") in ("rewind", "undo") or _is_listen(e) for e in body.get("events") or ())
        starts_session = any(e.get("event") == "session_started" for e in body.get("events") or ())
        return Outcome.LISTEN if listens and not starts_session else Outcome.GO_ON

    async def _post(self, name: str) -> tuple[ActionReply, bool]:
        """Call the action server; once more, with the domain, if it asks for it."""
        dialogue = self._dialogue
        for with_domain in (False, True):
            body = call_body(
                name, dialogue.state, domain=dialogue.domain.raw, digest=self._digest, with_domain=with_domain
            )
            reply = await self._webhook.post(body)
            if reply.status != 449:
                return reply, with_domain
        return reply, True

    def _apply(self, name: str, events: Any, responses: Any, frame: Frame | None) -> None:
        dialogue = self._dialogue
        for response in responses:
            message = from_action(
                response, name, dialogue.domain, lambda n, values: dialogue.message_for(n, frame, values)
            )
            if message is None:
                dialogue.note(f"{name} wants to say {_response_name(response)!r}, which the domain does not have")
            else:
                dialogue.utter(message)
        for event in events:
            dialogue.emit(event)
            if event.get("event") == "reminder":
                dialogue.note(f"a reminder is set for {event.get('date_time')}; the player does not wait for it")

    def _record(self, name: str, reply: ActionReply, asked: bool, before: Mapping[str, Any], problem: str) -> None:
        dialogue = self._dialogue
        body = reply.body if isinstance(reply.body, dict) and not problem else {}
        call = ActionCall(
            name,
            reply.status,
            reply.milliseconds,
            before,
            dict(dialogue.state.slots),
            events=body.get("events") or (),
            responses=body.get("responses") or (),
            logs=reply.logs,
            asked_for_domain=asked,
            problem=problem,
        )
        dialogue.turn.calls.append(call)
        if dialogue.turn.steps:
            dialogue.turn.steps[-1].call = call


def _problem_of(reply: ActionReply) -> str:
    """Say why an engine takes a reply for a failure; empty if it does not."""
    error = reply.body.get("error") if isinstance(reply.body, dict) else None
    if reply.problem:
        return f"cannot be called: {reply.problem}"
    if reply.status == 400 and isinstance(reply.body, dict) and "action_name" in reply.body:
        return f"rejects its execution: {error}"
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
