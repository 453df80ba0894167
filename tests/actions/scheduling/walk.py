"""A walk: patients book, move and cancel, people edit, time goes by; then what was told is held against the truth.

What is walked on is a `WalkedSystem`: it tells the truth, past our backends, and what people can do there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import combinations
from random import Random
from typing import Protocol

from actions.errors import BackendError, OutcomeUnknownError, SlotTakenError
from actions.scheduling.models import Booking, BookingKey, Patient, Slot, Window
from actions.scheduling.port import SchedulingBackend
from actions.scheduling.records import Record
from actions.scheduling.sweeper import settle
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import GENERAL, HALF_HOUR, FixedClock, days, slot_at

PATIENTS = ("anna", "bert", "cleo")
TUESDAY = days("2026-11-24", "2026-11-25")
FIRST = slot_at("2026-11-24T08:00").start
TIMES = [Slot("practice", FIRST + n * HALF_HOUR, FIRST + (n + 1) * HALF_HOUR) for n in range(8)]
PAUSES = (0.05, 1.0, 5.0, 70.0)
FAULTS = ("ghosts", "lost", "twice", "stuck", "forgotten", "closed but given", "free but refused")


@dataclass(frozen=True)
class Kept:
    """An appointment that somebody is expected at, as its system has it.

    Attributes:
        patient: who comes; empty for somebody who did not come through us.
        made: when it was booked by hand in a way that a search alone can tell of.
    """

    start: datetime
    end: datetime
    patient: str = ""
    made: datetime | None = None
    resource: str = "practice"

    def overlaps(self, other: Kept | Slot) -> bool:
        """Say whether the two share time of one resource."""
        return self.resource == other.resource and self.start < other.end and other.start < self.end


class Truth(Protocol):
    """What a system has, at one moment."""

    @property
    def kept(self) -> Sequence[Kept]:
        """All appointments."""

    def is_closed(self, slot: Slot) -> bool:
        """Say whether people keep a part of the time from being booked."""

    def is_free(self, slot: Slot) -> bool:
        """Say whether the time can be booked."""

    def hanging(self) -> Sequence[str]:
        """Return in words what is kept for nobody."""


class WalkedSystem(Protocol):
    """What is walked on; `lag` is for how many seconds its searches may not know what was done."""

    @property
    def lag(self) -> float: ...

    def truth(self) -> Truth: ...

    def edits(self) -> Sequence[Callable[[], str]]:
        """Return what people can do; each says what it did, or nothing if there was nothing to do."""

    def settle(self) -> None:
        """Let searches know all that was done."""


def overlapping(kept: Sequence[Kept]) -> Iterator[tuple[Kept, Kept]]:
    """Return the pairs of appointments that share time."""
    return ((one, other) for one, other in combinations(kept, 2) if one.overlaps(other))


@dataclass
class Walk:
    """One walk on one system. `backends` are those of two processes, which share a ledger."""

    system: WalkedSystem
    clock: FixedClock
    backends: Sequence[SchedulingBackend]
    random: Random
    steps: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    told: dict[str, str] = field(default_factory=dict)
    _changed: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)
    # When a time was given away last.
    _given: dict[datetime, datetime] = field(default_factory=dict)

    @property
    def backend(self) -> SchedulingBackend:
        return self.random.choice(self.backends)

    @property
    def is_knowable(self) -> bool:
        """Whether a search can know all that was done."""
        return self.clock.now - self._changed > timedelta(seconds=self.system.lag)

    def note(self, fault: str, words: str) -> None:
        self.faults[fault] += 1
        self.steps.append(f"  !! {fault}: {words}")

    def edit(self, number: int) -> None:
        """Let people do something."""
        edits = self.system.edits()
        said = edits[number % len(edits)]()
        if said:
            self.steps.append(f"people {said}")
            self._changed = self.clock.now

    async def wait(self, seconds: float) -> None:
        """Let time go by, and the sweeper with it."""
        self.clock.now += timedelta(seconds=seconds)
        self.steps.append(f"{seconds:g} s go by")
        backend = self.backend
        if seconds > 30 and isinstance(backend, SyncedBackend):
            await settle(backend)

    async def book(self, patient: str, number: int) -> None:
        """Book a certain time, or any time that day."""
        window = TUESDAY if number >= len(TIMES) else Window.at(TIMES[number].start)
        truth, knowable, backend = self.system.truth(), self.is_knowable, self.backend
        try:
            free = list(await backend.find_slots(GENERAL, window))
            wanted = free if window == TUESDAY else [TIMES[number]]
            for slot in TIMES if window == TUESDAY and knowable else ():
                if slot not in free and truth.is_free(slot) and await self._has_nothing_pending(slot):
                    self.note("free but refused", f"{slot.start:%H:%M} is not offered to {patient}")
            for slot in wanted:
                if await self._book(backend, patient, window, slot, truth, knowable=knowable):
                    return
            self.steps.append(f"{patient} gets no time")
        except BackendError as exc:
            self.steps.append(f"{patient} hears {type(exc).__name__} ({exc})")
            self.told.pop(patient, None)
        finally:
            self._changed = self.clock.now

    async def _book(
        self, backend: SchedulingBackend, patient: str, window: Window, slot: Slot, truth: Truth, *, knowable: bool
    ) -> bool:
        began = self.clock.now
        known = {one.reference for one in await backend.upcoming(patient, self.clock.now)}
        try:
            booking = await backend.book(BookingKey(patient, "general", window), slot, Patient(patient, patient))
        except SlotTakenError:
            if knowable and truth.is_free(slot) and await self._has_nothing_pending(slot):
                self.note("free but refused", f"{slot.start:%H:%M} to {patient}")
            return False
        self.steps.append(f"{patient} has {booking.slot.start:%H:%M} ({booking.reference})")
        if booking.reference not in known and knowable and truth.is_closed(booking.slot):
            self.note("closed but given", f"{booking.slot.start:%H:%M} to {patient}")
        self.told[patient] = booking.reference
        self._given[booking.slot.start] = began
        return True

    async def _has_nothing_pending(self, slot: Slot) -> bool:
        unsettled = await self._unsettled()
        return not any(one.slot.start < slot.end and slot.start < one.slot.end for one in unsettled)

    async def _unsettled(self) -> Sequence[Record]:
        backend = self.backends[0]
        return await backend.list_unsettled(-timedelta(minutes=1)) if isinstance(backend, SyncedBackend) else []

    async def cancel(self, patient: str) -> None:
        """Cancel the first appointment that there is."""
        backend = self.backend
        try:
            for booking in await self._first(backend, patient):
                key = BookingKey(patient, "general", Window.at(booking.slot.start))
                done = await backend.cancel(key)
                self.steps.append(
                    f"{patient} cancels {booking.slot.start:%H:%M}: {'done' if done else 'nothing there'}"
                )
                self.told.pop(patient, None)
        except OutcomeUnknownError:
            self.told.pop(patient, None)
            self.steps.append(f"{patient} cancels: unknown")
        except BackendError as exc:
            self.steps.append(f"{patient} cancels: {type(exc).__name__}")
        finally:
            self._changed = self.clock.now

    async def move(self, patient: str, number: int) -> None:
        """Move the first appointment that there is."""
        began, slot, backend = self.clock.now, TIMES[number % len(TIMES)], self.backend
        truth, knowable = self.system.truth(), self.is_knowable
        try:
            for booking in await self._first(backend, patient):
                key = BookingKey(patient, "general", Window.at(booking.slot.start))
                done = await backend.reschedule(key, slot)
                self.steps.append(f"{patient} moves {booking.slot.start:%H:%M} to {slot.start:%H:%M}: {bool(done)}")
                if done:
                    self._given[done.slot.start] = began
                if done and knowable and booking.slot != done.slot and truth.is_closed(done.slot):
                    self.note("closed but given", f"{slot.start:%H:%M} to {patient}, moved")
        except BackendError as exc:
            self.steps.append(f"{patient} moves to {slot.start:%H:%M}: {type(exc).__name__}")
        finally:
            self._changed = self.clock.now

    async def _first(self, backend: SchedulingBackend, patient: str) -> Sequence[Booking]:
        return (await backend.upcoming(patient, self.clock.now))[:1]

    async def finish(self) -> None:
        """Let everything settle and look."""
        for _ in range(3):
            # Who looks hears of what people ended; the sweeper comes to what could not be cleared away then.
            for patient in PATIENTS:
                await self.backend.upcoming(patient, self.clock.now)
            await self.wait(90)
            self.system.settle()
        truth = self.system.truth()
        await self._compare_lists(truth)
        for one, other in overlapping(truth.kept):
            if not self._was_unknowable(one) and not self._was_unknowable(other):
                self.note("twice", f"{one.start:%H:%M} {one.patient} and {other.patient}")
        for words in truth.hanging():
            self.note("stuck", words)
        for record in await self._unsettled():
            self.note("stuck", f"{record.slot.start:%H:%M} is {record.state.value}")

    async def _compare_lists(self, truth: Truth) -> None:
        """Note where what a patient is told differs from what stands there."""
        for patient in PATIENTS:
            has = await self.backend.upcoming(patient, self.clock.now)
            listed, there = {one.slot.start for one in has}, {one.start for one in truth.kept if one.patient == patient}
            for start in listed - there:
                self.note("lost", f"{patient} believes in {start:%H:%M}")
            for start in there - listed:
                self.note("forgotten" if patient in self.told else "ghosts", f"{patient} at {start:%H:%M}")
            if len(has) != sum(one.patient == patient for one in truth.kept):
                self.note("twice", f"{patient} has {len(has)} and others")

    def _was_unknowable(self, kept: Kept) -> bool:
        """Say whether something was booked by hand when no search could tell of it."""
        given = self._given.get(kept.start)
        if kept.made is None or given is None:
            return False
        return timedelta() <= given - kept.made <= timedelta(seconds=self.system.lag + 0.5)

    async def step(self) -> None:
        """Do any one thing."""
        patient, number = self.random.choice(PATIENTS), self.random.randrange(len(TIMES) + 2)
        match self.random.choice("bbbbcmmllewewewe"):
            case "b":
                await self.book(patient, number)
            case "c":
                await self.cancel(patient)
            case "m":
                await self.move(patient, number)
            case "l":
                await self.backend.upcoming(patient, self.clock.now)
            case "e":
                self.edit(self.random.randrange(1000))
            case _:
                await self.wait(self.random.choice(PAUSES))
