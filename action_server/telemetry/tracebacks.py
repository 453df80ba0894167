"""Tracebacks for people: the author's own line first, and the server's frames folded."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from action_server.source import one_line, place_of_failure

# How Python prints a frame that stands for others.
_NOTE = re.compile(r'^  File "(\(\d+ frames? of the server\))", line 0, in \.\.\.$', re.MULTILINE)
_OURS = str(Path(__file__).resolve().parents[1])


def format_failure(error: BaseException) -> str:
    """Return what an error's log line is followed by: where it happened and what it is, then how it came to that.

    Frames of this package are folded where there are others; those of libraries stay, as what they were given counts.
    """
    place = place_of_failure(error)
    first = f"{place}: {one_line(error)}\n" if place else ""
    told = traceback.TracebackException.from_exception(error, compact=True)
    _fold(told, seen=set())
    return first + _NOTE.sub(r"  \1", "".join(told.format())).rstrip("\n")


def _fold(told: traceback.TracebackException, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    for inner in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if inner is not None:
            _fold(inner, seen)
    others = [frame for frame in told.stack if not frame.filename.startswith(_OURS)]
    folded = len(told.stack) - len(others)
    if others and folded:
        note = traceback.FrameSummary(f"({folded} frame{'s' if folded > 1 else ''} of the server)", 0, "...", line="")
        told.stack = traceback.StackSummary.from_list([note, *others])
