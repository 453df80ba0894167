"""What the clients of a soak saw, and what was done to the workers."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from action_server.telemetry.metrics import LONGEST_DELAY


@dataclass
class Outcome:
    """One call as its client saw it; status 0: no answer."""

    action: str
    status: int
    started: float
    ended: float
    gone: bool = False
    body: Any = None


@dataclass
class Fault:
    """A worker that was killed, blocked or stopped, and what the log said of it.

    ``began`` and ``ended`` (when its death was read) are of the monotonic clock; the other times are seconds since.
    ``pid`` is 0 for a blocked worker that nobody named. ``answered`` are the calls that were answered meanwhile.
    """

    kind: str
    began: float
    pid: int = 0
    ended: float = math.inf
    blocked: dict[str, Any] | None = None
    died: dict[str, Any] | None = None
    named_after: float | None = None
    replaced_by: int | None = None
    replaced_after: float | None = None
    answered: int = 0
    replacement_answers: bool = False


@dataclass
class Books:
    """What the clients saw."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    # Of each (conversation, wish): the references it was given.
    references: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    asked: set[tuple[str, str]] = field(default_factory=set)
    hostile: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _next: int = 0

    def new_id(self) -> str:
        """Return an id for the next request."""
        self._next += 1
        return f"soak-{self._next}"

    def cut(self) -> list[Outcome]:
        """Return the calls that were not answered though their clients waited."""
        return [o for o in self.outcomes.values() if o.status == 0 and not o.gone]

    def cut_by_nobody(self) -> list[Outcome]:
        """Return those that no fault explains: none of them was there while the call was."""
        return [
            o
            for o in self.cut()
            if not any(o.started <= fault.ended and o.ended >= fault.began for fault in self.faults)
        ]

    def in_hand(self) -> dict[str, Outcome]:
        """Return what was answered shortly before a fault and until its worker died.

        Lines and counts of calls are written for several at once: those that wait are lost with their worker.
        """
        return {
            request_id: o
            for request_id, o in self.outcomes.items()
            if o.status and any(fault.began - LONGEST_DELAY <= o.ended <= fault.ended for fault in self.faults)
        }

    def answered_since(self, moment: float) -> int:
        """Return how many calls were begun after a moment of the monotonic clock, and answered."""
        return sum(1 for o in self.outcomes.values() if o.status and o.started >= moment)

    def expect(self, outcome: Outcome, *statuses: int) -> None:
        """Note an answer that should not have been."""
        if outcome.status not in (*statuses, 0):
            self.unexpected.append(f"{outcome.action}: {outcome.status} instead of {statuses}")
