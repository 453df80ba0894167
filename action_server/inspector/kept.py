"""What is kept of a call: a row for the list, and its parts for the page about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

# How a call may end that is no failure of anybody; the last ones are those of runs of jobs.
_FINE = frozenset({"ok", "rejected", "needs_domain", "cancelled", "", "done", "given_back", "postponed"})


class Notes(msgspec.Struct):
    """What was noted while a call ran, if anything was."""

    place: str = ""
    exception: str = ""
    # Each line: seconds since 1970, level, logger, text.
    lines: list[tuple[float, str, str, str]] = []
    # Each request: seconds since the call came, how long it took, method, URL, what came of it.
    outbound: list[tuple[float, float, str, str, str]] = []
    dropped: int = 0


class EndedCall(msgspec.Struct, frozen=True, array_like=True):
    """One call that is to be kept, in the order in which a line of the file has it.

    ``failed`` tells whether something went wrong, also where an apology was answered. ``at`` is when it ended, in
    seconds since 1970; ``again`` is the call that it repeats; ``job`` is the id of the job of which it is a run, for
    what is no call of an engine. The steps are microseconds since it came, None where one did not come to pass. The
    sizes are in bytes, -1 for what is not kept as it was too large, or no call.
    """

    failed: bool
    at: float
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
    job: str
    decoded: int | None
    started: int | None
    on_thread: int | None
    ended: int | None
    request: int
    reply: int
    notes: int

    @property
    def size(self) -> int:
        """How many bytes its parts have."""
        return max(0, self.request) + max(0, self.reply) + self.notes


class CallRow(EndedCall, frozen=True, array_like=True):
    """One call in the list: whose it was, where its parts begin in the file, and its number."""

    worker: int
    start: int
    id: int


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
