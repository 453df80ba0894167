"""Test cases as they are written: what the user says, and what has to follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from action_server.flows.e2e.checks import Check
from action_server.protocol.jsonable import JsonObject
from action_server.source import Place


@dataclass(frozen=True)
class Stub:
    """What a custom action answers in a test, instead of running; or what a sub agent does until it is done."""

    events: Sequence[JsonObject] = ()
    responses: Sequence[JsonObject] = ()


@dataclass(frozen=True)
class UserStep:
    """A message, and what has to hold after it. ``is_ordered``: each check has to follow the one before.

    ``is_first``: nothing stands before it in its test, so that its assertions see the session's start as well.
    ``original`` is what the test says, where ``message`` is a paraphrase of it.
    """

    message: str
    at: Place
    checks: tuple[Check, ...] = ()
    is_ordered: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_first: bool = False
    original: str = ""

    @property
    def meant(self) -> str:
        """The message as the test has it."""
        return self.original or self.message


@dataclass(frozen=True)
class Case:
    """A test. ``opening`` has to hold before the user has said anything; ``slots`` are those of its fixtures.

    ``stubs`` answer for actions and ``sub_agents`` for sub agents, by name; ``tools`` are results by `server:tool`.
    ``has_assertions`` tells the two forms of the format apart; ``problem`` is why the test cannot be played.
    """

    name: str
    at: Place
    steps: tuple[UserStep, ...]
    opening: tuple[Check, ...] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    stubs: Mapping[str, Stub] = field(default_factory=dict)
    tools: Mapping[str, JsonObject] = field(default_factory=dict)
    sub_agents: Mapping[str, Stub] = field(default_factory=dict)
    has_assertions: bool = False
    problem: str = ""
