"""What people at the clinic do with Slots and Appointments in their own system, and what is true there afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

from actions.scheduling.fhir.resources import instant
from actions.scheduling.models import Slot
from tests.actions.scheduling.fhir.fhir_clinic import uids_of
from tests.actions.scheduling.fhir.fhir_servers import HALF_AN_HOUR, Json, slot_resource
from tests.actions.scheduling.fhir.variants import VariedServer
from tests.actions.scheduling.walk import FIRST, TIMES, Kept

SCHEDULE = "Schedule/practice"
_LIVE = ("booked", "pending", "proposed", "arrived", "checked-in", "fulfilled", "noshow")


def moments(resource: Json) -> tuple[datetime, datetime]:
    start, end = instant(resource["start"]), instant(resource["end"])
    assert start is not None
    assert end is not None
    return start, end


def overlap(one: Json, slot: Slot) -> bool:
    start, end = moments(one)
    return start < slot.end and slot.start < end


def _length(resource: Json) -> timedelta:
    start, end = moments(resource)
    return end - start


def is_live(appointment: Json) -> bool:
    return appointment["status"] in _LIVE


def patient_of(appointment: Json) -> str:
    """Return the name of who comes; empty for somebody who did not come through us."""
    return next(
        (str(one["actor"]["display"]) for one in appointment["participant"] if "reference" not in one["actor"]), ""
    )


@dataclass
class Truth:
    """What a server has, at one moment."""

    slots: Sequence[Json]
    appointments: Sequence[Json]
    made: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, server: VariedServer, made: Mapping[str, datetime] | None = None) -> Truth:
        return cls(server.all("Slot"), [one for one in server.all("Appointment") if is_live(one)], made or {})

    @property
    def kept(self) -> Sequence[Kept]:
        """All Appointments of which somebody is expected."""
        return [Kept(*moments(one), patient_of(one), self.made.get(one["id"])) for one in self.appointments]

    def is_closed(self, slot: Slot) -> bool:
        """Say whether people closed a part of the time."""
        closed = ("busy-unavailable", "busy-tentative")
        return any(one["status"] in closed and not uids_of(one) and overlap(one, slot) for one in self.slots)

    def is_taken(self, slot: Slot) -> bool:
        return any(overlap(one, slot) for one in self.appointments)

    def is_free(self, slot: Slot) -> bool:
        whole = any(one["status"] == "free" and moments(one) == (slot.start, slot.end) for one in self.slots)
        return whole and not self.is_closed(slot) and not self.is_taken(slot)

    def at(self, slot: Slot) -> Json | None:
        """Return the Slot of exactly that time."""
        return next((one for one in self.slots if moments(one) == (slot.start, slot.end)), None)

    def hanging(self) -> Sequence[str]:
        """Return the Slots that are busy for nobody."""
        return [
            f"{one['start']} is busy for nobody"
            for one in self.slots
            if one["status"] == "busy" and not self.is_taken(Slot("", *moments(one)))
        ]


@dataclass
class People:
    """Who works at the clinic. Nothing that they do makes two Appointments share time."""

    server: VariedServer
    random: Random
    # When something was booked by hand, by its id.
    made: dict[str, datetime] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def edits(self) -> list[Callable[[], str]]:
        return [
            self.generate_slots_anew,
            self.open_everything,
            self.close_a_booked_slot,
            self.free_a_booked_slot,
            self.close_an_hour,
            self.close_three_days,
            self.reopen,
            self.cancel,
            self.cancel_alone,
            self.cancel_and_take_that_back,
            self.take_the_identifiers_off,
            self.move,
            self.move_alone,
            self.change_places,
            self.begin_late,
            self.make_longer,
            self.move_to_a_slot_that_stays_free,
            self.book_by_hand,
            self.book_without_a_slot,
            self.note_the_arrival,
        ]

    def generate_slots_anew(self, *, busy: bool = True) -> str:
        """The day's Slots get other ids; those of Appointments are busy, or all of them free."""
        truth, number = Truth.of(self.server), next(self._numbers)
        for one in truth.slots:
            if moments(one)[1] - moments(one)[0] == HALF_AN_HOUR:
                self.server.delete("Slot", one["id"])
        for slot in TIMES:
            status = "busy" if busy and truth.is_taken(slot) else "free"
            new = slot_resource(SCHEDULE, slot.start, status=status)
            self.server.put({**new, "id": f"{new['id']}-{number}"})
        return "generated the Slots anew"

    def open_everything(self) -> str:
        self.generate_slots_anew(busy=False)
        return "generated the Slots anew, all of them free"

    def close_a_booked_slot(self) -> str:
        return self._change_slot("busy-unavailable")

    def free_a_booked_slot(self) -> str:
        return self._change_slot("free")

    def close_an_hour(self) -> str:
        start = self.random.choice(TIMES[:-1]).start
        return self._close(start, start + 2 * HALF_AN_HOUR)

    def close_three_days(self) -> str:
        return self._close(FIRST - timedelta(days=2), FIRST + timedelta(days=1))

    def reopen(self) -> str:
        for one in self.server.all("Slot"):
            if str(one["id"]).startswith("closure"):
                self.server.delete("Slot", one["id"])
            elif one["status"] == "busy-unavailable":
                taken = Truth.of(self.server).is_taken(Slot("", *moments(one)))
                self.server.put({**one, "status": "busy" if taken else "free"})
        return "reopened"

    def cancel(self) -> str:
        one = self._appointment()
        if one is None:
            return ""
        self.server.put({**one, "status": "cancelled"})
        self._set(one, "free")
        return f"cancelled {one['start']}"

    def cancel_alone(self) -> str:
        one = self._appointment()
        if one is None:
            return ""
        self.server.put({**one, "status": "cancelled"})
        self._set(one, "free", only_theirs=True)
        return f"cancelled {one['start']}, whose Slot stays as it is"

    def cancel_and_take_that_back(self) -> str:
        """Before anybody could ask, and more than once."""
        one = self._appointment()
        if one is None:
            return ""
        for status in ("cancelled", one["status"], "entered-in-error", one["status"]):
            self.server.put({**one, "status": status})
        return f"cancelled {one['start']} by mistake"

    def take_the_identifiers_off(self) -> str:
        """Their program writes back what it knows."""
        one = self._appointment()
        if one is None:
            return ""
        self.server.put({name: value for name, value in one.items() if name not in ("identifier", "meta")})
        return f"took the identifiers off {one['start']}"

    def move(self) -> str:
        one, truth = self._appointment(), Truth.of(self.server)
        free = [slot for slot in TIMES if truth.is_free(slot)]
        if one is None or not free:
            return ""
        slot = self.random.choice(free)
        there = truth.at(slot)
        assert there is not None
        self._set(one, "free")
        times = {"start": slot.start.isoformat(), "end": slot.end.isoformat()}
        self.server.put({**one, **times, "slot": [{"reference": f"Slot/{there['id']}"}]})
        self.server.put({**there, "status": "busy"})
        return f"moved {one['start']} to {slot.start}"

    def move_to_a_slot_that_stays_free(self) -> str:
        """Somebody writes another time into the Appointment, frees its Slot, and forgets the one that it has now."""
        return self._write_another_time(frees=True)

    def move_alone(self) -> str:
        """Somebody writes another time into the Appointment, and thinks of no Slot that is not theirs."""
        return self._write_another_time(frees=False)

    def change_places(self) -> str:
        """Two patients change places; the Slots stay as they are."""
        one, other = self._appointment(), self._appointment()
        if one is None or other is None or one["id"] == other["id"] or _length(one) != _length(other):
            return ""
        rest = [each for each in Truth.of(self.server).appointments if each["id"] not in (one["id"], other["id"])]
        # Who shares a time with what a search could not know of yet would hand that over.
        if any(overlap(each, Slot("", *moments(place))) for each in rest for place in (one, other)):
            return ""
        for changed, place in ((one, other), (other, one)):
            self.server.put({**changed, "start": place["start"], "end": place["end"]})
        return f"had {one['start']} and {other['start']} change places"

    def begin_late(self) -> str:
        """All that is to come that day is half an hour later; nobody thinks of Slots that are not theirs."""
        ours = [one for one in Truth.of(self.server).appointments if uids_of(one)]
        theirs = [one for one in Truth.of(self.server).appointments if not uids_of(one)]
        later = [tuple(time + HALF_AN_HOUR for time in moments(one)) for one in ours]
        if any(one["status"] == "arrived" for one in ours) or any(
            overlap(one, Slot("", *times)) for one in theirs for times in later
        ):
            return ""
        for one in ours:
            self._set(one, "free", only_theirs=True)
        for one, (start, end) in zip(ours, later, strict=True):
            self.server.put({**one, "start": start.isoformat(), "end": end.isoformat()})
        return "made everybody half an hour late"

    def make_longer(self) -> str:
        one, truth = self._appointment(), Truth.of(self.server)
        if one is None:
            return ""
        start, end = moments(one)
        longer = end + timedelta(minutes=15)
        if any(other["id"] != one["id"] and overlap(other, Slot("", start, longer)) for other in truth.appointments):
            return ""
        self.server.put({**one, "end": longer.isoformat()})
        return f"made {one['start']} longer"

    def book_by_hand(self, *, with_slot: bool = True) -> str:
        truth = Truth.of(self.server)
        free = [slot for slot in TIMES if truth.is_free(slot)]
        if not free:
            return ""
        slot = self.random.choice(free)
        there = truth.at(slot)
        assert there is not None
        actor = {"reference": "Practitioner/doctor-practice"}
        name = f"by-hand-{next(self._numbers)}"
        self.made[name] = self.server.clock.now
        self.server.put(
            {
                "resourceType": "Appointment",
                "id": name,
                "status": "booked",
                "start": slot.start.isoformat(),
                "end": slot.end.isoformat(),
                "participant": [{"actor": actor, "status": "accepted"}],
                **({"slot": [{"reference": f"Slot/{there['id']}"}]} if with_slot else {}),
            }
        )
        if with_slot:
            self.server.put({**there, "status": "busy"})
        return f"booked {slot.start} by hand"

    def book_without_a_slot(self) -> str:
        said = self.book_by_hand(with_slot=False)
        return f"{said}, without its Slot" if said else ""

    def note_the_arrival(self) -> str:
        one = self._appointment()
        if one is None:
            return ""
        self.server.put({**one, "status": "arrived"})
        return f"arrived at {one['start']}"

    def _appointment(self) -> Json | None:
        """Return an Appointment of ours that is to come."""
        ours = [one for one in Truth.of(self.server).appointments if uids_of(one) and one["status"] != "arrived"]
        return self.random.choice(ours) if ours else None

    def _write_another_time(self, *, frees: bool) -> str:
        one, truth = self._appointment(), Truth.of(self.server)
        free = [slot for slot in TIMES if truth.is_free(slot)]
        if one is None or not free:
            return ""
        slot = self.random.choice(free)
        self._set(one, "free", only_theirs=not frees)
        self.server.put({**one, "start": slot.start.isoformat(), "end": slot.end.isoformat()})
        return f"moved {one['start']} to {slot.start}, whose Slot stays free{'' if frees else '; the other one busy'}"

    def _change_slot(self, status: str) -> str:
        one = self._appointment()
        if one is None:
            return ""
        self._set(one, status)
        return f"set the Slot of {one['start']} to {status}"

    def _set(self, appointment: Json, status: str, *, only_theirs: bool = False) -> None:
        """Give a state to the Slots of an Appointment, or only to those that people have generated for it."""
        for one in self.server.all("Slot"):
            is_its = overlap(one, Slot("practice", *moments(appointment))) and not (only_theirs and uids_of(one))
            if is_its and moments(one)[1] - moments(one)[0] == HALF_AN_HOUR:
                self.server.put({**one, "status": status})

    def _close(self, start: datetime, end: datetime) -> str:
        number = next(self._numbers)
        new = slot_resource(SCHEDULE, start, end - start, status="busy-unavailable")
        self.server.put({**new, "id": f"closure-{number}"})
        return f"closed {start} to {end}"
