"""What a person should know of a FHIR server before patients find out: what its Slots are, and how its searches lag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from actions.errors import BackendError
from actions.scheduling.fhir.agenda import Agenda, AgendaReader
from actions.scheduling.fhir.claims import Claims
from actions.scheduling.fhir.client import FhirClient
from actions.scheduling.fhir.fitness import Fitness
from actions.scheduling.fhir.resources import FhirSlot, appointment, covers, version
from actions.scheduling.fhir.settings import FhirSettings
from actions.scheduling.models import AppointmentType, Patient, Slot, Window
from actions.scheduling.remote import CLOSED, FREE, TAKEN, Entry

_PROBE = "probe"
_MOST_NAMED = 3
# So many times is a search asked for what was written, and how long is waited in between, in seconds.
_LOOKS, _PAUSE = 20, 0.25


class Report:
    """Explains times, and looks at a server by writing one Appointment that was `entered-in-error`."""

    def __init__(
        self,
        client: FhirClient,
        reader: AgendaReader,
        settings: FhirSettings,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._reader = reader
        self._settings = settings
        self._fitness = Fitness(settings.appointment_types)
        self._claims = Claims(client, reader, settings.identifier_system, self._fitness)
        self._clock = clock
        self._sleep = sleep

    async def explain(self, kind: str, candidates: Sequence[Slot]) -> Sequence[str]:
        """Return for each candidate in a word or two what it is."""
        if not candidates:
            return []
        whole = Slot(candidates[0].resource, candidates[0].start, max(slot.end for slot in candidates))
        agenda = await self._reader.read(whole, await self._reader.slots(whole))
        return [self._word(agenda.within(slot), slot, kind) for slot in candidates]

    def _word(self, agenda: Agenda, wanted: Slot, kind: str) -> str:
        if self._claims.is_free(agenda, wanted, kind):
            return FREE
        if not agenda.schedule.is_active:
            return "left out (the Schedule is not in use)"
        blockers = agenda.blockers(self._settings.identifier_system, wanted, lambda slot: False)
        if agenda.appointments or any(not slot.is_closed for slot in blockers):
            return TAKEN
        if blockers:
            return CLOSED
        objections = [said for slot in agenda.slots if (said := self._fitness.objection(slot, kind))]
        return f"left out ({objections[0]})" if objections else "without a Slot that fits"

    async def remarks(self, kinds: Sequence[AppointmentType], window: Window) -> Sequence[str]:
        """Return what was seen, each in a line; what cannot be asked is said as well."""
        lines: list[str] = []
        for kind in kinds:
            if kind.resource in self._settings.schedules:
                lines += await self._of_slots(kind, window)
        return [*lines, *await self._of_searches(next(iter(self._settings.schedules)))]

    async def _of_slots(self, kind: AppointmentType, window: Window) -> Sequence[str]:
        slots = await self._reader.slots(Slot(kind.resource, window.start, window.end))
        left_out = Counter(said for slot in slots if (said := self._fitness.objection(slot, kind.name)))
        lines = [f"{kind.name}: {number} Slots are left out: {said}" for said, number in sorted(left_out.items())]
        minutes = int(kind.duration.total_seconds() // 60)
        if not any(_begins(slots, slot, kind.duration) for slot in slots):
            nearest = sorted(slots, key=lambda slot: abs(slot.end - slot.start - kind.duration))[:_MOST_NAMED]
            named = ", ".join(f"{slot.start:%Y-%m-%d %H:%M:%S} to {slot.end:%H:%M:%S} UTC" for slot in nearest)
            said = f"the nearest are {named}" if named else "there are none"
            lines.append(f"no Slot of the coming week fits {kind.name} ({minutes} min): {said}")
        return lines

    async def _of_searches(self, resource: str) -> Sequence[str]:
        """Write once, and look how long a search does not know it."""
        system = self._settings.identifier_system
        try:
            actors = [*(await self._reader.schedule(resource)).actors, {"display": "nobody"}]
            written = await self._written(system, self._probe(resource, actors))
            if written is None:
                return [f"{self._client.system} did not take an Appointment as this program writes them"]
            for number in range(_LOOKS):
                found = await self._client.search("Appointment", ("identifier", f"{system}|{_PROBE}"))
                if any(version(one) == written for one in found):
                    return [self._of_lag(number * _PAUSE)]
                await self._sleep(_PAUSE)
        except BackendError as exc:
            return [f"{self._client.system} does not take an Appointment as this program writes them: {exc}"]
        return [
            f"a search does not know after {_LOOKS * _PAUSE:g} s what was written: bookings are looked at by their ids,"
            " but what other programs change is seen late. The server would have to find at once what was written"
        ]

    def _of_lag(self, seconds: float) -> str:
        if seconds == 0:
            return "a search knows at once what was written"
        known = f"a search knew after {seconds:g} s what was written"
        if seconds < self._settings.search_lag_seconds:
            return f"{known}; until then a time that others gave back or took may be seen as it was"
        return f"{known}: set search_lag_seconds to more than that, or bookings whose answer is lost are made twice"

    async def _written(self, system: str, probe: dict[str, Any]) -> str | None:
        known = await self._client.search("Appointment", ("identifier", f"{system}|{_PROBE}"), most=1)
        if known:
            stored = await self._client.update({**known[0], "created": probe["created"]})
        else:
            _, stored = await self._client.create(probe, ("identifier", f"{system}|{_PROBE}"))
        return version(stored) if stored else None

    def _probe(self, resource: str, actors: Sequence[Any]) -> dict[str, Any]:
        """Return an Appointment that nobody has, and that every program knows to be a mistake."""
        start = self._clock().replace(microsecond=0)
        time = Slot(resource, start, start + timedelta(minutes=30))
        entry = Entry(_PROBE, time, "APT-PROBE", "a trial of the action server", Patient(""))
        system = self._settings.identifier_system
        new = appointment(entry, system, slots=(), actors=actors, coding=None, created=self._clock())
        return {**{name: value for name, value in new.items() if name != "slot"}, "status": "entered-in-error"}


def _begins(slots: Sequence[FhirSlot], first: FhirSlot, length: timedelta) -> bool:
    """Say whether Slots from the first one on, whatever their state, are as long as an appointment."""
    wanted = Slot("", first.start, first.start + length)
    return covers((slot for slot in slots if slot.overlaps(wanted)), wanted)
