"""The commands, in CALM's own terms: what a user's message asks the assistant to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
