"""Claims on Slots: each is a PUT with If-Match that makes the Slot busy and puts the uid into its identifiers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from actions.errors import InvalidRequestError, OutcomeUnknownError, UnavailableError
from actions.scheduling.fhir.agenda import Agenda, AgendaReader
from actions.scheduling.fhir.appointments import TRIES
from actions.scheduling.fhir.client import FhirClient
from actions.scheduling.fhir.fitness import Fitness
from actions.scheduling.fhir.resources import FhirSlot, Resource, has_identifier, takes_time, uid_of
from actions.scheduling.models import Slot
from actions.scheduling.remote import Entry

_log = logging.getLogger(__name__)

# So many things that are in the way, as a search said, are looked at by id before a time is refused.
_MOST_LOOKED_AT = 8


class LostError(Exception):
    """Somebody else has the time, or a part of it."""


@dataclass
class Writing:
    """How far the write of an entry has come.

    Attributes:
        claimed: the Slots that the entry has.
        repeated: some of them it had before, so that an earlier write may have come further than is seen.
        created: the Appointment was made, or may have been, by this very write.
    """

    entry: Entry
    claimed: list[FhirSlot] = field(default_factory=list)
    repeated: bool = False
    created: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the Slots."""
        return [f"Slot/{slot.id}" for slot in self.claimed]


class Claims:
    """Claims and frees the Slots of entries."""

    def __init__(self, client: FhirClient, reader: AgendaReader, system: str, fitness: Fitness) -> None:
        self._client = client
        self._reader = reader
        self._system = system
        self._fitness = fitness

    def holds(self, slot: FhirSlot, entry: Entry) -> bool:
        """Say whether the entry has the Slot."""
        return slot.is_held(self._system, entry.uid, entry.slot)

    def is_free(self, agenda: Agenda, wanted: Slot, appointment_type: str | None, entry: Entry | None = None) -> bool:
        """Say whether what stands at the time leaves it free, or is the entry's own."""

        def held(slot: FhirSlot) -> bool:
            return entry is not None and self.holds(slot, entry)

        def fits(slot: FhirSlot) -> bool:
            return self._fitness.objection(slot, appointment_type) is None

        return (
            not agenda.blockers(self._system, wanted, held)
            and not agenda.others(self._system, entry.uid if entry else None)
            and agenda.covers(wanted, held, fits)
        )

    def has_gap(self, agenda: Agenda, entry: Entry) -> bool:
        """Say whether nobody has the time, but there are not the Slots either that would make it up."""
        blockers = agenda.blockers(self._system, entry.slot, lambda slot: self.holds(slot, entry))
        taken = blockers or agenda.others(self._system, entry.uid) or not agenda.schedule.is_active
        return not taken and not self.is_free(agenda, entry.slot, None, entry)

    async def claim(self, agenda: Agenda, work: Writing) -> None:
        """Claim every Slot of the time; raises `LostError` if somebody else has a part of it."""
        entry = work.entry
        kind = entry.appointment_type
        if not self.is_free(agenda, entry.slot, kind, entry):
            # A search may not know yet that somebody gave it back.
            agenda = await self.looked_at(agenda, entry.slot, entry)
            if not self.is_free(agenda, entry.slot, kind, entry):
                raise LostError
        # Slots that the time only touches, in another division of the day (60 minutes beside 2 x 30), are claimed too:
        # else somebody could book a part of it through them at the same moment.
        for slot in agenda.slots:
            if slot.is_free and slot.is_understood:
                work.claimed.extend(await self._claim(slot, work))

    async def are_held(self, work: Writing) -> bool:
        """Say whether the entry still has what it claimed, as one of the Slots says itself.

        Whoever removes the entry frees them all before looking for its Appointment once more: if one of them is still
        held after the Appointment was made, that look finds it.
        """
        now = await self.read(work.claimed[0].id) if work.claimed else None
        return not work.claimed or (now is not None and self.holds(now, work.entry))

    async def read(self, name: str) -> FhirSlot | None:
        """Return a Slot as it is; None if there is none of this id."""
        found = await self._client.read("Slot", name)
        return FhirSlot.read(found) if found is not None else None

    async def free(
        self, entry: Entry, slots: Sequence[FhirSlot], left: Collection[str] = (), *, by_people: bool
    ) -> bool:
        """Free those of the Slots that are the entry's; return whether there was any.

        `left` are the ids of those that its cancelled Appointment filled, whether or not they say so. `by_people`: its
        time was theirs to change, and they may have given a Slot to somebody else without a word in it.
        """
        freed = [await self._free(slot, entry, slot.id in left, by_people) for slot in slots]
        return any(freed)

    async def _free(self, slot: FhirSlot, entry: Entry, is_left: bool, by_people: bool) -> bool:
        """Free one Slot; return whether there was anything to free. Whoever changes it meanwhile is heard."""
        for _ in range(TRIES):
            if entry.uid in slot.claims(self._system):
                free = slot.released(self._system, entry.uid, entry.slot)
                others = await self._others(slot, entry) if by_people else []
                if others:
                    free = self._left_to(others, slot, free)
            elif is_left and await self._is_left(slot, entry):
                # People moved the Appointment here, and theirs is the Slot's state; with it that ends, too.
                free = {**slot.resource, "status": "free"}
            else:
                return False
            if await self._client.update(free) is not None:
                return True
            now = await self.read(slot.id)
            if now is None:
                return False
            slot = now
        raise UnavailableError(
            f"{self._client.system} has an appointment that others keep changing; it was not removed"
        )

    async def _is_left(self, slot: FhirSlot, entry: Entry) -> bool:
        return slot.is_busy and not slot.claims(self._system) and not await self._others(slot, entry)

    async def _others(self, slot: FhirSlot, entry: Entry) -> list[Resource]:
        there = await self._reader.appointments(Slot(entry.slot.resource, slot.start, slot.end))
        return [one for one in there if not has_identifier(one, self._system, entry.uid)]

    def _left_to(self, others: Sequence[Resource], slot: FhirSlot, freed: Resource) -> Resource:
        """Return a Slot as an entry leaves it in which people put others: what is busy for one of ours goes with it."""
        uid = next((uid for uid in (uid_of(one, self._system) for one in others) if uid), None)
        if uid and slot.is_busy:
            return slot.passed_on(self._system, uid)
        return {**freed, "status": slot.resource.get("status")}

    async def _claim(self, slot: FhirSlot, work: Writing) -> Sequence[FhirSlot]:
        """Claim a Slot; it is not returned if another entry came first that touches it and is not in the way."""
        entry = work.entry
        for _ in range(TRIES):
            if self.holds(slot, entry):
                # Another write of the same entry came first, and makes the Appointment; or an answer was lost.
                work.repeated = True
                return [slot]
            if not slot.is_free:
                if slot.is_in_the_way(self._system, entry.slot):
                    raise LostError
                return []
            stored = await self._client.update(slot.claimed(self._system, entry.uid, entry.slot))
            if stored is not None:
                return [await self._kept(stored, slot, entry)]
            seen = await self.read(slot.id)
            if seen is None or not seen.is_at_the_place_of(slot) or not seen.is_understood:
                # A search still has it; what took its place may be free, and is not known yet.
                _log.info("fhir.refused_without_slots", extra={"system": self._client.system})
                raise LostError
            slot = seen
        raise UnavailableError(f"{self._client.system} has a Slot that others keep changing; it was not booked")

    async def _kept(self, stored: Resource, slot: FhirSlot, entry: Entry) -> FhirSlot:
        claimed = FhirSlot.read(stored)
        if claimed is None:
            raise OutcomeUnknownError(f"{self._client.system} answered with a Slot without a time")
        if self.holds(claimed, entry):
            return claimed
        if not claimed.is_free and not claimed.claims(self._system):
            await self._client.update({**slot.resource, "meta": stored.get("meta")})
            raise InvalidRequestError(
                f"{self._client.system} does not keep the identifier of a Slot, so whose it is could not be told"
            )
        raise LostError

    async def looked_at(self, agenda: Agenda, wanted: Slot, entry: Entry | None = None) -> Agenda:
        """Return the agenda with what is in the way of a time, or of an entry there, as it is now, by its id."""
        slots = agenda.blockers(self._system, wanted, lambda slot: entry is not None and self.holds(slot, entry))
        appointments = agenda.others(self._system, entry.uid if entry else None)
        if len(slots) + len(appointments) > _MOST_LOOKED_AT:
            return agenda
        current = [await self._reader.as_it_is(slot) for slot in slots]
        read = [await self._client.read("Appointment", str(one.get("id"))) for one in appointments]
        return Agenda(
            agenda.schedule,
            sorted(
                [slot for slot in agenda.slots if slot not in slots]
                + [slot for slot in current if slot is not None and not slot.is_void and slot.overlaps(wanted)],
                key=lambda slot: (slot.start, slot.end, slot.id),
            ),
            [one for one in read if one is not None and takes_time(one, wanted)],
        )
