"""The few resources of FHIR R4 that an appointment is made of, read from and written as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from actions.scheduling.models import Slot
from actions.scheduling.remote import Entry, Written

Resource = Mapping[str, Any]
# A system and a code.
Coding = tuple[str, str]

# https://hl7.org/fhir/R4/datatypes.html#instant. Python reads neither Z nor odd fractions before 3.11.
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
# What a Slot is that an appointment fills, and one of another division of the day that it only touches.
_BUSY, _TOUCHED = "busy", "busy-unavailable"
# States of a Slot that close a time, for however long; `busy` ones are as long as an appointment.
CLOSED = frozenset({"busy-unavailable", "busy-tentative"})
# Who had the appointment is no longer to be expected, or never was: a waiting list is none.
_GONE = frozenset({"cancelled", "entered-in-error", "waitlist"})
# Somebody still has to say yes.
_ASKED_FOR = frozenset({"pending", "proposed"})
# What a cancellation does not undo.
_BEGUN = frozenset({"arrived", "checked-in", "fulfilled", "noshow"})
# In these states an Appointment leaves its time to others.
_TAKES_NO_TIME = _GONE | {"proposed", "noshow"}
# Some systems end a Slot a second early, so that it does not touch the next one.
_TOLERANCE = timedelta(seconds=1)
# What is longer is no appointment's length: a week.
_MOST_MINUTES = 7 * 24 * 60


def instant(value: object) -> datetime | None:
    """Return a FHIR `instant` in UTC, or None if it is none."""
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    seconds, fraction, offset = match.groups()
    try:
        read = datetime.fromisoformat(f"{seconds}.{(fraction or '0')[:6]:0<6}{'+00:00' if offset == 'Z' else offset}")
        return read.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def text(moment: datetime) -> str:
    """Return an instant in UTC as FHIR writes it; what is less than a second is cut off."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def version(resource: Resource) -> str | None:
    """Return which version of the resource this is."""
    meta = resource.get("meta")
    found = meta.get("versionId") if isinstance(meta, dict) else None
    return found if isinstance(found, str) and found else None


def updated(resource: Resource) -> datetime | None:
    """Return when the server stored this version of the resource."""
    meta = resource.get("meta")
    return instant(meta.get("lastUpdated")) if isinstance(meta, dict) else None


def name_of(resource: Resource) -> str:
    """Return type and id, as references have them."""
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _identifiers(resource: Resource, system: str) -> set[str]:
    return {
        one["value"] for one in _objects(resource.get("identifier")) if one.get("system") == system and "value" in one
    }


def uid_of(resource: Resource, system: str) -> str | None:
    """Return which entry a resource says it belongs to; None if it is none of the assistant's."""
    return next(iter(_identifiers(resource, system)), None)


def type_and_id(reference: str) -> str:
    """Return what a reference names, whatever its base and its version."""
    return "/".join(re.sub(r"/_history/[^/]+$", "", reference).split("/")[-2:])


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _local(reference: object, kind: str) -> str | None:
    """Return `kind/id` of a reference, which may be relative, a whole URL, or to one version; None if it is another."""
    value = reference.get("reference") if isinstance(reference, dict) else None
    match = re.search(
        rf"(?:^|/)({kind}/[A-Za-z0-9.-]{{1,64}})(?:/_history/[^/]+)?$", value if isinstance(value, str) else ""
    )
    return match[1] if match else None


@dataclass(frozen=True)
class FhirSlot:
    """A Slot: a stretch of a Schedule that is free or not. `resource` is all of it, to be written back."""

    resource: Resource
    id: str
    schedule: str | None
    start: datetime
    end: datetime

    @classmethod
    def read(cls, resource: Resource) -> FhirSlot | None:
        """Read a Slot; None if it has no id or no time."""
        start, end = instant(resource.get("start")), instant(resource.get("end"))
        name = resource.get("id")
        if resource.get("resourceType") != "Slot" or not isinstance(name, str) or start is None or end is None:
            return None
        return cls(resource, name, _local(resource.get("schedule"), "Schedule"), start, end)

    @property
    def is_free(self) -> bool:
        """Whether an appointment can be made in it; one that is overbooked has room for nobody."""
        return self.resource.get("status") == "free" and self.resource.get("overbooked") is not True

    @property
    def is_void(self) -> bool:
        """Whether it is a mistake that says nothing about the time."""
        return self.resource.get("status") == "entered-in-error"

    def claims(self, system: str) -> set[str]:
        """Return the uids that the Slot carries: at most one, the entry it was claimed for."""
        return _identifiers(self.resource, system)

    def overlaps(self, slot: Slot) -> bool:
        """Say whether it takes up any of the time; a second is none."""
        return self.start + _TOLERANCE < slot.end and slot.start + _TOLERANCE < self.end

    def is_at_the_place_of(self, other: FhirSlot) -> bool:
        """Say whether it has the same time of the same Schedule."""
        return (self.schedule, self.start, self.end) == (other.schedule, other.start, other.end)

    def is_inside(self, wanted: Slot) -> bool:
        """Say whether an appointment at that time fills it."""
        return wanted.start <= self.start + _TOLERANCE and self.end <= wanted.end + _TOLERANCE

    @property
    def codings(self) -> tuple[set[Coding], set[Coding]]:
        """Which kinds of service and which types of appointment it says that it is for; nothing said is for any."""
        services = _objects(self.resource.get("serviceType"))
        kinds = _objects([self.resource.get("appointmentType")])
        return _codings(services), _codings(kinds)

    @property
    def is_understood(self) -> bool:
        """Whether it may be given away: R4 forbids that to whoever does not know a modifier extension."""
        return not self.resource.get("modifierExtension")

    @property
    def is_closed(self) -> bool:
        """Whether people have closed the time, for whatever length."""
        return self.resource.get("status") in CLOSED

    def is_held(self, system: str, uid: str, wanted: Slot) -> bool:
        """Say whether the entry of this uid, at that time, has it."""
        return self.resource.get("status") == self._status_for(wanted) and uid in self.claims(system)

    @property
    def is_busy(self) -> bool:
        """Whether an appointment fills it."""
        return self.resource.get("status") == _BUSY

    def is_left_by(self, uid: str, system: str) -> bool:
        """Say whether only an appointment of this uid, or of nobody's that is known, can have made it busy."""
        return self.is_busy and self.claims(system) <= {uid}

    def is_in_the_way(self, system: str, wanted: Slot) -> bool:
        """Say whether it keeps the time from being free.

        One that another entry only touches does not, unless it is all inside of the time: that entry's own Slots say
        which time is taken.
        """
        touched = self.resource.get("status") == _TOUCHED and bool(self.claims(system))
        return not self.is_free and (not touched or self.is_inside(wanted))

    def claimed(self, system: str, uid: str, wanted: Slot) -> Resource:
        """Return the resource as it is while the entry has it; what entry had it before is no longer of interest."""
        return {**self.passed_on(system, uid), "status": self._status_for(wanted)}

    def released(self, system: str, uid: str, wanted: Slot) -> Resource:
        """Return the resource as it was before; a state that people gave it meanwhile stays."""
        given = _objects(self.resource.get("identifier"))
        kept = [one for one in given if (one.get("system"), one.get("value")) != (system, uid)]
        rest = {name: value for name, value in self.resource.items() if name != "identifier"}
        if self.claims(system) == {uid} and (self.is_busy or self.is_held(system, uid, wanted)):
            rest["status"] = "free"
        return {**rest, "identifier": kept} if kept else rest

    def passed_on(self, system: str, uid: str) -> Resource:
        """Return the resource as it is once another entry has it; its state stays."""
        kept = [one for one in _objects(self.resource.get("identifier")) if one.get("system") != system]
        return {**self.resource, "identifier": [*kept, {"system": system, "value": uid}]}

    def _status_for(self, wanted: Slot) -> str:
        return _BUSY if self.is_inside(wanted) else _TOUCHED


def covers(slots: Iterable[FhirSlot], wanted: Slot) -> bool:
    """Say whether the time is exactly one Slot, or several without a gap of more than a second, in order of start."""
    reached = {wanted.start}
    for slot in slots:
        if slot.end <= wanted.end + _TOLERANCE and any(_meet(slot.start, end) for end in reached):
            reached.add(slot.end)
    return any(_meet(wanted.end, end) for end in reached)


def _meet(one: datetime, other: datetime) -> bool:
    return abs(one - other) <= _TOLERANCE


def _codings(concepts: Iterable[Resource]) -> set[Coding]:
    return {
        (str(one.get("system", "")), str(one["code"]))
        for concept in concepts
        for one in _objects(concept.get("coding"))
        if "code" in one
    }


def is_live(appointment: Resource) -> bool:
    """Say whether somebody is, or was, to be expected."""
    return appointment.get("status") not in _GONE


def is_asked_for(appointment: Resource) -> bool:
    """Say whether somebody at the clinic still has to agree to it."""
    return appointment.get("status") in _ASKED_FOR


def has_begun(appointment: Resource) -> bool:
    """Say whether it is past being cancelled: the patient came, or did not."""
    return appointment.get("status") in _BEGUN


def takes_time(appointment: Resource, slot: Slot) -> bool:
    """Say whether nobody else can have the time because of the Appointment."""
    start = instant(appointment.get("start"))
    if appointment.get("status") in _TAKES_NO_TIME or start is None:
        return False
    return start < slot.end and slot.start < (_end(appointment, start) or start + _TOLERANCE)


def _end(appointment: Resource, start: datetime) -> datetime | None:
    """Return when an Appointment ends; R4 wants that to be said, and some servers say how long it is instead.

    One that ends before it starts, which R4 does not forbid, does not say it.
    """
    end, minutes = instant(appointment.get("end")), appointment.get("minutesDuration")
    end = end if end and end > start else None
    if end is None and isinstance(minutes, int) and 0 < minutes <= _MOST_MINUTES:
        return start + timedelta(minutes=minutes)
    return end


def starts_with(appointment: Resource, slot: Slot) -> bool:
    """Say whether the Appointment is at the time: what people made of its length or its room does not matter."""
    return instant(appointment.get("start")) == slot.start


def time_of(appointment: Resource, slot: Slot) -> Slot:
    """Return when the Appointment is, in the resource of `slot`, and as long as that if it does not say."""
    start = instant(appointment.get("start"))
    if start is None:
        return slot
    end = _end(appointment, start)
    return Slot(slot.resource, start, end or start + (slot.end - slot.start))


def has_identifier(resource: Resource, system: str, value: str) -> bool:
    """Say whether the resource is known by this identifier."""
    return value in _identifiers(resource, system)


def is_of(appointment: Resource, system: str, entry: Entry) -> bool:
    """Say whether an Appointment that has the id of an entry's is that one still.

    A server that was restored from a backup may have given the id to another one since. People may have taken the
    identifiers off, moved it, changed its text or its patient; hardly all at once.
    """
    uids = _identifiers(appointment, system)
    if uids:
        return entry.uid in uids
    known = {name.partition("/")[2] for name in entry.names}
    mentioned = entry.reference in json.dumps(appointment, ensure_ascii=False)
    is_for = bool(entry.patient.name) and entry.patient.name in _people_of(appointment)
    return starts_with(appointment, entry.slot) or mentioned or is_for or not known.isdisjoint(slots_of(appointment))


def _people_of(appointment: Resource) -> set[object]:
    """Return the names of those who take part in an Appointment, as they were written down."""
    actors = (one.get("actor") for one in _objects(appointment.get("participant")))
    return {actor.get("display") for actor in actors if isinstance(actor, dict)}


def patient_reference(patient: Resource) -> str | None:
    """Return the Patient to name for this one: itself, whom it was merged into, or nobody if it is not in use."""
    links = [link for link in patient.get("link") or () if link.get("type") == "replaced-by"]
    if links:
        other = links[0].get("other", {}).get("reference", "")
        return str(other) if len(links) == 1 and other else None
    return f"Patient/{patient.get('id')}" if patient.get("active", True) else None


def written_as(appointment: Resource, system: str, slot: Slot) -> Written | None:
    """Return the entry that the Appointment is, in the resource of `slot`; None if it is none of the assistant's."""
    uid = uid_of(appointment, system)
    if uid is None:
        return None
    reference = next(iter(_identifiers(appointment, _references(system))), None)
    names = (name_of(appointment), *(f"Slot/{name}" for name in sorted(slots_of(appointment))))
    return Written(uid, time_of(appointment, slot), reference, names)


def _references(system: str) -> str:
    """Return the system of the identifiers that are references."""
    return f"{system}{':' if system.startswith('urn:') else '/'}reference"


def slots_of(appointment: Resource) -> set[str]:
    """Return the ids of the Slots that the Appointment fills."""
    found = (_local(one, "Slot") for one in _objects(appointment.get("slot")))
    return {name.removeprefix("Slot/") for name in found if name}


def actors_of(schedule: Resource) -> list[Mapping[str, Any]]:
    """Return the references to who or what has the Schedule's time."""
    return [one for one in _objects(schedule.get("actor")) if "reference" in one or "identifier" in one]


def slot_references(slots: Iterable[FhirSlot]) -> list[dict[str, str]]:
    """Return references to Slots."""
    return [{"reference": f"Slot/{slot.id}"} for slot in slots]


def booked_again(appointment: Resource, slots: Iterable[FhirSlot]) -> dict[str, Any]:
    """Return a cancelled Appointment as it is once it is booked again; R4 has no reason for its end then."""
    kept = {name: value for name, value in appointment.items() if name != "cancelationReason"}
    return {**kept, "status": "booked", "slot": slot_references(slots)}


def appointment(
    entry: Entry,
    system: str,
    *,
    slots: Sequence[FhirSlot],
    actors: Sequence[Mapping[str, Any]],
    coding: Mapping[str, str] | None,
    created: datetime,
) -> dict[str, Any]:
    """Return the Appointment of an entry; `actors` are the references of everybody who takes part."""
    slot, patient = entry.slot, entry.patient
    contact = ", ".join(
        f"{name}: {value}" for name, value in (("phone", patient.phone), ("email", patient.email)) if value
    )
    found: dict[str, Any] = {
        "resourceType": "Appointment",
        "identifier": [
            {"system": system, "value": entry.uid},
            {"system": _references(system), "value": entry.reference},
        ],
        "status": "booked",
        "appointmentType": {**({"coding": [dict(coding)]} if coding else {}), "text": entry.appointment_type},
        "description": f"{entry.appointment_type} ({entry.reference})",
        "start": text(slot.start),
        "end": text(slot.end),
        "minutesDuration": int((slot.end - slot.start).total_seconds() // 60),
        "slot": slot_references(slots),
        "created": text(created),
        "participant": [{"actor": dict(actor), "status": "accepted"} for actor in actors],
    }
    return {**found, "comment": contact} if contact else found
