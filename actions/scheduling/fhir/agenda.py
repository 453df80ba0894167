"""What stands in a Schedule at a time: its Slots, closures of any length, and whose Appointments take it up."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from logging import getLogger
from typing import Any

from actions.errors import InvalidRequestError
from actions.scheduling.fhir.client import FhirClient, PagesExpiredError
from actions.scheduling.fhir.resources import (
    CLOSED,
    FhirSlot,
    Resource,
    actors_of,
    covers,
    has_identifier,
    takes_time,
    text,
    type_and_id,
    updated,
)
from actions.scheduling.fhir.settings import FhirSettings
from actions.scheduling.models import Slot

_log = getLogger(__name__)

# How long it is believed that a Schedule is in use, and whose.
_SCHEDULE_AGE = timedelta(minutes=1)
# How long the appointments of others may be at least, as `longest_slot_hours`; R4 finds them by their start alone.
_LONGEST_APPOINTMENT = timedelta(hours=8)
# What a search may miss that was changed just before another one.
_MARGIN = timedelta(minutes=2)
# Windows begin up to so much earlier than they need to, so that nobody has asked for the same a moment ago: some
# servers cache what they answered.
_EARLIER = timedelta(minutes=15)
_SHORTEST_WINDOW = timedelta(hours=1)
_LONG_AGO = timedelta(days=3650)
# So many times that were read are remembered, if they do not have more than so many Slots.
_STRETCHES = 8
_MOST_REMEMBERED = 500
# What the start is called in searches.
_START = {"Slot": "start", "Appointment": "date"}
# Whose time one person's is; rooms and places are shared.
_PEOPLE = ("Practitioner/", "PractitionerRole/")


def _order(slot: FhirSlot) -> tuple[datetime, datetime, str]:
    return slot.start, slot.end, slot.id


@dataclass(frozen=True)
class Schedule:
    """A Schedule as the settings name it: whose time it is, and whether it is in use."""

    reference: str
    actors: Sequence[Mapping[str, Any]]
    is_active: bool

    @property
    def main_actors(self) -> Sequence[str]:
        """References to those whose Appointments take up its time."""
        named = [str(one["reference"]) for one in self.actors if "reference" in one]
        return [one for one in named if any(kind in one for kind in _PEOPLE)] or named


@dataclass(frozen=True)
class Agenda:
    """What stands in a stretch of a Schedule; Slots are in order of time, Appointments are those that take time."""

    schedule: Schedule
    slots: Sequence[FhirSlot]
    appointments: Sequence[Resource]

    def within(self, wanted: Slot) -> Agenda:
        """Return what there is of it at one time."""
        return replace(
            self,
            slots=[slot for slot in self.slots if slot.overlaps(wanted)],
            appointments=[one for one in self.appointments if takes_time(one, wanted)],
        )

    def blockers(self, system: str, wanted: Slot, held: Callable[[FhirSlot], bool]) -> Sequence[FhirSlot]:
        """Return the Slots that keep the time from being free, other than those that are `held` already."""
        return [slot for slot in self.slots if slot.is_in_the_way(system, wanted) and not held(slot)]

    def others(self, system: str, uid: str | None) -> Sequence[Resource]:
        """Return the Appointments that are not the entry's own."""
        return [one for one in self.appointments if uid is None or not has_identifier(one, system, uid)]

    def covers(self, wanted: Slot, held: Callable[[FhirSlot], bool], fits: Callable[[FhirSlot], bool]) -> bool:
        """Say whether Slots that are free and fit, or are `held` already, make up the time."""
        usable = (slot for slot in self.slots if held(slot) or (slot.is_free and fits(slot)))
        return self.schedule.is_active and covers(usable, wanted)


@dataclass(frozen=True)
class _Stretch:
    """The Slots of a time as a search found them, and until when changes were known then, by the server's clock."""

    time: Slot
    slots: Sequence[FhirSlot]
    until: datetime

    def covers(self, wanted: Slot) -> bool:
        """Say whether the time lies within this one."""
        return self.time.start <= wanted.start and wanted.end <= self.time.end


class AgendaReader:
    """Reads agendas; Schedules, closures that began long ago, and some Slots are remembered."""

    def __init__(self, client: FhirClient, settings: FhirSettings, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._settings = settings
        self._back = timedelta(hours=settings.longest_slot_hours)
        self._clock = clock
        self._schedules: dict[str, tuple[datetime, Schedule]] = {}
        self._closures: dict[str, dict[str, FhirSlot]] = {}
        # The latest change of which the server has told, by its own clock.
        self._seen_until: datetime | None = None
        self._read_until: dict[str, datetime] = {}
        self._stretches: dict[str, deque[_Stretch]] = {}
        # Whether the server can be asked what has changed: not if it tells no times of changes, or ignores them.
        self._tells_changes = True

    async def schedule(self, resource: str) -> Schedule:
        """Return the Schedule of a resource of the clinic, as it was within the last minute."""
        reference = self.reference(resource)
        read, known = self._schedules.get(reference, (None, None))
        if known is not None and read is not None and self._clock() - read < _SCHEDULE_AGE:
            return known
        found = await self._client.read(*reference.split("/"))
        if found is None:
            raise InvalidRequestError(f"{self._client.system} has no {reference}, the one of {resource!r}")
        known = Schedule(reference, actors_of(found), found.get("active") is not False)
        self._schedules[reference] = self._clock(), known
        return known

    def reference(self, resource: str) -> str:
        """Return which Schedule the settings name; raises `InvalidRequestError` if they name none."""
        try:
            return self._settings.schedules[resource]
        except KeyError:
            raise InvalidRequestError(f"{self._client.system}: schedules names no Schedule for {resource!r}") from None

    async def resource_of(self, appointment: Resource, resource: str) -> str:
        """Return whose time an Appointment takes that was made for `resource`: another one's if it was handed over."""
        # A Schedule that people replaced by another one may be gone: whoever had an appointment in it has it still.
        for one in (resource, *(other for other in self._settings.schedules if other != resource)):
            with suppress(InvalidRequestError):
                if await self._has(one, appointment):
                    return one
        return resource

    async def _has(self, resource: str, appointment: Resource) -> bool:
        return _takes_part(appointment, (await self.schedule(resource)).main_actors)

    async def slots(self, wanted: Slot) -> list[FhirSlot]:
        """Return the Slots that overlap the time, in order; not those that began longer ago than Slots are long."""
        schedule = self.reference(wanted.resource)
        resources = await self._between("Slot", wanted.start - self._back, wanted.end, ("schedule", schedule))
        found = sorted((slot for slot in self._of_schedule(schedule, resources) if slot.overlaps(wanted)), key=_order)
        self._tells_changes = self._tells_changes and all(updated(one) is not None for one in resources)
        if self._seen_until is not None and len(found) <= _MOST_REMEMBERED:
            stretches = self._stretches.setdefault(schedule, deque(maxlen=_STRETCHES))
            stretches.appendleft(_Stretch(wanted, found, self._seen_until))
        return found

    async def every_slot(self, wanted: Slot) -> list[FhirSlot]:
        """Return what `slots` does, and what a search leaves out because it was changed a moment ago."""
        return await self._with_recent(wanted, await self.slots(wanted))

    async def changed_slots(self, wanted: Slot) -> list[FhirSlot] | None:
        """Return what `every_slot` does for a time that was read before, and new closures of any length.

        What was read then and what has changed since make it up, for one request; a Slot that was deleted meanwhile is
        among them. None if that cannot be had.
        """
        schedule = self.reference(wanted.resource)
        known = next((one for one in self._stretches.get(schedule, ()) if one.covers(wanted)), None)
        read_until = self._read_until.get(schedule)
        if not self._tells_changes or known is None or read_until is None:
            return None
        since = (min(known.until, read_until) - _MARGIN - _any_of(_MARGIN)).replace(microsecond=0)
        changed, has_more = await self._client.first_page(
            "Slot", ("schedule", schedule), ("start", f"lt{text(wanted.end)}"), ("_lastUpdated", f"ge{text(since)}")
        )
        times = [updated(one) for one in changed]
        self._tells_changes = all(time is not None and time >= since for time in times)
        if has_more or not self._tells_changes:
            return None
        then = {slot.id: self._client.newest(slot.resource) for slot in known.slots}
        now = self._of_schedule(schedule, (then | {str(one.get("id")): one for one in changed}).values())
        return await self._with_recent(wanted, [slot for slot in now if slot.overlaps(wanted)])

    async def _with_recent(self, wanted: Slot, slots: Sequence[FhirSlot]) -> list[FhirSlot]:
        found = {slot.id: slot for slot in slots}
        schedule = self.reference(wanted.resource)
        for slot in self._of_schedule(schedule, self._client.recent("Slot")):
            if slot.id not in found and slot.overlaps(wanted):
                now = await self.as_it_is(slot)
                if now is not None and now.overlaps(wanted) and not now.is_void:
                    found[now.id] = now
        return sorted(found.values(), key=_order)

    async def read(self, wanted: Slot, slots: Sequence[FhirSlot], *, changed: bool = False) -> Agenda:
        """Return all that stands at the time, of which the `slots` are known; `changed` if they are `changed_slots`."""
        schedule = await self.schedule(wanted.resource)
        long = self._remembered_closures if changed else self._long_closures
        closures, appointments = await asyncio.gather(
            long(schedule.reference, wanted), self._appointments(schedule, wanted)
        )
        every = {slot.id: slot for slot in (*closures, *slots)}
        return Agenda(schedule, sorted(every.values(), key=_order), appointments)

    async def appointments(self, wanted: Slot) -> Sequence[Resource]:
        """Return the Appointments that take the time, as far as a search knows."""
        return await self._appointments(await self.schedule(wanted.resource), wanted)

    async def as_it_is(self, slot: FhirSlot) -> FhirSlot | None:
        """Return a Slot as it is now; None if it is gone, or was put into another Schedule."""
        found = await self._client.read("Slot", slot.id)
        now = FhirSlot.read(found) if found is not None else None
        return now if now and now.schedule == slot.schedule else None

    async def _between(
        self, kind: str, start: datetime, end: datetime, *parameters: tuple[str, str]
    ) -> Sequence[Resource]:
        """Return what starts at or after `start` and before `end`; in halves, if a server forgets pages too soon."""
        name = _START[kind]
        window = ((name, f"ge{text(start - _any_of(_EARLIER))}"), (name, f"lt{text(end)}"))
        try:
            return await self._client.search(kind, *parameters, *window, by=name)
        except PagesExpiredError:
            if end - start <= _SHORTEST_WINDOW:
                raise
        half = start + (end - start) / 2
        first = await self._between(kind, start, half, *parameters)
        return [*first, *await self._between(kind, half, end, *parameters)]

    def _of_schedule(self, schedule: str, resources: Iterable[Resource]) -> Sequence[FhirSlot]:
        found: dict[str, FhirSlot] = {}
        for resource in resources:
            self._note_change(resource)
            slot = FhirSlot.read(resource)
            if slot is None:
                _log.warning("fhir.slot_unreadable", extra={"system": self._client.system, "schedule": schedule})
            # A server that does not know a parameter answers as if it had not been there.
            elif slot.schedule == schedule and not slot.is_void:
                found[slot.id] = slot
        return list(found.values())

    def _note_change(self, resource: Resource) -> None:
        changed = updated(resource)
        if changed is not None and (self._seen_until is None or changed > self._seen_until):
            self._seen_until = changed

    async def _long_closures(self, schedule: str, wanted: Slot) -> Sequence[FhirSlot]:
        """Return the closures at the time that are longer than other Slots may be, whenever they began.

        All that there are are read once, then those that have changed since.
        """
        known = self._closures.setdefault(schedule, {})
        until = self._seen_until
        found = {slot.id: slot for slot in self._of_schedule(schedule, await self._closed(schedule))}
        if until is not None:
            self._read_until[schedule] = until
        for name in found:
            known.pop(name, None)
        fresh = [slot for slot in found.values() if slot.is_closed]
        fresh += await self._remembered_closures(schedule, wanted)
        over = self._clock() - self._back
        known.update({slot.id: slot for slot in fresh if slot.end - slot.start > self._back and slot.end > over})
        return [slot for slot in fresh if slot.overlaps(wanted)]

    async def _remembered_closures(self, schedule: str, wanted: Slot) -> list[FhirSlot]:
        """Return those closures at the time that are known from before, as they are now."""
        known = self._closures.setdefault(schedule, {})
        remembered = [slot for slot in known.values() if slot.overlaps(wanted)]
        checked = await asyncio.gather(*(self.as_it_is(slot) for slot in remembered))
        for old, now in zip(remembered, checked, strict=True):
            known.pop(old.id, None)
            if now is not None and now.is_closed:
                known[now.id] = now
        return [slot for slot in checked if slot is not None and slot.is_closed]

    async def _closed(self, schedule: str) -> Sequence[Resource]:
        parameters = [("schedule", schedule), ("status", ",".join(sorted(CLOSED)))]
        if schedule in self._read_until:
            since = self._read_until[schedule] - _MARGIN - _any_of(_MARGIN)
            parameters.append(("_lastUpdated", f"ge{text(since)}"))
        try:
            return await self._client.search("Slot", *parameters, by=_START["Slot"])
        except PagesExpiredError:
            now = self._clock()
            return await self._between("Slot", now - _LONG_AGO, now + _LONG_AGO, *parameters)

    async def _appointments(self, schedule: Schedule, wanted: Slot) -> Sequence[Resource]:
        actors = schedule.main_actors
        if not actors:
            return []
        start = wanted.start - max(_LONGEST_APPOINTMENT, self._back)
        # A Schedule may name them by whole addresses, or by a version.
        names = dict.fromkeys((*map(type_and_id, actors), *actors))
        found = await self._between("Appointment", start, wanted.end, ("actor", ",".join(names)))
        return [one for one in found if takes_time(one, wanted) and _takes_part(one, actors)]


def _any_of(longest: timedelta) -> timedelta:
    return timedelta(seconds=random.randrange(int(longest.total_seconds())))  # noqa: S311 (not a secret)


def _takes_part(appointment: Resource, actors: Iterable[str]) -> bool:
    references = [
        str(one["actor"].get("reference", ""))
        for one in appointment.get("participant") or ()
        if isinstance(one, dict) and isinstance(one.get("actor"), dict) and one.get("status") != "declined"
    ]
    return not {type_and_id(one) for one in references}.isdisjoint(map(type_and_id, actors))
