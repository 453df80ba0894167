"""Executes commands: fills slots, and puts flows and patterns on the stack.

What engines do here was read in rasa-pro 3.21.0 (rasa/dialogue_understanding/commands and .../processor).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
from action_server.flows.player.cleanup import Cleanup, Correction, Executable
from action_server.flows.player.corrections import correction_frame, is_collected
from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.message_limits import fault_of
from action_server.flows.player.stack import PATTERN_VALIDATE, Frame
from action_server.flows.player.trace import Ignored
from action_server.flows.player.values import coerce_value
from action_server.project.domain import Slot
from action_server.project.flows import Flow, with_called

_COMPLETED, _CONTINUE = "pattern_completed", "pattern_continue_interrupted"
_ROUTE = "route_session_to_calm"
_PATTERNS: dict[type, str] = {
    RepeatBotMessages: "pattern_repeat_bot_messages",
    HumanHandoff: "pattern_human_handoff",
    ChitChat: "pattern_chitchat",
    SearchAndReply: "pattern_search",
}


class CommandProcessor:
    """The commands of one message. ``extractor`` is who found them, in the engine's words; a button's
    (CommandPayloadReader) and an intent's (NLU) may fill controlled slots as well.

    ``forced`` are flows that start whatever their guards say. ``most_characters`` are allowed in a message without
    commands (any number if negative). ``has_chitchat`` tells whether there is somebody to make small talk with.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        extractor: str = "LLM",
        forced: Iterable[str] = (),
        most_characters: int = -1,
        has_chitchat: bool = True,
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
        self._validations: list[Frame] = []
        self._cleanup = Cleanup(dialogue.state, dialogue.flows, extractor=extractor, has_chitchat=has_chitchat)
        # As they were before any of these commands.
        self._asked_flow = self._stack.active_standalone
        self._cancelled = self._stack.active
        self._cancelled_ids = self._frames.cancelled_ids() if self._cancelled is not None else []

    def execute(self, commands: Sequence[Command], message: str = "") -> None:
        """Execute the commands of a message. If there is none that it can have, that is a case of its own."""
        if not commands and (fault := fault_of(message, self._most_characters)):
            kind, info = fault
            self._frames.push(self._frames.make("pattern_internal_error", error_type=kind, info=info))
            return
        told = self._cleanup.parse(self._fill_from_text(message, commands), self._problem_of_start)
        asked = self._leave_what_is_asked(told or [CannotHandle()])
        wanted = self._cleanup.clean(asked)
        self._recorder.turn.ignored += self._cleanup.dropped
        predicted = {c.flow for c in asked if isinstance(c, StartFlow)}
        followed: list[Command] = []
        for command in wanted:
            reason = self._execute_command(command, predicted)
            parts: Sequence[Command] = command.slots if isinstance(command, Correction) else [command]
            if reason:
                self._recorder.turn.ignored += [Ignored(part, reason) for part in parts]
            else:
                followed += parts
        # In one order, however they were told: paths are compared by it.
        self._recorder.turn.commands += sorted((c for c in told or [CannotHandle()] if c in followed), key=_rank)
        self._note_route()
        for frame in self._validations:
            self._frames.push(frame)

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

    def _problem_of_start(self, command: StartFlow) -> str:
        """Say why a message cannot start a flow; empty if it can. Guards see the slots as they are before it."""
        flow = self._flows.get(command.flow)
        if flow is None:
            return f"there is no flow {command.flow!r}"
        if command.flow in self._forced:
            return ""
        if flow.is_pattern:
            return "patterns are not started by commands"
        if not self._conditions.is_startable(flow):
            condition = flow.guard.text if flow.guard else ""
            return f"the flow's guard `if: {condition}` does not hold"
        return ""

    def _leave_what_is_asked(self, commands: list[Command]) -> list[Command]:
        """Leave only the answer, where the question allows nothing else."""
        step = self._frames.asking_step()
        if step is None or not step.force_slot_filling:
            return commands
        kept: list[Command] = [c for c in commands if isinstance(c, SetSlot) and c.name == step.collect]
        for command in commands:
            if command not in kept and not isinstance(command, CannotHandle):
                reason = f"{step.collect} is asked for with force_slot_filling"
                self._recorder.turn.ignored.append(Ignored(command, reason))
        return kept or [CannotHandle()]

    def _execute_command(self, command: Executable, predicted: set[str]) -> str:
        """Follow one command. Returns why not, or nothing."""
        if isinstance(command, SetSlot):
            return self._set_slot(command, predicted)
        if isinstance(command, Correction):
            return self._correct(command)
        if isinstance(command, StartFlow):
            return self._start_flow(command.flow)
        if isinstance(command, CancelFlow):
            return self._cancel_flow()
        if isinstance(command, Clarify):
            self._clarify(command)
        elif isinstance(command, CannotHandle):
            self._frames.push(self._frames.make("pattern_cannot_handle", reason=command.reason))
        elif isinstance(command, SkipQuestion):
            if self._asked_flow is None:
                return "no flow is active that was neither called nor linked to"
            self._frames.push(self._frames.make("pattern_skip_question"))
        else:
            self._frames.push(self._frames.make(_PATTERNS[type(command)]))
        return ""

    def _is_fillable(self, name: str, predicted: set[str]) -> bool:
        """Tell whether a slot may be filled: it is asked for, or the active flow collects it, or one that starts.

        Without one that starts, also what a pattern collects. Those with `ask_before_filling` wait for their question,
        and those of a flow that is interrupted wait for it to go on.
        """
        if name == self._stack.asked_slot:
            return True
        active = [frame.flow_id for frame in (self._stack.active, self._stack.active_standalone) if frame is not None]
        started = predicted or {flow.id for flow in self._flows.values() if flow.is_pattern}
        ids = {*active, *started}
        return any(self._collects(self._flows[flow_id], name) for flow_id in ids if flow_id in self._flows)

    def _collects(self, flow: Flow, name: str) -> bool:
        family = with_called(flow, self._flows)
        return any(s.collect == name and not s.ask_before_filling for member in family for s in member.collects)

    def _set_slot(self, command: SetSlot, predicted: set[str]) -> str:
        slot = self._domain.slots[command.name]
        value = coerce_value(slot, command.value).value
        if value == self._state.slots[slot.name]:
            return ""
        if not self._is_fillable(slot.name, predicted):
            return f"no flow that is active or starts collects {command.name!r}, or it asks before filling"
        self._events.set_slot(slot.name, value, filled_by=self._extractor, metadata={"command": "set slot"})
        self._add_validation(slot)
        return ""

    def _correct(self, command: Correction) -> str:
        """Correct slots, all of them or none."""
        for wanted in command.slots:
            if not is_collected(self._stack, self._flows, wanted.name):
                return f"no flow that runs collects {wanted.name!r}, so that nothing is corrected"
        for wanted in command.slots:
            self._add_validation(self._domain.slots[wanted.name])
        # They are looked at once the slots have their new values.
        waiting, self._validations = self._validations, []
        frame = correction_frame(self._frames, command.slots, self._extractor)
        for validation in waiting:
            self._frames.push(validation)
        self._frames.push(frame)
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
        flow = self._flows[flow_id]
        frames, stack, asked = self._frames, self._stack, self._asked_flow
        if flow.is_pattern:
            frames.push(frames.make(flow_id))
            return ""
        if stack.open_pattern(_COMPLETED) is not None:
            frames.remove_patterns()
        is_asked = stack.open_pattern(_CONTINUE) is not None
        if asked is not None and asked.flow_id == flow_id and not is_asked:
            return f"the flow {flow_id!r} runs already"
        if is_asked:
            frames.remove_patterns()
        runs = any(frame.is_flow and frame.flow_id == flow_id for frame in stack)
        if asked is None or not runs:
            frames.start(flow_id, asked)
            return ""
        frames.resume(flow_id)
        if asked.flow_id != flow_id:
            frames.emit("flow_interrupted", asked)
        return ""

    def _cancel_flow(self) -> str:
        cancelled = self._cancelled
        if cancelled is None:
            return "no flow is active"
        name = self._frames.name_of(cancelled)
        frame = self._frames.make("pattern_cancel_flow", canceled_name=name, canceled_frames=self._cancelled_ids)
        self._frames.push(frame)
        self._frames.emit("flow_cancelled", cancelled)
        return ""

    def _clarify(self, command: Clarify) -> None:
        names = [self._flows[flow].name_in(self._state.language) for flow in command.flows]
        if self._stack.open_pattern(_COMPLETED) is not None:
            self._frames.remove_patterns()
        frame = self._frames.make(
            "pattern_clarification", names=names, clarification_ids=list(command.flows), clarification_options=""
        )
        self._frames.push(frame)


def _rank(command: Command) -> int:
    """Slots first, then flows, then what is only said about them."""
    return 0 if isinstance(command, SetSlot) else 1 if isinstance(command, StartFlow) else 2
