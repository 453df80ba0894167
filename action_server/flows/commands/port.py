"""The port: from what the user said to commands, in CALM's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class StartFlow:
    """Begin a flow, by its id."""

    flow: str


@dataclass(frozen=True)
class SetSlot:
    """Fill a slot; one that had another value is corrected. None clears it."""

    name: str
    value: Any


@dataclass(frozen=True)
class CancelFlow:
    """Give up the flow that is active."""


@dataclass(frozen=True)
class Clarify:
    """Ask which of these flows (ids) is meant."""

    flows: tuple[str, ...]


@dataclass(frozen=True)
class RepeatBotMessages:
    """Say the last messages again."""


@dataclass(frozen=True)
class HumanHandoff:
    """Hand over to a person."""


@dataclass(frozen=True)
class ChitChat:
    """Small talk, off the topic."""


@dataclass(frozen=True)
class SearchAndReply:
    """A question of knowledge, which no flow answers."""


@dataclass(frozen=True)
class SkipQuestion:
    """The user does not want to answer the question that was asked."""


@dataclass(frozen=True)
class CannotHandle:
    """It was not understood; `reason` is CALM's word for why ("default", "cannot_handle_...") if there is one."""

    reason: str = "default"


Command = (
    StartFlow
    | SetSlot
    | CancelFlow
    | Clarify
    | RepeatBotMessages
    | HumanHandoff
    | ChitChat
    | SearchAndReply
    | SkipQuestion
    | CannotHandle
)


# The commands that need nothing more, by the names that scripts and language models give them.
PLAIN_COMMANDS: Mapping[str, Command] = {
    "cancel_flow": CancelFlow(),
    "repeat_bot_messages": RepeatBotMessages(),
    "human_handoff": HumanHandoff(),
    "chitchat": ChitChat(),
    "search_and_reply": SearchAndReply(),
    "skip_question": SkipQuestion(),
    "cannot_handle": CannotHandle(),
}


@dataclass(frozen=True)
class FlowView:
    """A flow that may be started now."""

    id: str
    name: str
    description: str


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
class Understood:
    """The commands, why, and what finding them cost (for `--explain`): milliseconds, tokens, money if it is known."""

    commands: Sequence[Command]
    because: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Understanding(Protocol):
    """Turns a message into commands."""

    async def understand(self, view: DialogueView) -> Understood:
        """Return the commands; CannotHandle if there are none. Raises `UnderstandingError` if it cannot work at all."""
        ...
