"""`RemoteCalendar` over FHIR R4: an entry is the Slots it has claimed and the Appointment that says for whom.

The Slots are the guard. They are claimed one after another in order of time, each by a PUT with If-Match that makes it
busy and puts the entry's uid into its identifiers; only who has all of them creates the Appointment. A transaction
bundle would be shorter, but servers exist that do not roll back. https://hl7.org/fhir/R4/http.html#concurrency
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from logging import getLogger
from typing import Any

from actions.errors import (
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    SlotTakenError,
    UnavailableError,
)
from actions.scheduling.fhir.checks import check_access, check_server
from actions.scheduling.fhir.client import FhirClient
from actions.scheduling.fhir.resources import (
    FhirSlot,
    Resource,
    actors_of,
    appointment,
    covers,
    has_identifier,
    is_at,
    is_live,
    slot_references,
    slots_of,
    text,
)
from actions.scheduling.fhir.settings import FhirSettings
from actions.scheduling.models import Patient, Slot
from actions.scheduling.remote import Entry
from actions.transport import Transport
from actions.wallclock import utc_now

_log = getLogger(__name__)
# How often something is looked at again that others keep changing.
_TRIES = 5


def _order(slot: FhirSlot) -> tuple[datetime, datetime, str]:
    return slot.start, slot.end, slot.id


def _no(slot: FhirSlot) -> bool:
    return False


class _LostError(Exception):
    """Somebody else has the time, or a part of it."""


class FhirCalendar:
    """Keeps entries as Slots and Appointments of a FHIR server; `transport` leads to `settings.url`."""

    def __init__(
        self,
        settings: FhirSettings,
        transport: Transport,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._client = FhirClient(transport, settings.url)
        self._system = settings.identifier_system
        self._longest = timedelta(hours=settings.longest_slot_hours)
        self._clock = clock
        self._is_fit = False
        self._actors: dict[str, list[Mapping[str, Any]]] = {}

    async def free(self, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return the candidates that consist of free Slots and that nothing else of their Schedule overlaps."""
        if not candidates:
            return []
        whole = Slot(candidates[0].resource, candidates[0].start, max(slot.end for slot in candidates))
        slots = await self._slots(whole)
        starts = [slot.start for slot in slots]
        longest = max((slot.end - slot.start for slot in slots), default=timedelta())
        found = []
        for wanted in candidates:
            near = slots[bisect_left(starts, wanted.start - longest) : bisect_left(starts, wanted.end)]
            if self._claimable([slot for slot in near if slot.overlaps(wanted)], wanted):
                found.append(wanted)
        return found

    async def write(self, entry: Entry) -> None:
        """Claim the Slots of the entry's time, then create its Appointment."""
        slots = await self._slots(entry.slot)
        actors = await self._actors_of(entry)
        claimed = [slot for slot in slots if self._holds(slot, entry)]
        repeated = bool(claimed)
        try:
            await self._claim_all(slots, entry, claimed)
            await self._appoint(entry, claimed, actors, repeated=repeated)
            # Whoever removed the entry meanwhile did not see the Appointment, and has freed the Slots.
            if not await self._still_holds(entry, claimed):
                raise _LostError
        except _LostError:
            if not await self._is_whole_or_gone(entry, bool(claimed)):
                raise SlotTakenError(entry.slot) from None
        except OutcomeUnknownError:
            raise
        except BackendError:
            if not claimed or not await self._is_whole_or_gone(entry, claimed=True):
                raise

    async def find(self, entry: Entry) -> bool:
        """Return whether the Appointment is expected at its time, and its Slots are busy and not another entry's."""
        live = [one for one in await self._appointments(entry) if is_live(one) and is_at(one, entry.slot)]
        if not live:
            return False
        named = set().union(*(slots_of(one) for one in live))
        busy = [slot for slot in await self._slots(entry.slot) if slot.is_busy and self._may_be(slot, entry, named)]
        return covers(busy, entry.slot)

    async def remove(self, entry: Entry) -> None:
        """Cancel the entry's Appointment, which stays as a record, and free its Slots."""
        await self._remove(entry, moved=True)

    async def ping(self) -> None:
        """Return if the server speaks R4 and the Schedules, Slots and Appointments can be read."""
        if not self._is_fit:
            await check_server(self._client)
            self._is_fit = True
        await check_access(self._client, self._settings)

    async def _slots(self, wanted: Slot) -> list[FhirSlot]:
        """Return every Slot of the resource's Schedule that overlaps the time, in order."""
        schedule = self._schedule(wanted.resource)
        resources = await self._client.search(
            "Slot",
            ("schedule", schedule),
            # R4 has no search by end.
            ("start", f"ge{text(wanted.start - self._longest)}"),
            ("start", f"lt{text(wanted.end)}"),
        )
        found: dict[str, FhirSlot] = {}
        for resource in resources:
            slot = FhirSlot.read(resource)
            if slot is None:
                _log.warning("fhir.slot_unreadable", extra={"system": self._client.system, "schedule": schedule})
            # A server that does not know a parameter answers as if it had not been there.
            elif slot.schedule == schedule and slot.overlaps(wanted) and not slot.is_void:
                found[slot.id] = slot
        return sorted(found.values(), key=_order)

    def _schedule(self, resource: str) -> str:
        try:
            return self._settings.schedules[resource]
        except KeyError:
            raise InvalidRequestError(f"{self._client.system}: schedules names no Schedule for {resource!r}") from None

    async def _appointments(self, entry: Entry) -> list[Resource]:
        found = await self._client.search("Appointment", ("identifier", f"{self._system}|{entry.uid}"))
        return [one for one in found if has_identifier(one, self._system, entry.uid)]

    def _holds(self, slot: FhirSlot, entry: Entry) -> bool:
        return slot.is_held(self._system, entry.uid, entry.slot)

    def _claimable(self, slots: Sequence[FhirSlot], wanted: Slot, held: Callable[[FhirSlot], bool] = _no) -> bool:
        """Say whether the Slots that overlap the time leave it free, or are `held` already."""
        if any(slot.is_in_the_way(self._system, wanted) and not held(slot) for slot in slots):
            return False
        return covers((slot for slot in slots if slot.is_free or held(slot)), wanted)

    def _may_be(self, slot: FhirSlot, entry: Entry, named: set[str]) -> bool:
        """Say whether a busy Slot is the entry's: by its own word, or by the Appointment's if it names no entry."""
        claims = slot.claims(self._system)
        return entry.uid in claims if claims else slot.id in named

    async def _claim_all(self, slots: Sequence[FhirSlot], entry: Entry, claimed: list[FhirSlot]) -> None:
        if not self._claimable(slots, entry.slot, lambda slot: self._holds(slot, entry)):
            raise _LostError
        # Slots that the time only touches, in another division of the day (60 minutes beside 2 x 30), are claimed too:
        # else somebody could book a part of it through them at the same moment.
        for slot in slots:
            if slot.is_free:
                claimed.extend(await self._claim(slot, entry))

    async def _claim(self, slot: FhirSlot, entry: Entry) -> Sequence[FhirSlot]:
        """Claim a Slot; it is not returned if another entry came first that touches it and is not in the way."""
        for _ in range(_TRIES):
            if self._holds(slot, entry):
                return [slot]
            if not slot.is_free:
                if slot.is_in_the_way(self._system, entry.slot):
                    raise _LostError
                return []
            stored = await self._client.update(slot.claimed(self._system, entry.uid, entry.slot))
            if stored is not None:
                return [await self._kept(stored, slot, entry)]
            again = await self._client.read("Slot", slot.id)
            seen = FhirSlot.read(again) if again is not None else None
            if seen is None or (seen.start, seen.end) != (slot.start, slot.end):
                raise _LostError
            slot = seen
        raise UnavailableError(f"{self._client.system} has a Slot that others keep changing; it was not booked")

    async def _kept(self, stored: Resource, slot: FhirSlot, entry: Entry) -> FhirSlot:
        claimed = FhirSlot.read(stored)
        if claimed is None:
            raise OutcomeUnknownError(f"{self._client.system} answered with a Slot without a time")
        if self._holds(claimed, entry):
            return claimed
        if not claimed.is_free and not claimed.claims(self._system):
            await self._client.update({**slot.resource, "meta": stored.get("meta")})
            raise InvalidRequestError(
                f"{self._client.system} does not keep the identifier of a Slot, so whose it is could not be told"
            )
        raise _LostError

    async def _still_holds(self, entry: Entry, claimed: Sequence[FhirSlot]) -> bool:
        held = {slot.id for slot in await self._slots(entry.slot) if self._holds(slot, entry)}
        return {slot.id for slot in claimed} <= held

    async def _appoint(
        self, entry: Entry, slots: Sequence[FhirSlot], actors: Sequence[Mapping[str, Any]], *, repeated: bool
    ) -> None:
        filled = sorted((slot for slot in slots if slot.is_inside(entry.slot)), key=_order)
        coding = self._settings.appointment_types.get(entry.appointment_type)
        new = appointment(
            entry,
            self._system,
            slots=filled,
            actors=actors,
            coding=coding.model_dump(exclude_none=True) if coding else None,
            created=self._clock(),
        )
        # A first write leaves the question to the server; a repeat looks for itself, as some servers ignore it.
        known = await self._appointments(entry) if repeated else []
        for _ in range(_TRIES):
            if any(is_live(one) for one in known):
                break
            unless = ("identifier", f"{self._system}|{entry.uid}")
            stored = known[0] if known else await self._client.create(new, unless)
            if stored is not None and not is_live(stored):
                stored = await self._client.update({**stored, "status": "booked", "slot": slot_references(filled)})
            known = [stored] if stored is not None else await self._appointments(entry)
            if not known:
                raise _LostError
        if not any(is_at(one, entry.slot) for one in known if is_live(one)):
            raise InvalidRequestError(f"{self._client.system} has the appointment at another time: it was moved there")

    async def _actors_of(self, entry: Entry) -> list[Mapping[str, Any]]:
        """Return whoever has the Schedule's time, and the patient."""
        return [*await self._schedule_actors(entry.slot.resource), await self._patient(entry.patient)]

    async def _schedule_actors(self, resource: str) -> list[Mapping[str, Any]]:
        schedule = self._schedule(resource)
        if schedule not in self._actors:
            found = await self._client.read(*schedule.split("/"))
            if found is None:
                raise InvalidRequestError(f"{self._client.system} has no {schedule}, the one of {resource!r}")
            self._actors[schedule] = actors_of(found)
        return self._actors[schedule]

    async def _patient(self, patient: Patient) -> Mapping[str, Any]:
        system, label = self._settings.patient_identifier_system, patient.name or "patient"
        if system is None or not patient.conversation or set(patient.conversation) & set("|,$\\"):
            return {"display": label}
        found = await self._client.search("Patient", ("identifier", f"{system}|{patient.conversation}"))
        known = [
            f"Patient/{one.get('id')}"
            for one in found
            if has_identifier(one, system, patient.conversation) and one.get("active", True)
        ]
        return {"display": label, **({"reference": known[0]} if len(known) == 1 else {})}

    async def _is_whole_or_gone(self, entry: Entry, claimed: bool) -> bool:
        """After a failure: return True if the entry is whole all the same, else make sure that nothing of it is left.

        It is whole if it was so before this write or another one has finished it.
        """
        try:
            appointments = await self._appointments(entry)
            if appointments and await self.find(entry):
                return True
            if appointments or claimed:
                # What people have moved is theirs to keep.
                await self._remove(entry, moved=False)
        except BackendError as exc:
            if not (claimed or isinstance(exc, OutcomeUnknownError)):
                raise
            raise OutcomeUnknownError(
                f"{self._client.system} has a part of an appointment that could not be finished nor removed: {exc}"
            ) from exc
        return False

    async def _remove(self, entry: Entry, *, moved: bool) -> None:
        for _ in range(_TRIES):
            # Until nothing is left: a write of the same entry may be under way.
            if not await self._remove_once(entry, moved):
                return
        raise UnavailableError(
            f"{self._client.system} has an appointment that others keep changing; it was not removed"
        )

    async def _remove_once(self, entry: Entry, moved: bool) -> bool:
        """Remove what there is; return whether there was anything."""
        # The Appointment first: if the process ends here, time is lost until the repeat, but nobody is booked twice.
        live = [one for one in await self._appointments(entry) if is_live(one) and (moved or is_at(one, entry.slot))]
        for one in live:
            await self._client.update({**one, "status": "cancelled"})
        claimed = [slot for slot in await self._slots(entry.slot) if entry.uid in slot.claims(self._system)]
        for slot in claimed:
            await self._client.update(slot.released(self._system, entry.uid, entry.slot))
        return bool(live or claimed)
