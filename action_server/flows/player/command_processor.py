"""Executes commands: fills slots, and puts flows and patterns on the stack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from action_server.flows.player.cleanup import clean_up
from action_server.flows.player.corrections import correction_frame, is_correction
from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.message_limits import fault_of
from action_server.flows.player.stack import PATTERN_VALIDATE, Frame
from action_server.flows.player.trace import Ignored
from action_server.flows.player.values import coerce_value
from action_server.project.domain import Slot
from action_server.project.flows import with_called

# Questions that a user answers just as well by asking for something.
_CLOSING_PATTERNS = ("pattern_completed", "pattern_customer_satisfaction", "pattern_continue_interrupted")
_ROUTE = "route_session_to_calm"
_PATTERNS: dict[type, str] = {
    RepeatBotMessages: "pattern_repeat_bot_messages",
    HumanHandoff: "pattern_human_handoff",
    ChitChat: "pattern_chitchat",
    SearchAndReply: "pattern_search",
    SkipQuestion: "pattern_skip_question",
}


class CommandProcessor:
    """The commands of one message. ``extractor`` is who found them, in the engine's words; a button's
    (CommandPayloadReader) and an intent's (NLU) may fill controlled slots as well.

    ``forced`` are flows that start whatever their guards say. ``most_characters`` are allowed in a message without
    commands (any number if negative).
    """

    def __init__(
        self, dialogue: Dialogue, *, extractor: str = "LLM", forced: Iterable[str] = (), most_characters: int = -1
    ) -> None:
        self._frames = dialogue.frames
        self._stack = dialogue.stack
        self._recorder = dialogue.recorder
        self._events = dialogue.events
        self._state = dialogue.state
        self._flows = dialogue.flows
        self._domain = dialogue.domain
        self._conditions = dialogue.conditions
        self._extractor = extractor
        self._from_button = extractor != "LLM"
        self._forced = frozenset(forced)
        self._most_characters = most_characters
        self._started: list[Frame] = []
        self._validations: list[Frame] = []
        self._patterns: list[Frame] = []
        self._corrected: dict[str, Any] = {}

    def execute(self, commands: Sequence[Command], message: str = "") -> None:
        """Execute the commands of a message. If there is none that can be followed, that is a case of its own."""
        if not commands and (fault := fault_of(message, self._most_characters)):
            kind, info = fault
            self._patterns.append(self._frames.make("pattern_internal_error", error_type=kind, info=info))
            self._push_frames()
            return
        wanted, dropped = clean_up(self._drop_what_is_not_asked(self._fill_from_text(message, commands)))
        self._recorder.turn.ignored += dropped
        fillable = self._fillable_slots(commands)
        for command in sorted(wanted, key=_rank):
            reason = self._execute_command(command, fillable)
            if reason:
                self._recorder.turn.ignored.append(Ignored(command, reason))
            else:
                self._recorder.turn.commands.append(command)
        self._note_route()
        if not self._recorder.turn.commands and not (commands and not wanted):
            self._cannot_handle("default")
        self._push_frames()

    def _note_route(self) -> None:
        """Keep to the flows once one starts, where an assistant has a classic part as well, as its router does."""
        starts = any(isinstance(command, StartFlow) for command in self._recorder.turn.commands)
        if starts and _ROUTE in self._domain.slots and self._state.slots.get(_ROUTE) is None:
            self._events.set_slot(_ROUTE, True)

    def _fill_from_text(self, message: str, commands: Sequence[Command]) -> Sequence[Command]:
        """Take the message itself for the answer, if the slot's mapping is `from_text` and nobody knew better."""
        slot = self._domain.slots.get(self._stack.asked_slot)
        if slot is None or self._from_button or any(not isinstance(c, CannotHandle) for c in commands):
            return commands
        running = {frame.flow_id for frame in self._stack}
        for mapping in slot.mappings:
            if mapping.type == "from_text" and (not mapping.active_flows or running & set(mapping.active_flows)):
                return [SetSlot(slot.name, message)]
        return commands

    def _drop_what_is_not_asked(self, commands: Sequence[Command]) -> list[Command]:
        """Leave only the answer, where the question allows nothing else."""
        step = self._frames.asking_step()
        if step is None or not step.force_slot_filling:
            return list(commands)
        kept = [c for c in commands if isinstance(c, SetSlot) and c.name == step.collect]
        for command in commands:
            if command not in kept:
                reason = f"{step.collect} is asked for with force_slot_filling"
                self._recorder.turn.ignored.append(Ignored(command, reason))
        return list(kept)

    def _fillable_slots(self, commands: Sequence[Command]) -> set[str]:
        """Return the slots that may be filled, as in rasa-pro 3.21.0 (read).

        The one that is asked for, and what the active flow collects, or one that these commands start; without such,
        also what a pattern collects. Those with `ask_before_filling` wait for their question, and those of a flow that
        is interrupted wait for it to go on.
        """
        started = {c.flow for c in commands if isinstance(c, StartFlow)} | self._forced
        ids = set(started) or {flow.id for flow in self._flows.values() if flow.is_pattern}
        active = self._stack.active
        root = self._stack.root_of(active) if active else None
        ids |= {frame.flow_id for frame in (active, root) if frame is not None}
        names = {
            step.collect
            for flow_id in ids
            if flow_id in self._flows
            for flow in with_called(self._flows[flow_id], self._flows)
            for step in flow.collects
            if not step.ask_before_filling
        }
        return names | {self._stack.asked_slot}

    def _execute_command(self, command: Command, fillable: set[str]) -> str:
        """Follow one command. Returns why not, or nothing."""
        if isinstance(command, SetSlot):
            return self._set_slot(command, fillable)
        if isinstance(command, StartFlow):
            return self._start_flow(command.flow)
        if isinstance(command, CancelFlow):
            return self._cancel_active_flow()
        if isinstance(command, Clarify):
            return self._clarify(command)
        if isinstance(command, CannotHandle):
            self._cannot_handle(command.reason)
            return ""
        self._patterns.append(self._frames.make(_PATTERNS[type(command)]))
        return ""

    def _set_slot(self, command: SetSlot, fillable: set[str]) -> str:
        slot = self._domain.slots.get(command.name)
        if slot is None:
            return f"the domain has no slot {command.name!r}"
        if slot.is_controlled and not self._from_button and slot.name in fillable:
            return f"{command.name!r} is controlled: actions, buttons and set_slots steps fill it, words do not"
        coerced = coerce_value(slot, command.value)
        if is_correction(self._state, self._flows, slot.name, coerced.value):
            self._corrected[slot.name] = coerced.value
        elif slot.name not in fillable:
            return f"no flow that is active or starts collects {command.name!r}, or it asks before filling"
        elif coerced.value != self._state.slots[slot.name]:
            self._events.set_slot(slot.name, coerced.value, filled_by=self._extractor, metadata={"command": "set slot"})
        self._add_validation(slot)
        return ""

    def _add_validation(self, slot: Slot) -> None:
        """Have the slot's own rules looked at, before anything goes on."""
        if slot.validation is None:
            return
        rejections = slot.validation.rejections
        frame = self._frames.make(
            PATTERN_VALIDATE,
            validate=slot.name,
            refill_utter=slot.validation.refill_utter or f"utter_ask_{slot.name}",
            refill_action=f"action_ask_{slot.name}",
            rejections=[{"if": r.condition.text, "utter": r.utter} for r in rejections],
        )
        frame.rejections = rejections
        self._validations.append(frame)

    def _start_flow(self, flow_id: str) -> str:
        flow = self._flows.get(flow_id)
        if flow is None:
            return f"there is no flow {flow_id!r}"
        if flow_id in self._forced and flow.is_pattern:
            self._patterns.append(self._frames.make(flow_id))
            return ""
        if flow.is_pattern:
            return "patterns are not started by commands"
        if flow_id not in self._forced and not self._conditions.is_startable(flow):
            condition = flow.guard.text if flow.guard else ""
            return f"the flow's guard `if: {condition}` does not hold"
        running = next((r for r in self._stack.roots if r.flow_id == flow_id), None)
        if running is not None:
            return self._resume_flow(running)
        self._drop_closing_question()
        active = self._stack.active
        self._started.append(self._frames.make(flow_id, "interrupt" if active else "regular"))
        return ""

    def _resume_flow(self, root: Frame) -> str:
        stack = self._stack
        if stack.roots[-1] is root and not any(f.flow_id in _CLOSING_PATTERNS for f in stack):
            return f"the flow {root.flow_id!r} runs already"
        self._drop_closing_question()
        stack.move_to_top(stack.group(root))
        for other in stack.roots[:-1]:
            self._interrupt_flow(other)
        return ""

    def _drop_closing_question(self) -> None:
        """Drop the question what else there is to do: it is answered."""
        stack = self._stack
        index = next((i for i, frame in enumerate(stack) if frame.flow_id in _CLOSING_PATTERNS), None)
        if index is not None:
            for frame in stack[index:]:
                self._frames.reset_slots_of(frame)
            stack.remove_frames(stack[index:])

    def _interrupt_flow(self, root: Frame) -> None:
        if not root.interrupted and root.visited:
            self._frames.emit("flow_interrupted", root)
            root.interrupted = True

    def _cancel_active_flow(self) -> str:
        stack = self._stack
        active = stack.active
        root = stack.root_of(active) if active else None
        if root is None:
            return "no flow is active"
        frame = self._frames.make(
            "pattern_cancel_flow",
            canceled_name=self._frames.name_of(root),
            canceled_frames=[f.frame_id for f in stack.group(root)],
        )
        self._patterns.insert(0, frame)
        return ""

    def _clarify(self, command: Clarify) -> str:
        known = [self._flows[f] for f in command.flows if f in self._flows]
        known = [flow for flow in known if not flow.is_pattern]
        if len(known) == 1:
            return self._start_flow(known[0].id)
        names = [flow.readable_name for flow in known]
        self._patterns.append(self._frames.make("pattern_clarification", names=names, clarification_options=""))
        return ""

    def _cannot_handle(self, reason: str) -> None:
        self._patterns.append(self._frames.make("pattern_cannot_handle", reason=reason))

    def _push_frames(self) -> None:
        """Put everything on the stack: what is to come first on top."""
        is_cancelling = any(p.flow_id == "pattern_cancel_flow" for p in self._patterns)
        if self._started and not is_cancelling:
            for root in self._stack.roots:
                self._interrupt_flow(root)
        correction = [correction_frame(self._frames, self._corrected, self._extractor)] if self._corrected else []
        patterns = [*correction, *self._patterns]
        for frame in [*reversed(self._started), *reversed(self._validations), *reversed(patterns)]:
            self._stack.append(frame)
        for frame in [*patterns, *self._validations, *self._started]:
            self._frames.emit_started(frame)


def _rank(command: Command) -> int:
    """Slots first, so that guards see them; then flows; then what is only said about them."""
    return 0 if isinstance(command, SetSlot) else 1 if isinstance(command, StartFlow) else 2
