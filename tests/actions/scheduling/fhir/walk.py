"""A walk: patients book, move and cancel, people edit, time goes by; then what was told is held against the truth."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random

import aiohttp

from actions.errors import BackendError, OutcomeUnknownError, SlotTakenError
from actions.scheduling.models import BookingKey, Patient, Slot, Window
from actions.scheduling.sweeper import settle
from actions.scheduling.synced import SyncedBackend
from actions.transport import open_session
from tests.actions.clinic import GENERAL, FixedClock, days, open_backend, open_synced
from tests.actions.scheduling.fhir.fhir_clinic import FIRST, FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, Json
from tests.actions.scheduling.fhir.people import SCHEDULE, TIMES, People, Truth, moments, patient_of
from tests.actions.scheduling.fhir.variants import Variant, VariedServer, varied

PATIENTS = ("anna", "bert", "cleo")
TUESDAY = days("2026-11-24", "2026-11-25")
PAUSES = (0.05, 1.0, 5.0, 70.0)
FAULTS = ("ghosts", "lost", "twice", "stuck", "forgotten", "closed but given", "free but refused")
_LIMITS = {"breaker_failures": 10_000, "total_timeout": 30}


class WalkClinic(FhirSystem):
    """A clinic with one Schedule."""

    def __post_init__(self) -> None:
        self.server.empty()
        self.server.seed(SCHEDULE, FIRST, len(TIMES))


@dataclass
class Walk:
    """One walk on one variant. `backends` are those of two processes, which share a ledger."""

    server: VariedServer
    clock: FixedClock
    backends: Sequence[SyncedBackend]
    people: People
    random: Random
    steps: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    told: dict[str, str] = field(default_factory=dict)
    _changed: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)
    # When a time was given away last.
    _given: dict[datetime, datetime] = field(default_factory=dict)

    @property
    def backend(self) -> SyncedBackend:
        return self.random.choice(self.backends)

    @property
    def is_knowable(self) -> bool:
        """Whether a search can know all that was done."""
        return self.clock.now - self._changed > timedelta(seconds=self.server.variant.lag)

    def note(self, fault: str, words: str) -> None:
        self.faults[fault] += 1
        self.steps.append(f"  !! {fault}: {words}")

    def edit(self, number: int) -> None:
        """Let people do something."""
        edits = self.people.edits()
        said = edits[number % len(edits)]()
        if said:
            self.steps.append(f"people {said}")
            self._changed = self.clock.now

    async def wait(self, seconds: float) -> None:
        """Let time go by, and the sweeper with it."""
        self.clock.now += timedelta(seconds=seconds)
        self.steps.append(f"{seconds:g} s go by")
        if seconds > 30:
            await settle(self.backend)

    async def book(self, patient: str, number: int) -> None:
        """Book a certain time, or any time that day."""
        window = TUESDAY if number >= len(TIMES) else Window.at(TIMES[number].start)
        truth, knowable, backend = Truth.of(self.server), self.is_knowable, self.backend
        try:
            free = list(await backend.find_slots(GENERAL, window))
            wanted = free if window == TUESDAY else [TIMES[number]]
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
        self, backend: SyncedBackend, patient: str, window: Window, slot: Slot, truth: Truth, *, knowable: bool
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
        unsettled = await self.backends[0].list_unsettled(-timedelta(minutes=1))
        return not any(one.slot.start < slot.end and slot.start < one.slot.end for one in unsettled)

    async def cancel(self, patient: str) -> None:
        """Cancel the first appointment that there is."""
        backend = self.backend
        try:
            for booking in (await backend.upcoming(patient, self.clock.now))[:1]:
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
        began = self.clock.now
        slot, backend, truth, knowable = (
            TIMES[number % len(TIMES)],
            self.backend,
            Truth.of(self.server),
            self.is_knowable,
        )
        try:
            for booking in (await backend.upcoming(patient, self.clock.now))[:1]:
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

    async def finish(self) -> None:
        """Let everything settle and look."""
        for _ in range(3):
            await self.wait(90)
            self.server.settle()
        truth = Truth.of(self.server)
        for patient in PATIENTS:
            has = await self.backend.upcoming(patient, self.clock.now)
            listed, there = {one.slot.start for one in has}, truth.of_patient(patient)
            for start in listed - there:
                self.note("lost", f"{patient} believes in {start:%H:%M}")
            for start in there - listed:
                self.note("forgotten" if patient in self.told else "ghosts", f"{patient} at {start:%H:%M}")
            if len(has) != sum(patient_of(one) == patient for one in truth.appointments):
                self.note("twice", f"{patient} has {len(has)} and others")
        for one, other in truth.overlapping():
            if self._was_unknowable(one) or self._was_unknowable(other):
                continue
            self.note("twice", f"{one['start']} {patient_of(one)} and {patient_of(other)}")
        for one in truth.hanging():
            self.note("stuck", f"{one['start']} is busy for nobody")
        for record in await self.backend.list_unsettled(-timedelta(minutes=1)):
            self.note("stuck", f"{record.slot.start:%H:%M} is {record.state.value}")

    def _was_unknowable(self, appointment: Json) -> bool:
        """Say whether something was booked by hand, without its Slot, when no search could tell of it."""
        made, given = self.people.made.get(appointment["id"]), self._given.get(moments(appointment)[0])
        if made is None or given is None:
            return False
        return timedelta() <= given - made <= timedelta(seconds=self.server.variant.lag + 0.5)

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


@asynccontextmanager
async def walking(
    variant: Variant, servers: tuple[FhirServer, FhirServer], folder: Path, random: Random
) -> AsyncIterator[Walk]:
    """Open a walk for the length of the block."""
    clock, empty = FixedClock(), folder / "empty.sqlite3"
    if not empty.exists():
        await (await open_backend(empty)).close()
    database = folder / f"walk-{random.randrange(10**9)}.sqlite3"
    shutil.copy(empty, database)
    async with varied(variant, *servers, clock) as server, open_session() as session:
        backends = [await _open(server, session, clock, database) for _ in range(2)]
        server.settle()
        try:
            yield Walk(server, clock, backends, People(server, random), random)
        finally:
            for backend in backends:
                await backend.close()
            database.unlink()


async def _open(
    server: VariedServer, session: aiohttp.ClientSession, clock: FixedClock, database: Path
) -> SyncedBackend:
    clinic = WalkClinic(
        server, session, {"transport": _LIMITS, "schedules": {"practice": SCHEDULE}}, clock, server.base
    )
    return await open_synced(database, clinic.calendar(), clock=clock)
