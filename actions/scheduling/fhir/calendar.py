"""`RemoteCalendar` over FHIR R4: an entry is the Appointment that says for whom, and the Slots it has claimed.

The Slots are the guard. They are claimed one after another in order of time; only who has all of them creates the
Appointment. A transaction bundle would be shorter, but servers exist that do not roll back.
https://hl7.org/fhir/R4/http.html#concurrency

Once it is there, the Appointment is the entry: people generate their Slots anew, close them, and change lengths and
rooms. And what was written is looked at by its id: searches may lag behind writes, or be answered from a cache, so that
what they do not find is no proof.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from actions.errors import (
    AuthFailedError,
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    SlotTakenError,
    UnavailableError,
)
from actions.scheduling.fhir.agenda import Agenda, AgendaReader
from actions.scheduling.fhir.appointments import TRIES, Appointments, ids_in
from actions.scheduling.fhir.checks import check_access, check_server
from actions.scheduling.fhir.claims import Claims, LostError, Writing
from actions.scheduling.fhir.client import FhirClient
from actions.scheduling.fhir.fitness import Fitness
from actions.scheduling.fhir.report import Report
from actions.scheduling.fhir.resources import (
    FhirSlot,
    Resource,
    appointment,
    booked_again,
    has_begun,
    has_identifier,
    is_asked_for,
    is_live,
    patient_reference,
    slots_of,
    starts_with,
    time_of,
    written_as,
)
from actions.scheduling.fhir.settings import FhirSettings
from actions.scheduling.models import AppointmentType, Patient, Slot, Window
from actions.scheduling.remote import Check, Entry, Seen, Written, unchecked
from actions.transport import Transport
from actions.wallclock import utc_now

_log = logging.getLogger(__name__)

# So many bookings around a time are looked at by their ids, all at once: people move them by hours rather than weeks.
_NEIGHBOURS = 8


class FhirCalendar:
    """Keeps entries as Slots and Appointments of a FHIR server; `transport` leads to `settings.url`."""

    @property
    def neighbours(self) -> int:
        """Return half of them before and half after the time, where searches may lag behind."""
        return _NEIGHBOURS if self._settings.search_lag_seconds else 0

    def __init__(
        self,
        settings: FhirSettings,
        transport: Transport,
        *,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._client = FhirClient(transport, settings.url)
        self._system = settings.identifier_system
        self._clock = clock
        self._reader = AgendaReader(self._client, settings, clock)
        self._appointments = Appointments(self._client, settings, sleep)
        self._fitness = Fitness(settings.appointment_types)
        self._claims = Claims(self._client, self._reader, self._system, self._fitness)
        self._report = Report(self._client, self._reader, settings, clock=clock, sleep=sleep)
        self._is_fit = False

    async def free(self, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return the candidates that consist of free Slots and whose time nobody has."""
        return await self._free(candidates, None)

    async def free_for(self, appointment_type: str, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return what `free` does, without times whose Slots are certainly not for that type."""
        return await self._free(candidates, appointment_type)

    async def _free(self, candidates: Sequence[Slot], kind: str | None) -> Sequence[Slot]:
        if not candidates:
            return []
        whole = Slot(candidates[0].resource, candidates[0].start, max(slot.end for slot in candidates))
        slots = await self._reader.slots(whole)
        # Who asks for one time hears "taken" if it is not among these: a search that lags is not believed that.
        is_doubted = len(candidates) == 1 and self._client.lags
        if not is_doubted and not any(slot.is_free for slot in slots):
            return []
        agenda = await self._reader.read(whole, slots)
        if is_doubted and not self._claims.is_free(agenda.within(whole), whole, kind):
            agenda = await self._claims.looked_at(agenda.within(whole), whole)
        usual = timedelta(hours=self._settings.longest_slot_hours)
        short = [slot for slot in agenda.slots if slot.end - slot.start <= usual]
        long = [slot for slot in agenda.slots if slot.end - slot.start > usual]
        starts = [slot.start for slot in short]
        longest = max((slot.end - slot.start for slot in short), default=timedelta())
        found = []
        for wanted in candidates:
            near = short[bisect_left(starts, wanted.start - longest) : bisect_left(starts, wanted.end)]
            if self._claims.is_free(replace(agenda, slots=[*long, *near]).within(wanted), wanted, kind):
                found.append(wanted)
        return found

    async def write(self, entry: Entry, check: Check = unchecked) -> Seen:
        """Claim the Slots of the entry's time, then create its Appointment."""
        changed = await self._reader.changed_slots(entry.slot)
        if changed is not None:
            # Slots may have been deleted since they were read: nothing is refused before all of them are read anew.
            with suppress(SlotTakenError):
                return await self._write(entry, changed, check, changed=True)
        return await self._write(entry, await self._reader.every_slot(entry.slot), check)

    async def _write(self, entry: Entry, slots: Sequence[FhirSlot], check: Check, *, changed: bool = False) -> Seen:
        held = [slot for slot in slots if self._claims.holds(slot, entry)]
        try:
            agenda = await self._agenda(entry, slots, changed)
            own = [one for one in agenda.appointments if has_identifier(one, self._system, entry.uid)]
            actors = [*agenda.schedule.actors, await self._patient(entry.patient)]
        except BackendError as exc:
            if not held:
                raise
            raise OutcomeUnknownError(f"{self._client.system} has a part of an appointment: {exc}") from exc
        held = [slot for slot in agenda.slots if self._claims.holds(slot, entry)]
        work = Writing(entry, held, repeated=bool(held or entry.names))
        if any(starts_with(one, entry.slot) for one in own):
            return self._seen(entry, own, work.names)
        try:
            await self._claims.claim(agenda, work)
            await check()
            stored = await self._appoint(work, actors)
            # Whoever removed the entry meanwhile did not see the Appointment, and has freed the Slots.
            if not await self._claims.are_held(work):
                raise LostError
            return self._seen(entry, [stored], work.names)
        except LostError:
            whole = await self._whole(work)
            if whole is None:
                raise SlotTakenError(entry.slot) from None
            return whole
        except OutcomeUnknownError:
            raise
        except BackendError:
            whole = await self._whole(work) if work.claimed else None
            if whole is None:
                raise
            return whole

    async def _agenda(self, entry: Entry, slots: Sequence[FhirSlot], changed: bool) -> Agenda:
        agenda = await self._reader.read(entry.slot, slots, changed=changed)
        if changed or not self._claims.has_gap(agenda, entry):
            return agenda
        # What was just changed is left out by some servers for a while.
        async for _ in self._appointments.pauses():
            agenda = await self._reader.read(entry.slot, await self._reader.every_slot(entry.slot))
            if not self._claims.has_gap(agenda, entry):
                break
        else:
            # Nobody has it, and it is refused: either there are no Slots, or a search does not know them yet.
            _log.info("fhir.refused_without_slots", extra={"system": self._client.system})
        return agenda

    async def find(self, entry: Entry) -> bool:
        """Return whether somebody is expected at the entry's time, whatever became of its Slots."""
        return any(starts_with(one, entry.slot) for one in await self._appointments.live(entry))

    async def look(self, entry: Entry) -> Seen | None:
        """Return when the patient is expected now; None if that is no more.

        If people moved the Appointment, made it shorter or handed it to a colleague, the Slots that it left are freed.
        """
        live = await self._appointments.live(entry)
        if not live:
            return None
        seen = self._seen(entry, live)
        resource = await self._reader.resource_of(_of_entry(entry, live), entry.slot.resource)
        seen = replace(seen, slot=replace(seen.slot, resource=resource))
        if not seen.slot.covers(entry.slot):
            await self._leave(entry, seen.slot)
        return seen

    async def _leave(self, entry: Entry, now: Slot) -> None:
        slots = await self._slots_of(entry, entry.slot, set())
        is_elsewhere = now.resource != entry.slot.resource
        try:
            left = [slot for slot in slots if is_elsewhere or not slot.overlaps(now)]
            await self._claims.free(entry, left, by_people=True)
        except (InvalidRequestError, AuthFailedError) as exc:
            # The patient has to hear of the new time all the same; with the booking the Slots are tried again.
            _log.warning("fhir.slot_not_freed", extra={"system": self._client.system, "problem": str(exc)})

    async def written(self, within: Slot) -> Sequence[Written]:
        """Return the Appointments of this and other hosts at the time, and Slots claimed for one that is to come."""
        appointments = await self._reader.appointments(within)
        found = [one for one in (written_as(a, self._system, within) for a in appointments) if one]
        known = {one.uid for one in found}
        slots = await self._reader.every_slot(within)
        claimed = {uid: slot for slot in slots if slot.is_busy for uid in slot.claims(self._system) if uid not in known}
        return [
            *found,
            *(
                Written(uid, Slot(within.resource, slot.start, slot.end), None, is_whole=False)
                for uid, slot in claimed.items()
            ),
        ]

    async def remove(self, entry: Entry) -> None:
        """Cancel the entry's Appointment, which stays as a record, and free its Slots.

        An Appointment to which the patient came, or did not come, is left as it is.
        """
        await self._remove(entry, moved=True)

    async def explain(self, appointment_type: str, candidates: Sequence[Slot]) -> Sequence[str]:
        """Return for each candidate whether it is free, or why not."""
        return await self._report.explain(appointment_type, candidates)

    async def remarks(self, kinds: Sequence[AppointmentType], window: Window) -> Sequence[str]:
        """Return what a person should know of the server. One Appointment is written, as `entered-in-error`."""
        return await self._report.remarks(kinds, window)

    async def ping(self) -> None:
        """Return if the server speaks R4 and the Schedules, Slots and Appointments can be read."""
        if not self._is_fit:
            await check_server(self._client)
            self._is_fit = True
        await check_access(self._client, self._settings)

    def _seen(self, entry: Entry, live: Sequence[Resource], claimed: Sequence[str] = ()) -> Seen:
        found = _of_entry(entry, live)
        slots = {*claimed, *(f"Slot/{name}" for name in (*slots_of(found), *ids_in(entry, "Slot")))}
        names = (f"Appointment/{found.get('id')}", *sorted(slots))
        return Seen(time_of(found, entry.slot), names, is_asked_for(found), has_begun(found))

    async def _appoint(self, work: Writing, actors: Sequence[Mapping[str, Any]]) -> Resource:
        entry = work.entry
        filled = sorted((s for s in work.claimed if s.is_inside(entry.slot)), key=lambda s: (s.start, s.end, s.id))
        # A first write leaves the question to the server; a repeat looks for itself, as some servers ignore it, or have
        # not heard yet of what was created.
        known = await self._appointments.awaited(entry) if work.repeated else []
        for _ in range(TRIES):
            if any(is_live(one) for one in known):
                break
            work.created = True
            stored = known[0] if known else await self._create(work, self._new(entry, filled, actors))
            if stored is not None and not is_live(stored):
                stored = await self._client.update(booked_again(stored, filled))
            known = [stored] if stored is not None else await self._appointments.every(entry)
            if not known:
                raise LostError
        live = [one for one in known if is_live(one)]
        if not any(starts_with(one, entry.slot) for one in live):
            raise InvalidRequestError(f"{self._client.system} has the appointment at another time: it was moved there")
        return next(one for one in live if starts_with(one, entry.slot))

    async def _create(self, work: Writing, new: Resource) -> Resource | None:
        stored = await self._appointments.create(work.entry, new)
        return await self._appointments.only(work.entry, stored) if stored and work.repeated else stored

    def _new(self, entry: Entry, filled: Sequence[FhirSlot], actors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        coding = self._settings.appointment_types.get(entry.appointment_type)
        return appointment(
            entry,
            self._system,
            slots=filled,
            actors=actors,
            coding=coding.coding if coding else None,
            created=self._clock(),
        )

    async def _patient(self, patient: Patient) -> Mapping[str, Any]:
        system, label = self._settings.patient_identifier_system, patient.name or "patient"
        if system is None or not patient.conversation or set(patient.conversation) & set("|,$\\"):
            return {"display": label}
        found = await self._client.search("Patient", ("identifier", f"{system}|{patient.conversation}"))
        named = [patient_reference(one) for one in found if has_identifier(one, system, patient.conversation)]
        known = {reference for reference in named if reference}
        return {"display": label, **({"reference": known.pop()} if len(known) == 1 else {})}

    async def _whole(self, work: Writing) -> Seen | None:
        """After a failure: return the entry if it is whole all the same, else make sure that nothing of it is left.

        It is whole if it was so before this write or another one has finished it.
        """
        entry = work.entry
        try:
            appointments = await self._appointments.every(entry)
            live = [one for one in appointments if is_live(one) and starts_with(one, entry.slot)]
            if live and (not work.created or await self._claims.are_held(work)):
                return self._seen(entry, live, work.names)
            if appointments or work.claimed:
                # What people have moved is theirs to keep.
                await self._remove(replace(entry, names=(*entry.names, *work.names)), moved=False)
        except BackendError as exc:
            if not (work.claimed or isinstance(exc, OutcomeUnknownError)):
                raise
            raise OutcomeUnknownError(
                f"{self._client.system} has a part of an appointment that could not be finished nor removed: {exc}"
            ) from exc
        return None

    async def _remove(self, entry: Entry, *, moved: bool) -> None:
        known = ids_in(entry, "Appointment")
        for _ in range(TRIES):
            # Until nothing is left: a write of the same entry may be under way.
            if not await self._remove_once(entry, known, moved):
                return
            entry = replace(entry, names=())
        raise UnavailableError(
            f"{self._client.system} has an appointment that others keep changing; it was not removed"
        )

    async def _remove_once(self, entry: Entry, known: Collection[str], moved: bool) -> bool:
        """Remove what there is; return whether there was anything."""
        # The Appointment first: if the process ends here, time is lost until the repeat, but nobody is booked twice.
        every = await self._appointments.every(entry)
        if any(has_begun(one) for one in every):
            return False
        own = [one for one in _own(every, known, entry.slot) if is_live(one)]
        live = [one for one in own if moved or starts_with(one, entry.slot)]
        filled: set[str] = set()
        cancelled, time = False, entry.slot
        for one in live:
            cancelled = await self._appointments.cancel(one) or cancelled
            filled, time = filled | slots_of(one), time_of(one, entry.slot)
        slots = await self._slots_of(entry, time, filled)
        left = self._left_of(slots, time, filled)
        return await self._claims.free(entry, slots, left, by_people=not live) or cancelled

    def _left_of(self, slots: Sequence[FhirSlot], time: Slot, filled: Collection[str]) -> Collection[str]:
        """Return the ids of the Slots that a cancelled Appointment, which was at that time, leaves.

        They are those that it filled, or, where people have generated their Slots anew since, that took their place.
        """
        schedule = self._reader.reference(time.resource)
        there = [slot.id for slot in slots if slot.overlaps(time) and slot.schedule == schedule]
        is_anew = filled and not any(slot.id in filled for slot in slots)
        return there if is_anew else [name for name in there if name in filled]

    async def _slots_of(self, entry: Entry, time: Slot, filled: set[str]) -> Sequence[FhirSlot]:
        """Return the Slots at that time, the entry's own, and those that its Appointments filled; by id where known.

        If people have generated them anew, a search may not know that yet: it is asked again then.
        """
        names = sorted({*ids_in(entry, "Slot"), *filled})
        known = {name: await self._claims.read(name) for name in names}
        by_id = [slot for slot in known.values() if slot is not None]
        found = [slot for slot in await self._reader.every_slot(time) if slot.id not in known]
        if filled and not any(slot.id in filled for slot in by_id):
            found = await self._there(found)
            async for _ in self._appointments.pauses():
                if found:
                    break
                found = await self._there(await self._reader.every_slot(time))
        return [*by_id, *found]

    async def _there(self, slots: Sequence[FhirSlot]) -> list[FhirSlot]:
        """Return those of the Slots that a search has found that are not deleted."""
        return [now for slot in slots if (now := await self._claims.read(slot.id)) is not None]


def _of_entry(entry: Entry, live: Sequence[Resource]) -> Resource:
    """Return which of several Appointments of an entry stands for it: one at its time, if there is any."""
    return next((one for one in live if starts_with(one, entry.slot)), live[0])


def _own(every: Sequence[Resource], known: Collection[str], slot: Slot) -> Sequence[Resource]:
    """Return the Appointments that are the entry's: those whose ids are known, and others at its time.

    What else has its identifier is a copy that people made, for another week say; if no id is known, it is what became
    of the entry.
    """
    if not any(one.get("id") in known for one in every):
        return every
    return [one for one in every if one.get("id") in known or starts_with(one, slot)]
