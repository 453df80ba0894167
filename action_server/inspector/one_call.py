"""What the page about a call shows: the slots before and after, what was said, the steps in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from action_server.inspector.kept import CallRow, KeptCall, Notes
from action_server.testing.recordings import comparable, differences


@dataclass(frozen=True)
class SlotChange:
    """A slot before and after the call."""

    name: str
    before: Any
    after: Any
    is_set: bool

    @property
    def has_changed(self) -> bool:
        """Whether the call made another value of it, ``1`` and ``True`` being two."""
        return repr(self.before) != repr(self.after)


@dataclass(frozen=True)
class Step:
    """A part of the call's time, in milliseconds since it came."""

    name: str
    start: float
    milliseconds: float
    kind: str = "step"


@dataclass(frozen=True)
class CallView:
    """One call as the page shows it. ``length`` is how long all of it took, in milliseconds."""

    call: KeptCall
    slots: Sequence[SlotChange]
    responses: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    steps: Sequence[Step]
    length: float
    answer_error: str

    @property
    def row(self) -> CallRow:
        """Its row of the list."""
        return self.call.row

    @property
    def notes(self) -> Notes:
        """What was noted while it ran."""
        return self.call.notes


def view_of(call: KeptCall) -> CallView:
    """Return what is shown of a call."""
    reply = call.reply if isinstance(call.reply, dict) else {}
    events, responses = _objects(reply.get("events")), _objects(reply.get("responses"))
    steps = list(_steps(call.row, call.notes))
    length = max((step.start + step.milliseconds for step in steps), default=0.0)
    error = str(reply.get("error", "")) if call.row.status != 200 else ""
    return CallView(call, _changes(call, events), responses, events, steps, max(length, 0.001), error)


def slots_of(call: KeptCall) -> Mapping[str, Any]:
    """Return the slots a call came with."""
    tracker = (call.request or {}).get("tracker")
    slots = tracker.get("slots") if isinstance(tracker, dict) else None
    return slots if isinstance(slots, dict) else {}


@dataclass(frozen=True)
class Difference:
    """What differs between a call and the one that it repeats: the slots it came with, and lines of its answer."""

    first: CallRow
    slots: Sequence[SlotChange]
    answer: Sequence[str]


def difference_of(first: KeptCall, call: KeptCall) -> Difference:
    """Return what is another in a call that was run again."""
    before, after = slots_of(first), slots_of(call)
    changes = [SlotChange(name, before.get(name), after.get(name), is_set=True) for name in {**before, **after}]
    answers = [comparable(one.row.status, one.reply) for one in (first, call)]
    return Difference(first.row, [change for change in changes if change.has_changed], differences(*answers))


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _changes(call: KeptCall, events: Sequence[Mapping[str, Any]]) -> list[SlotChange]:
    """Return the slots, those that changed first, then those that were set, then the others."""
    before = slots_of(call)
    told = {str(e.get("name")): e.get("value") for e in events if e.get("event") == "slot"}
    names = [*told, *(name for name in before if name not in told)]
    changes = [SlotChange(n, before.get(n), told.get(n, before.get(n)), n in told) for n in names]
    return sorted(changes, key=lambda change: (not change.has_changed, not change.is_set, change.before is None))


def _steps(row: CallRow, notes: Notes) -> Iterator[Step]:
    moments = (("decode", 0.0, row.decoded), ("queue", row.decoded, row.started))
    yield from (Step(name, *_span(start, end)) for name, start, end in moments if start is not None and end is not None)
    begun = row.started
    if row.on_thread is not None and begun is not None:
        yield Step("thread", *_span(begun, row.on_thread))
        begun = row.on_thread
    if begun is not None and row.ended is not None:
        yield Step("run", *_span(begun, row.ended))
    for start, seconds, method, url, outcome in notes.outbound:
        yield Step(f"{method} {url} → {outcome}", start * 1000, seconds * 1000, "outbound")


def _span(start: float, end: float) -> tuple[float, float]:
    return start / 1000, max(0.0, end - start) / 1000
