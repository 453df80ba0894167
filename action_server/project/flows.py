"""Flows as they are written: steps in a row, each with the steps that may follow it.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from action_server.project.places import Frozen
from action_server.source import Place

START = "START"
END = "END"
PATTERN_PREFIX = "pattern_"


class Condition(Frozen):
    """A predicate as it is written, Jinja included."""

    text: str
    at: Place


class Branch(Frozen):
    """One way to go on: to the step ``target`` (or END) if the condition holds; without one, in any case."""

    target: str
    at: Place
    condition: Condition | None = None
    # As written: an `else:`, as opposed to a plain `next: id` or a missing `next`.
    is_else: bool = False


class Rejection(Frozen):
    """A value a slot may not have, and the response that says so."""

    condition: Condition
    utter: str
    at: Place


class Step(Frozen):
    """A step of any kind. ``next`` is complete: a missing one is the following step, or END.

    ``id`` is the one given, or one made of flow, position and what the step does.
    """

    id: str
    next: tuple[Branch, ...]
    at: Place
    has_id: bool = False
    # Ids of the steps around it: empty at the top of the flow.
    inside_of: str = ""

    @property
    def kind(self) -> str:
        """Return the key that makes the step what it is: "collect", "action", ..."""
        return _KINDS[type(self)]

    @property
    def what(self) -> str:
        """Return what it does, in a line."""
        return self.kind


class ActionStep(Step):
    """Run an action or say a response."""

    action: str

    @property
    def what(self) -> str:
        """Return what it does, in a line."""
        return f"action {self.action}"


class CollectStep(Step):
    """Ask for a slot until it has a value."""

    collect: str
    description: str = ""
    ask_before_filling: bool = False
    reset_after_flow_ends: bool | None = None
    utter: str = ""
    rejections: tuple[Rejection, ...] = ()
    force_slot_filling: bool = False
    # In seconds, where the step has one for all channels.
    silence_timeout: float | None = None

    @property
    def ask_utter(self) -> str:
        """Return the response that asks."""
        return self.utter or f"utter_ask_{self.collect}"

    @property
    def ask_action(self) -> str:
        """Return the action that asks, if the domain lists it."""
        return f"action_ask_{self.collect}"

    @property
    def what(self) -> str:
        """Return what it does, in a line."""
        return f"collect {self.collect}"


class SetSlotsStep(Step):
    """Set slots to fixed values."""

    slots: tuple[tuple[str, Any], ...]

    @property
    def what(self) -> str:
        """Return what it does, in a line."""
        return "set_slots " + ", ".join(name for name, _ in self.slots)


class LinkStep(Step):
    """End this flow and start another."""

    link: str

    @property
    def what(self) -> str:
        """Return what it does, in a line."""
        return f"link {self.link}"


class CallStep(Step):
    """Run another flow as a part of this one; or a tool (``mcp_server``), or a sub agent."""

    call: str
    mcp_server: str = ""
    mapping: Any = None
    exit_if: tuple[Condition, ...] = ()

    @property
    def what(self) -> str:
        """Return what it does, in a line."""
        return f"call {self.call}"


class NoopStep(Step):
    """Only decide where to go."""

    @property
    def what(self) -> str:
        """Return what it does, in a line."""
        return "decide"


_KINDS: dict[type[Step], str] = {
    ActionStep: "action",
    CollectStep: "collect",
    SetSlotsStep: "set_slots",
    LinkStep: "link",
    CallStep: "call",
    NoopStep: "noop",
}


class NluTrigger(Frozen):
    """An intent that starts the flow."""

    intent: str
    at: Place


class Flow(Frozen):
    """A flow or a pattern. ``steps`` are all of its steps in the order of the file, nested ones after their parent."""

    id: str
    at: Place
    name: str = ""
    description: str = ""
    guard: Condition | None = None
    nlu_trigger: tuple[NluTrigger, ...] = ()
    persisted_slots: tuple[str, ...] = ()
    run_pattern_completed: bool = True
    steps: tuple[Step, ...] = ()
    # Its name in other languages.
    translation: Mapping[str, str] = {}
    # The engine's own, not the project's.
    is_default: bool = False

    @property
    def is_pattern(self) -> bool:
        """Tell a pattern from a flow of the assistant's."""
        return self.id.startswith(PATTERN_PREFIX)

    @property
    def readable_name(self) -> str:
        """Return what users are told: the name, or else the id in words."""
        return self.name or self.id.replace("_", " ").replace("-", " ")

    def name_in(self, language: str) -> str:
        """Return what users are told in a language; empty for none."""
        return self.translation.get(language) or self.readable_name

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        """Return the steps by id; of two with one id, the first."""
        found: dict[str, Step] = {}
        for step in self.steps:
            found.setdefault(step.id, step)
        return found

    def step(self, step_id: str) -> Step | None:
        """Return a step, None if there is none."""
        return self.by_id.get(step_id)

    @cached_property
    def collects(self) -> tuple[CollectStep, ...]:
        """Return the steps that ask."""
        return tuple(step for step in self.steps if isinstance(step, CollectStep))

    @cached_property
    def set_slots(self) -> tuple[str, ...]:
        """Return the names of the slots that its set_slots steps set."""
        return tuple(name for step in self.steps if isinstance(step, SetSlotsStep) for name, _ in step.slots)

    @cached_property
    def calls(self) -> tuple[CallStep, ...]:
        """Return the steps that call."""
        return tuple(step for step in self.steps if isinstance(step, CallStep))


def with_called(flow: Flow, flows: Mapping[str, Flow]) -> tuple[Flow, ...]:
    """Return a flow and all flows it calls, directly or not, each once."""
    if not flow.calls:
        # Most do not, and each is asked for in each turn.
        return (flow,)
    found: dict[str, Flow] = {}
    waiting = [flow]
    while waiting:
        current = waiting.pop(0)
        if current.id in found:
            continue
        found[current.id] = current
        waiting += [flows[s.call] for s in current.calls if not s.mcp_server and s.call in flows]
    return tuple(found.values())


def scoped_slots(flow: Flow, flows: Mapping[str, Flow]) -> Iterator[str]:
    """Yield the slots that go back to their initial values when a flow ends, each once."""
    family = with_called(flow, flows)
    kept = {name for member in family for name in member.persisted_slots}
    kept |= {s.collect for member in family for s in member.collects if s.reset_after_flow_ends is False}
    names = [name for member in family for name in (*(s.collect for s in member.collects), *member.set_slots)]
    yield from (name for name in dict.fromkeys(names) if name not in kept)
