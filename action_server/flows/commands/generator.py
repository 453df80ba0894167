"""The seam between a user's message and commands: what a command generator is given, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from action_server.flows.commands.command import Command


@dataclass(frozen=True)
class FlowView:
    """A flow that may be started now; ``examples`` are messages that its `nlu_trigger` was trained on."""

    id: str
    name: str
    description: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class SlotView:
    """A slot that may be filled now: it is collected by a flow that could run, and a user's words may fill it.

    `values` are the ones a categorical slot may have. `flows` are the ids of those that collect it.
    """

    name: str
    type: str
    description: str
    value: Any = None
    values: tuple[Any, ...] = ()
    flows: tuple[str, ...] = ()


@dataclass(frozen=True)
class DialogueView:
    """What there is to go by: the words, what was said before, and where the conversation stands.

    `transcript` holds ("user" or "bot", text) in order, without `message`. `active_flow` and `asked_slot` are empty if
    there is none.
    """

    message: str
    transcript: Sequence[tuple[str, str]] = ()
    flows: Sequence[FlowView] = ()
    slots: Sequence[SlotView] = ()
    active_flow: str = ""
    active_flow_slots: Sequence[str] = ()
    asked_slot: str = ""


@dataclass(frozen=True)
class Prediction:
    """The commands, why, and what finding them cost (for `--explain`): milliseconds, tokens, money if it is known."""

    commands: Sequence[Command]
    because: str
    details: Mapping[str, Any] = field(default_factory=dict)


class CommandGenerator(Protocol):
    """Turns a message into commands."""

    async def predict_commands(self, view: DialogueView) -> Prediction:
        """Return the commands; CannotHandle if there are none.

        Raises:
            CommandGeneratorError: it cannot work at all.
        """
        ...
