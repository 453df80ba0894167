"""What is kept of a call: a row for the list, and its parts for the page about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

# How a call may end that is no failure of anybody.
_FINE = frozenset({"ok", "rejected", "needs_domain", "cancelled", ""})


class Notes(msgspec.Struct):
    """What was noted while a call ran. Times are seconds since it came; None where a step did not come to pass."""

    decoded: float | None = None
    started: float | None = None
    on_thread: float | None = None
    ended: float | None = None
    place: str = ""
    exception: str = ""
    # Each line: seconds since 1970, level, logger, text.
    lines: list[tuple[float, str, str, str]] = []
    # Each request: when it began, how long it took, method, URL, what came of it.
    outbound: list[tuple[float, float, str, str, str]] = []
    dropped: int = 0


@dataclass(frozen=True)
class CallRow:
    """One call in the list. ``at`` is when it ended, in seconds since 1970; ``again`` is the call that it repeats."""

    id: int
    at: float
    worker: int
    face: str
    action: str
    sender_id: str
    request_id: str
    error_id: str
    outcome: str
    status: int
    waiting_ms: float
    ms: float
    repeated: bool
    again: int | None

    @property
    def failed(self) -> bool:
        """Whether something went wrong, also where an apology was answered."""
        return has_failed(self.outcome, self.status)


@dataclass(frozen=True)
class KeptCall:
    """One call. ``request`` is complete, with its domain; it and ``reply`` are None where they were too large."""

    row: CallRow
    request: Mapping[str, Any] | None
    reply: Any
    notes: Notes


def has_failed(outcome: str, status: int) -> bool:
    """Tell whether a call that ended so is one that somebody looks for."""
    return status >= 500 or outcome not in _FINE
