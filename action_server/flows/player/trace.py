"""What happened in a turn, for people: every step, condition, action call and message.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from action_server.flows.commands.command import Command
from action_server.protocol.jsonable import JsonObject
from action_server.source import Place


@dataclass(frozen=True)
class Decision:
    """A condition that was looked at. ``values`` are those of the names in it; ``error`` is why it is False anyway.

    ``led_to`` is the step (or END) the branch leads to, empty where it is no branch.
    """

    condition: str
    value: bool
    at: Place | None = None
    rendered: str = ""
    error: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    led_to: str = ""
    is_rendered: bool = True


@dataclass(frozen=True)
class LogLine:
    """A line the action logged."""

    level: str
    logger: str
    message: str


@dataclass(frozen=True)
class ActionCall:
    """A call of the action server. ``problem`` says in a sentence why it failed; empty if it did not.

    ``asked_for_domain``: the first answer was 449, this is the second one. ``status`` is 0 if nothing answered.
    """

    action: str
    status: int
    milliseconds: float
    slots_before: Mapping[str, Any]
    slots_after: Mapping[str, Any]
    events: Sequence[JsonObject] = ()
    responses: Sequence[JsonObject] = ()
    logs: Sequence[LogLine] = ()
    asked_for_domain: bool = False
    problem: str = ""

    @property
    def changed_slots(self) -> dict[str, tuple[Any, Any]]:
        """Return the slots the call changed: value before, value after."""
        return _changed_slots(self.slots_before, self.slots_after)


@dataclass(frozen=True)
class BotMessage:
    """What the bot said. ``response`` is its name in the domain, ``action`` what said it; either may be empty.

    ``rephrased``: a language model would have reworded it; here it is as it stands in the domain. ``metadata`` is what
    stands beside what is said.
    """

    text: str | None = None
    response: str = ""
    action: str = ""
    buttons: Sequence[Mapping[str, Any]] = ()
    quick_replies: Sequence[Mapping[str, Any]] = ()
    elements: Sequence[Mapping[str, Any]] = ()
    image: str = ""
    attachment: Any = None
    custom: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    rephrased: bool = False
    # Who made it, in the engine's words: its generator of texts, or an action.
    source: str = "TemplatedNaturalLanguageGenerator"


@dataclass
class StepTaken:
    """A step that was entered, or (``kind`` "end") the end of a flow.

    ``decisions`` are the conditions of its branches, in order; the one that is true, or the `else`, decided. ``notes``
    say in sentences what else is to know: why it was skipped, which slots were reset.
    """

    flow: str
    step: str
    kind: str
    what: str
    at: Place | None = None
    decisions: list[Decision] = field(default_factory=list)
    call: ActionCall | None = None
    messages: list[BotMessage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # A pattern may run actions that a project need not have; those are passed over.
    skipped: bool = False


@dataclass(frozen=True)
class Ignored:
    """A command that was not followed, and why."""

    command: Command
    reason: str


@dataclass(frozen=True)
class Failure:
    """Something an engine answers with `pattern_internal_error`, and where."""

    what: str
    at: Place | None = None
    flow: str = ""
    step: str = ""

    def __str__(self) -> str:
        return f"{self.at}: {self.what}" if self.at else self.what


@dataclass
class Turn:
    """One message of the user, all that followed, and where the conversation stands.

    ``commands`` are those that were followed; ``because`` and ``details`` come from who understood the message.
    ``calls`` has the actions of `run_action_every_turn` first, then those of the steps. ``stack`` is the one at the
    end.
    """

    message: str
    commands: list[Command] = field(default_factory=list)
    because: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    ignored: list[Ignored] = field(default_factory=list)
    steps: list[StepTaken] = field(default_factory=list)
    calls: list[ActionCall] = field(default_factory=list)
    messages: list[BotMessage] = field(default_factory=list)
    events: list[JsonObject] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    slots_before: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, Any] = field(default_factory=dict)
    stack: list[JsonObject] = field(default_factory=list)
    active_flow: str = ""
    asked_slot: str = ""
    is_paused: bool = False
    has_ended: bool = False

    @property
    def texts(self) -> list[str]:
        """Return the texts of the messages that have one."""
        return [message.text for message in self.messages if message.text is not None]

    @property
    def actions(self) -> list[str]:
        """Return the names of the actions that ran, in order, as the events have them."""
        return [event["name"] for event in self.events if event["event"] == "action" and event.get("name")]

    @property
    def responses(self) -> list[str]:
        """Return the names of the responses that were said, in order."""
        return [message.response for message in self.messages if message.response]

    @property
    def changed_slots(self) -> dict[str, tuple[Any, Any]]:
        """Return the slots that have another value now: before, after."""
        return _changed_slots(self.slots_before, self.slots)


def _changed_slots(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (before.get(name), after.get(name)) for name in {**before, **after}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
