"""A conversation while it is played: its state, its project, and the record of the turn."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from action_server.errors import ResponseError
from action_server.flows.player.responses import choose, render
from action_server.flows.player.stack import Frame, FrameType, patch_between
from action_server.flows.player.state import State
from action_server.flows.player.trace import BotMessage, Decision, Failure, StepTaken, Turn
from action_server.project.conditions import errors_of, evaluate
from action_server.project.domain import Domain
from action_server.project.flows import CollectStep, Condition, Flow, with_called
from action_server.project.places import Place
from action_server.project.project import Project

JsonObject = dict[str, Any]

PATTERN_COLLECT = "pattern_collect_information"
PATTERN_VALIDATE = "pattern_validate_slot"
# Too many and too small to be told as flows of their own.
_QUIET_PATTERNS = (PATTERN_COLLECT, PATTERN_VALIDATE)


class Dialogue:
    """What the parts of the player share."""

    def __init__(
        self, project: Project, *, sender_id: str, channel: str, seed: int, clock: Callable[[], float]
    ) -> None:
        self.project = project
        self.domain: Domain = project.domain
        self.flows: Mapping[str, Flow] = project.all_flows
        self.state = State(self.domain, sender_id=sender_id, channel=channel, clock=clock)
        self.chance = random.Random(seed)  # noqa: S311 - which variation is said is no secret
        self.turn = Turn("")
        self._ids = random.Random(f"frames {seed}")  # noqa: S311
        self._stack_told: list[JsonObject] = []
        self._steps: dict[str, StepTaken] = {}

    # The turn's record.

    def begin(self, message: str) -> None:
        """Begin the record of a turn."""
        self.turn = Turn(message, slots_before=dict(self.state.slots))
        self._steps = {}

    def record(self, frame: Frame, step: StepTaken) -> StepTaken:
        """Record a step of a frame."""
        self.turn.steps.append(step)
        self._steps[frame.frame_id] = step
        return step

    def step_of(self, frame: Frame) -> StepTaken | None:
        """Return the step a frame took last in this turn."""
        return self._steps.get(frame.frame_id)

    def note(self, sentence: str) -> None:
        """Note something with the step that runs, or with the turn if none does."""
        notes = self.turn.steps[-1].notes if self.turn.steps else self.turn.notes
        if sentence:
            notes.append(sentence)

    def fail(self, what: str, at: Place | None = None, frame: Frame | None = None) -> None:
        """Record a failure."""
        flow, step = (frame.flow_id, frame.step_id) if frame else ("", "")
        self.turn.failures.append(Failure(what, at, flow, step))

    # Events.

    def emit(self, event: Mapping[str, Any]) -> None:
        """Append an event to the tracker."""
        known = len(self.state.events)
        self.note(self.state.add(event))
        self.turn.events += self.state.events[known:]
        if event["event"] in ("stack", "restart", "session_started"):
            self._stack_told = self.state.stack.as_json()

    def set_slot(self, name: str, value: Any, **more: Any) -> None:
        """Set a slot, by an event."""
        self.emit({"event": "slot", "name": name, "value": value, **more})

    def reset(self, name: str) -> None:
        """Give a slot the value it starts with. Engines append the event even if it has it already."""
        if name not in self.state.slots:
            return
        initial = self.state.initial_value(name)
        if self.state.slots[name] != initial:
            self.note(f"slot {name} goes back to {initial!r}")
        self.set_slot(name, initial)

    def tell_stack(self) -> None:
        """Append a `stack` event if the stack has changed since the last one."""
        current = self.state.stack.as_json()
        if current != self._stack_told:
            update = patch_between(self._stack_told, current)
            # Not through `emit`: the stack is already what the event makes of it.
            event = {"event": "stack", "timestamp": self.state.now, "update": update}
            self.state.events.append(event)
            self.turn.events.append(event)
            self._stack_told = current

    # The stack.

    def frame(self, flow_id: str, frame_type: FrameType = "regular", **context: Any) -> Frame:
        """Make a frame for a flow or, by its id, for a pattern."""
        frame_id = "".join(self._ids.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(8))
        flow = self.flows.get(flow_id)
        kind = flow_id if flow is not None and flow.is_pattern else "flow"
        return Frame(frame_id, flow_id, kind=kind, frame_type=frame_type, context=context)

    def announce(self, frame: Frame) -> None:
        """Append the event that a frame's flow started."""
        if frame.flow_id not in _QUIET_PATTERNS:
            event: JsonObject = {"event": "flow_started", "flow_id": frame.flow_id}
            self.emit({**event, "metadata": dict(frame.context)} if frame.context else event)

    def tell_flow(self, event: str, frame: Frame) -> None:
        """Append one of the events flow_completed, flow_cancelled, flow_interrupted and flow_resumed."""
        if frame.flow_id not in _QUIET_PATTERNS:
            self.emit({"event": event, "flow_id": frame.flow_id, "step_id": frame.step_id})

    def name_of(self, frame: Frame) -> str:
        """Return what users are told a frame's flow is called."""
        flow = self.flows.get(frame.flow_id)
        return flow.readable_name if flow else frame.flow_id

    def reset_slots_of(self, frame: Frame) -> None:
        """Reset what a flow, and those it calls, collected and set, unless it is to persist."""
        flow = self.flows.get(frame.flow_id)
        for name in scoped_slots(flow, self.flows) if flow else ():
            self.reset(name)

    def cancel(self, root: Frame) -> None:
        """Take a flow off the stack, with all it called and asked."""
        frames = self.state.stack.group(root)
        # What the group does not own lies above it only while it runs: patterns, the one that cancels among them.
        flows = [f for f in frames if f.is_flow or f.flow_id in _QUIET_PATTERNS]
        for frame in flows:
            if frame.is_flow:
                self.tell_flow("flow_cancelled", frame)
        self.reset_slots_of(root)
        self.state.stack.take_out(flows)

    @property
    def asked(self) -> Frame | None:
        """Return the frame of the question that waits for an answer, None if none does."""
        top = self.state.stack.top
        return top if top is not None and top.flow_id in _QUIET_PATTERNS else None

    @property
    def asked_slot(self) -> str:
        """Return the slot that is asked for, empty if none is."""
        frame = self.asked
        return str(frame.context.get("collect") or frame.context.get("validate") or "") if frame else ""

    def asking_step(self) -> CollectStep | None:
        """Return the collect step whose question waits for an answer."""
        frame = self.asked
        index = self.state.stack.index(frame) if frame else 0
        below = self.state.stack[index - 1] if index else None
        flow = self.flows.get(below.flow_id) if below else None
        step = flow.step(below.step_id) if flow and below else None
        return step if isinstance(step, CollectStep) else None

    # Conditions and responses.

    def context_of(self, frame: Frame | None) -> JsonObject:
        """Return what conditions and responses call `context`; a pattern's question sees the pattern's as well."""
        if frame is None:
            return {}
        stack = self.state.stack
        index = stack.index(frame) if frame in stack else 0
        below = stack[index - 1] if index else None
        if frame.flow_id in _QUIET_PATTERNS and below is not None and not below.is_flow:
            return {**below.context, **frame.for_conditions}
        return frame.for_conditions

    def decide(self, condition: Condition, frame: Frame | None, led_to: str = "") -> Decision:
        """Evaluate a condition for a frame, None for no context."""
        found = evaluate(condition.text, self.state.slots, self.context_of(frame))
        return Decision(
            condition.text, found.value, condition.at, found.rendered, found.error, dict(found.values), led_to
        )

    def is_startable(self, flow: Flow) -> bool:
        """Tell whether a flow's guard lets it be started by a message."""
        return flow.guard is None or evaluate(flow.guard.text, self.state.slots).value

    def say(self, name: str, frame: Frame | None, action: str, values: Mapping[str, Any] | None = None) -> bool:
        """Say a response by its name. False if the domain has none of it."""
        message = self.message_for(name, frame, values or {})
        if message is not None:
            self.utter(replace(message, action=action))
        return message is not None

    def message_for(self, name: str, frame: Frame | None, values: Mapping[str, Any]) -> BotMessage | None:
        """Make the message of a response; None if the domain has no such response."""
        response = self.domain.responses.get(name)
        if response is None:
            return None
        everything = {**self.state.slots, "slots": self.state.slots, **values, "context": self.context_of(frame)}
        try:
            variation = choose(
                response,
                self.state.channel,
                self.state.slots,
                lambda condition: self._recorded(self.decide(condition, None)).value,
                self.chance,
            )
            return render(name, variation, everything)
        except ResponseError as exc:
            self.fail(f"the response {name!r} cannot be said: {exc}", response.at, frame)
            if name == "utter_internal_error_rasa":
                return None
            # As engines do.
            return self.message_for("utter_internal_error_rasa", frame, {})

    def utter(self, message: BotMessage) -> None:
        """Say a message."""
        self.turn.messages.append(message)
        if self.turn.steps:
            self.turn.steps[-1].messages.append(message)
        self.emit(bot_event(message))

    def repeat(self, event: Mapping[str, Any]) -> None:
        """Say the message of an earlier event again."""
        data = {key: value for key, value in (event.get("data") or {}).items() if value}
        said_by = str((event.get("metadata") or {}).get("utter_action") or "")
        self.utter(BotMessage(text=event.get("text"), response=said_by, action="action_repeat_bot_messages", **data))

    def _recorded(self, decision: Decision) -> Decision:
        if self.turn.steps:
            self.turn.steps[-1].decisions.append(decision)
        return decision

    def judged(self, condition: Condition, frame: Frame) -> Decision:
        """Evaluate a condition that is not a branch, and record it with the step that runs."""
        return self._recorded(self.decide(condition, frame))


def scoped_slots(flow: Flow, flows: Mapping[str, Flow]) -> Iterator[str]:
    """Yield the slots that go back to their initial values when a flow ends, each once."""
    family = with_called(flow, flows)
    kept = {name for member in family for name in member.persisted_slots}
    kept |= {s.collect for member in family for s in member.collects if s.reset_after_flow_ends is False}
    names = [name for member in family for name in (*(s.collect for s in member.collects), *member.set_slots)]
    yield from (name for name in dict.fromkeys(names) if name not in kept)


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


def is_broken(condition: Condition) -> bool:
    """Tell a condition that can never be evaluated."""
    return bool(errors_of(condition.text))
