"""A `RemoteCalendar` in memory, as strict as a real one, with faults on demand."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from actions.errors import BackendError, OutcomeUnknownError, SlotTakenError
from actions.scheduling.models import Slot
from actions.scheduling.remote import Entry

T = TypeVar("T")

_CELL = timedelta(minutes=5)
_SOMEBODY = "somebody else"


@dataclass
class MemorySystem:
    """What the calendars of several processes share: who has which cell. People use it past the calendars' code."""

    cells: dict[tuple[str, datetime], str] = field(default_factory=dict)

    async def open(self) -> MemoryCalendar:
        """Return one more calendar on this system."""
        return MemoryCalendar(self)

    async def occupy(self, slot: Slot) -> None:
        """Give the time to somebody else."""
        self.cells.update(dict.fromkeys(cells_of(slot), _SOMEBODY))

    async def delete(self, entry: Entry) -> None:
        """Delete an entry, as people do."""
        self.cells = {cell: uid for cell, uid in self.cells.items() if uid != entry.uid}

    async def leave_half(self, entry: Entry) -> None:
        """Leave what a writer leaves who is killed half way."""
        self.cells[next(cells_of(entry.slot))] = entry.uid

    async def holders(self, slot: Slot) -> set[str]:
        """Return the uids of whoever has a part of the time."""
        return {self.cells[cell] for cell in cells_of(slot) if cell in self.cells}


@dataclass
class Hold:
    """A call that stands still: `reached` is set once it does, and it goes on after `release()`."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self._released.set()

    async def wait(self) -> None:
        self.reached.set()
        await self._released.wait()


@dataclass(frozen=True)
class _Fault:
    error: BackendError | None = None
    hold: Hold | None = None
    after: bool = False
    lost: bool = False

    async def strike(self) -> None:
        if self.hold:
            await self.hold.wait()
        if self.error:
            raise self.error


class MemoryCalendar:
    """Planned faults meet the next calls of their method, one each, in the order in which they were planned."""

    def __init__(self, system: MemorySystem | None = None) -> None:
        self.system = system or MemorySystem()
        self.calls: list[str] = []
        self._faults: defaultdict[str, deque[_Fault]] = defaultdict(deque)
        self._on_their_way: list[Callable[[], object]] = []

    def fail(self, method: str, error: BackendError, *, after: bool = False) -> None:
        """Let the next call of the method raise, before or after it did its work."""
        self._faults[method].append(_Fault(error, after=after))

    def hold(self, method: str, *, after: bool = False) -> Hold:
        """Let the next call of the method stand still, before or after it did its work, until it is released."""
        hold = Hold()
        self._faults[method].append(_Fault(hold=hold, after=after))
        return hold

    def lose(self, method: str) -> None:
        """Let the next write or remove raise `OutcomeUnknownError` while its work is still on its way: `deliver`."""
        self._faults[method].append(_Fault(OutcomeUnknownError("the calendar did not answer"), lost=True))

    def deliver(self) -> None:
        """Let everything arrive that is on its way."""
        for work in self._on_their_way:
            try:
                work()
            except SlotTakenError:
                continue  # the system refuses it, and nobody listens any more
        self._on_their_way.clear()

    async def free(self, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return those whose cells nobody has."""
        assert len({slot.resource for slot in candidates}) <= 1
        assert list(candidates) == sorted(candidates, key=lambda slot: slot.start)
        return await self._call(
            "free", lambda: [s for s in candidates if self.system.cells.keys().isdisjoint(cells_of(s))]
        )

    async def write(self, entry: Entry) -> None:
        """Take all cells of the entry, or none if somebody else has one of them."""
        await self._call("write", lambda: self._write(entry))

    async def find(self, entry: Entry) -> bool:
        """Return whether the entry has all of its cells."""
        return await self._call(
            "find", lambda: all(self.system.cells.get(cell) == entry.uid for cell in cells_of(entry.slot))
        )

    async def remove(self, entry: Entry) -> None:
        """Give back what cells the entry has."""
        await self._call("remove", lambda: self._remove(entry))

    async def ping(self) -> None:
        """Return, unless something else is planned."""
        await self._call("ping", lambda: None)

    async def _call(self, method: str, work: Callable[[], T]) -> T:
        self.calls.append(method)
        await asyncio.sleep(0)  # as every request does
        fault = self._faults[method].popleft() if self._faults[method] else _Fault()
        if fault.lost:
            self._on_their_way.append(work)
        if not fault.after:
            await fault.strike()
            return work()
        result = work()
        await fault.strike()
        return result

    def _write(self, entry: Entry) -> None:
        held = {self.system.cells.get(cell, entry.uid) for cell in cells_of(entry.slot)}
        if held != {entry.uid}:
            self._remove(entry)
            raise SlotTakenError(entry.slot)
        self.system.cells.update(dict.fromkeys(cells_of(entry.slot), entry.uid))

    def _remove(self, entry: Entry) -> None:
        for cell in cells_of(entry.slot):
            if self.system.cells.get(cell) == entry.uid:
                del self.system.cells[cell]


def cells_of(slot: Slot) -> Iterator[tuple[str, datetime]]:
    """Return the five-minute cells of a slot."""
    start = slot.start
    while start < slot.end:
        yield slot.resource, start
        start += _CELL
