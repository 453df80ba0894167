"""A call that comes as a tool's arguments: slots, perhaps a conversation, and none of the rest an engine sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from rasa_sdk import Tracker

from action_server.errors import ActionRejectedError
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call

CONVERSATION = "sender_id"
# What no tool's call has. A tracker holds it empty, and notes who looks at it.
HISTORY = ("events", "latest_message", "stack", "active_loop", "latest_action_name", "followup_action", "user_id")


@dataclass(frozen=True)
class ToolCall(Call):
    """A call without a history; without a conversation, too, if ``sender_id`` is empty.

    ``missed`` collects what the action looked for and could not find: names of :data:`HISTORY`, or ``sender_id``.
    ``measure`` makes the tool's answer of the action's, and returns its length in characters.
    """

    missed: set[str] = field(default_factory=set, compare=False, repr=False)
    measure: Callable[[Answer], int] | None = field(default=None, compare=False, repr=False)

    def ask_for_conversation(self) -> NoReturn:
        """Refuse the call: without a conversation, two people would be taken for one."""
        self.missed.add(CONVERSATION)
        raise ActionRejectedError("this action needs a conversation, and the call names none", self.action)


class _Absent:
    """An attribute of a tracker that is empty; whoever reads it is noted."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, tracker: ToolTracker | None, _: object = None) -> Any:
        if tracker is None:
            return self
        tracker.note_missed(self._name)
        return vars(tracker)[self._name]

    def __set__(self, tracker: ToolTracker, value: object) -> None:
        tracker.__dict__[self._name] = value


class ToolTracker(Tracker):
    """The tracker of a :class:`ToolCall`: slots, and what is missing of a conversation is noted when it is read."""

    sender_id: Any
    _call: ToolCall | None = None

    @classmethod
    def of(cls, call: ToolCall) -> ToolTracker:
        """Make one."""
        tracker = cls(call.sender_id, call.part("slots") or {}, {}, [], False, None, {}, None, [], None)
        tracker._call = call
        return tracker

    def note_missed(self, name: str) -> None:
        """Take note that something was looked for that no tool's call has."""
        if self._call is not None:
            self._call.missed.add(name)


class _Conversation(_Absent):
    """The conversation's id; without one, whoever reads it is refused."""

    def __get__(self, tracker: ToolTracker | None, _: object = None) -> Any:
        found = self if tracker is None else vars(tracker)[self._name]
        if tracker is None or found or tracker._call is None:
            return found
        return tracker._call.ask_for_conversation()


for _name in HISTORY:
    setattr(ToolTracker, _name, _Absent(_name))
ToolTracker.sender_id = _Conversation(CONVERSATION)
