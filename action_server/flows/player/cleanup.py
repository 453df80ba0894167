"""Makes of the commands of a message those that are executed, in the order in which engines execute them.

What engines do here was read in rasa-pro 3.21.0 (rasa/dialogue_understanding/processor/command_processor.py, and
.../generator/command_parser.py for what they never make a command of).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from action_server.flows.commands.command import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    RepeatBotMessages,
    SearchAndReply,
    SetSlot,
    StartFlow,
)
from action_server.flows.player.corrections import is_correctable
from action_server.flows.player.state import State
from action_server.flows.player.trace import Ignored
from action_server.project.flows import ActionStep, Flow

# Of these there is one in a message at most.
_ONCE = (CancelFlow, CannotHandle, RepeatBotMessages, ChitChat)
_NO_CHITCHAT = "cannot_handle_chitchat"


@dataclass(frozen=True)
class Correction:
    """All slots that a message gives another value."""

    slots: tuple[SetSlot, ...]


Executable = Command | Correction


class Cleanup:
    """What becomes of the commands of a message, where a conversation stands.

    ``extractor`` is who found them; ``has_chitchat`` tells whether there is somebody to make small talk with.
    """

    def __init__(
        self, state: State, flows: Mapping[str, Flow], *, extractor: str = "LLM", has_chitchat: bool = True
    ) -> None:
        self._state = state
        self._flows = flows
        self._extractor = extractor
        self._has_chitchat = has_chitchat
        self._kept: list[Executable] = []
        self.dropped: list[Ignored] = []

    def parse(self, commands: Iterable[Command], problem_of: Callable[[StartFlow], str]) -> list[Command]:
        """Return the commands that a message can have at all; ``problem_of`` says what is against starting a flow."""
        found: list[Command] = []
        for command in commands:
            if isinstance(command, Clarify):
                known = [f for f in command.flows if f in self._flows and not self._flows[f].is_pattern]
                command = StartFlow(known[0]) if len(set(known)) == 1 else Clarify(tuple(sorted(known)))
            problem = problem_of(command) if isinstance(command, StartFlow) else ""
            if problem:
                self.dropped.append(Ignored(command, problem))
            else:
                found.append(command)
        return found

    def clean(self, commands: Sequence[Command]) -> list[Executable]:
        """Return what stays, in the order of execution: the last command first, but what starts a flow before it."""
        only_clarifies = all(isinstance(command, Clarify) for command in commands)
        for command in commands:
            if isinstance(command, SetSlot):
                self._take_slot(command)
            elif reason := self._reason_against(command, only_clarifies=only_clarifies):
                self.dropped.append(Ignored(command, reason))
            elif isinstance(command, ChitChat | SearchAndReply):
                self._kept.insert(0, self._answer(command))
            else:
                self._kept.append(command)
        if len(self._kept) > 1:
            self.dropped += [Ignored(c, "there are other commands") for c in self._kept if isinstance(c, CannotHandle)]
            self._kept = [command for command in self._kept if not isinstance(command, CannotHandle)]
        return list(reversed(self._with_start_last()))

    def _with_start_last(self) -> list[Executable]:
        starts = [command for command in self._kept if isinstance(command, StartFlow)]
        if not starts or self._state.stack.active_standalone is not None:
            return self._kept
        last = starts[-1]
        return [*(command for command in self._kept if command != last), last]

    def _take_slot(self, command: SetSlot) -> None:
        slot = self._state.domain.slots.get(command.name)
        if slot is None:
            self._refuse(command, f"the domain has no slot {command.name!r}")
        elif slot.is_controlled and self._extractor == "LLM":
            reason = f"{command.name!r} is controlled: actions, buttons and set_slots steps fill it, words do not"
            self._refuse(command, reason)
        elif not is_correctable(self._state, slot.name):
            self._kept.append(command)
        elif str(self._state.slots[slot.name]) == str(command.value):
            self.dropped.append(Ignored(command, f"{slot.name!r} has this value already"))
        else:
            self._correct(command)

    def _refuse(self, command: Command, reason: str) -> None:
        self.dropped.append(Ignored(command, reason))
        if not any(isinstance(c, CannotHandle) for c in self._kept):
            self._kept.append(CannotHandle("default"))

    def _correct(self, command: SetSlot) -> None:
        for index, other in enumerate(self._kept):
            if isinstance(other, Correction):
                self._kept[index] = Correction((*other.slots, command))
                return
        self._kept.append(Correction((command,)))

    def _answer(self, command: Command) -> Command:
        """Return small talk as it is, unless the pattern asks a policy for it that the project does not have."""
        pattern = self._flows.get("pattern_chitchat")
        steps = pattern.steps if isinstance(command, ChitChat) and pattern else ()
        asks = any(isinstance(step, ActionStep) and step.action == "action_trigger_chitchat" for step in steps)
        return CannotHandle(_NO_CHITCHAT) if asks and not self._has_chitchat else command

    def _reason_against(self, command: Command, *, only_clarifies: bool) -> str:
        stack = self._state.stack
        if isinstance(command, StartFlow) and stack.active is not None and stack.active.flow_id == command.flow:
            is_asked = stack.open_pattern("pattern_continue_interrupted") is not None
            return "" if is_asked else f"the flow {command.flow!r} runs already"
        if isinstance(command, CancelFlow) and not stack:
            self._refuse(command, "no flow is active")
            self.dropped.pop()
            return "no flow is active"
        if isinstance(command, Clarify) and not only_clarifies:
            return "there are other commands: one question at a time"
        if isinstance(command, Clarify) and self._kept:
            return "the first clarification counts"
        if isinstance(command, _ONCE) and any(isinstance(other, type(command)) for other in self._kept):
            return "there is one already"
        return ""
