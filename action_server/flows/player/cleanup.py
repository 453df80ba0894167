"""Leaves out the commands of a message that engines drop before they execute any (rasa-pro 3.21.0, read)."""

from __future__ import annotations

from collections.abc import Sequence

from action_server.flows.commands.command import CannotHandle, ChitChat, Clarify, Command, RepeatBotMessages
from action_server.flows.player.trace import Ignored

# Of these there is one in a message at most.
_ONCE = (CannotHandle, RepeatBotMessages, ChitChat)


def clean_up(commands: Sequence[Command]) -> tuple[list[Command], list[Ignored]]:
    """Return the commands that stay, and those that do not, each with its reason."""
    kept: list[Command] = []
    dropped: list[Ignored] = []
    only_clarifies = all(isinstance(command, Clarify) for command in commands)
    for command in commands:
        reason = _reason_against(command, kept, only_clarifies=only_clarifies)
        if reason:
            dropped.append(Ignored(command, reason))
        else:
            kept.append(command)
    if len(kept) > 1:
        dropped += [Ignored(c, "there are other commands") for c in kept if isinstance(c, CannotHandle)]
        kept = [command for command in kept if not isinstance(command, CannotHandle)]
    return kept, dropped


def _reason_against(command: Command, kept: Sequence[Command], *, only_clarifies: bool) -> str:
    if isinstance(command, Clarify) and not only_clarifies:
        return "there are other commands: one question at a time"
    if isinstance(command, Clarify) and kept:
        return "the first clarification counts"
    if isinstance(command, _ONCE) and any(isinstance(other, type(command)) for other in kept):
        return "there is one already"
    return ""
