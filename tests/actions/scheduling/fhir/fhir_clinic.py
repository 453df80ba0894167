"""A clinic whose appointments are kept on a FHIR server, for the tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp

from actions.scheduling.fhir import FhirCalendar, FhirSettings, fhir_credentials
from actions.scheduling.fhir.resources import is_live
from actions.scheduling.models import Slot
from actions.scheduling.remote import Entry
from actions.transport import Transport
from tests.actions.clinic import FixedClock, at
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, Json

SYSTEM = "urn:action-server:appointment"
SCHEDULES = {"practice": "Schedule/practice", "specialist": "Schedule/specialist"}
NAME = "the clinic's system"
SOMEBODY = "somebody else"
FIRST = at("2026-11-24T08:00")


@dataclass
class FhirSystem:
    """The server, and calendars on it; `more` is what their settings say besides the defaults.

    `url` is where the calendars find it, if that is not where it is.
    """

    server: FhirServer
    session: aiohttp.ClientSession
    more: dict[str, Any] = field(default_factory=dict)
    clock: FixedClock = field(default_factory=FixedClock)
    url: str | None = None

    def __post_init__(self) -> None:
        self.server.empty()
        for schedule in SCHEDULES.values():
            self.server.seed(schedule, FIRST, 8)

    def settings(self, **more: Any) -> FhirSettings:
        return FhirSettings.model_validate(
            {"type": "fhir", "url": self.url or self.server.url, "schedules": SCHEDULES, **self.more, **more}
        )

    async def sleep(self, seconds: float) -> None:
        """Let time go by on the clock alone."""
        self.clock.now += timedelta(seconds=seconds)

    def calendar(self, **more: Any) -> FhirCalendar:
        """Return one more calendar, as another process has one."""
        settings = self.settings(**more)
        credentials = fhir_credentials(self.session, NAME, settings)
        transport = Transport(self.session, NAME, settings.url, credentials=credentials, settings=settings.transport)
        return FhirCalendar(settings, transport, clock=self.clock, sleep=self.sleep)

    async def open(self) -> FhirCalendar:
        """Return one more calendar."""
        return self.calendar()

    def slots(self, slot: Slot) -> list[Json]:
        """Return the Slots that overlap the time, in order."""
        return sorted(self.server.slots(SCHEDULES[slot.resource], slot), key=lambda one: str(one["id"]))

    def appointments(self, *uids: str) -> list[Json]:
        """Return the Appointments of these uids, all if none are named."""
        return [one for one in self.server.all("Appointment") if not uids or set(uids) & uids_of(one)]

    async def occupy(self, slot: Slot) -> None:
        """Give the time to somebody else, who does not come through us."""
        for one in self.slots(slot):
            self.server.put({**one, "status": "busy"})

    async def delete(self, entry: Entry) -> None:
        """Cancel the Appointment and free its Slots, as people at the clinic do."""
        for one in self.appointments(entry.uid):
            self.server.put({**one, "status": "cancelled"})
        for one in self.slots(entry.slot):
            self.server.put({**one, "status": "free"})

    async def leave_half(self, entry: Entry) -> None:
        """Leave the first Slot claimed."""
        self.claim(entry, self.slots(entry.slot)[0])

    def claim(self, entry: Entry, slot: Json, status: str = "busy") -> None:
        """Claim one Slot, as the calendar does it."""
        self.server.put({**slot, "status": status, "identifier": [{"system": SYSTEM, "value": entry.uid}]})

    async def holders(self, slot: Slot) -> set[str]:
        """Return who has a part of the time."""
        busy = [one for one in self.slots(slot) if one["status"] != "free"]
        return {uid for one in busy for uid in uids_of(one) or {SOMEBODY}}

    def check(self) -> None:
        """Fail if something hangs: an Appointment without its Slots, or our Slot without an Appointment."""
        live = [one for one in self.appointments() if is_live(one)]
        booked = {f"{ref['reference']} {uid}" for one in live for ref in one["slot"] for uid in uids_of(one)}
        slots = self.server.all("Slot")
        busy = [one for one in slots if one["status"] == "busy"]
        closed = [one for one in slots if one["status"] not in ("free", "busy")]
        assert {uid for one in closed for uid in uids_of(one)} <= {uid for one in live for uid in uids_of(one)}
        assert booked == {f"Slot/{one['id']} {uid}" for one in busy for uid in uids_of(one)}
        assert len(booked) == sum(len(one["slot"]) for one in live)


def uids_of(resource: Json) -> set[str]:
    """Return which entries a resource says it belongs to."""
    return {str(one["value"]) for one in resource.get("identifier", ()) if one["system"] == SYSTEM}
