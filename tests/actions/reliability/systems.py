"""The systems that keep appointments, really running, and what is in them: asked by HTTP or SQL, past our backends."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import sqlite3
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import make_url

from tests.actions.scheduling.caldav.caldav_servers import radicale, xandikos
from tests.actions.scheduling.caldav.caldav_system import PASSWORD, CalDavServer
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip
from tests.processes import PATIENCE

PRACTICE, SPECIALIST = "practice", "specialist"
HALF_AN_HOUR = timedelta(minutes=30)
TIMES = 10
# The patients of one day are counted from here; it lies ahead, whenever this runs.
_FIRST_DAY = datetime.now(timezone.utc).replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=14)


@dataclass(frozen=True, order=True)
class Found:
    """An appointment that is in a system: whose time it takes from when to when (ISO 8601, UTC), and its reference."""

    resource: str
    start: str
    end: str
    reference: str


@dataclass(frozen=True)
class Place:
    """Where a clinic's appointments are kept; it can be handed to other processes as JSON.

    `url` leads to the system, perhaps through a proxy, `origin` directly. `path` is that of the calendars, `user` who
    may use them. The embedded ones are the database alone, whose URL or file `origin` is.
    """

    kind: str
    origin: str
    url: str = ""
    path: str = ""
    user: str | None = None

    @property
    def is_remote(self) -> bool:
        return self.kind in ("caldav", "fhir")

    @property
    def json(self) -> str:
        return json.dumps(asdict(self))

    def through(self, proxy: str) -> Place:
        """Return the same place behind a proxy of its server."""
        return replace(self, url=self.url.replace(self.origin, proxy))

    def clinic(self, ledger: str, **transport: object) -> dict[str, Any]:
        """Return the `clinic:` block of endpoints.yml with this system: always open, no CRM, in UTC."""
        limits = {"total_timeout": 30, "read_timeout": 30, "connect_timeout": 10, "breaker_failures": 1000, **transport}
        return {
            "database": ledger if self.is_remote else self.origin,
            "scheduling": {**self._scheduling(), **({"transport": limits} if self.is_remote else {})},
            "crm": {"type": "none"},
            "time_zone": "UTC",
            "opening_hours": "Mo-Su 00:00-24:00",
            "holidays": None,
            "horizon_days": 366,
        }

    def _scheduling(self) -> dict[str, Any]:
        if self.kind == "caldav":
            known = {"username": self.user, "password": PASSWORD} if self.user else {}
            calendars = {resource: f"{self.path}{resource}/" for resource in (PRACTICE, SPECIALIST)}
            return {"type": "caldav", "url": self.url, "calendars": calendars, **known}
        if self.kind == "fhir":
            schedules = {resource: f"Schedule/{resource}" for resource in (PRACTICE, SPECIALIST)}
            return {"type": "fhir", "url": self.url, "schedules": schedules}
        return {"type": "embedded"}

    def appointments(self, day: datetime, *, tidy: bool = True) -> list[Found]:
        """Return what is in the system on the day (UTC), in order.

        `tidy`: fail if there is a part of an appointment without the rest, or a time that is kept for none.
        """
        readers: dict[str, Callable[[Place, str, bool], list[Found]]] = {
            "sqlite": _in_sqlite,
            "postgresql": _in_postgresql,
            "caldav": _in_calendars,
            "fhir": _in_schedules,
        }
        return sorted(readers[self.kind](self, f"{day:%Y-%m-%d}", tidy))


@dataclass
class System:
    """A running system, and a folder for what hosts keep. Each day is used once, so nothing has to be emptied."""

    name: str
    place: Place
    folder: Path
    fhir: FhirServer | None = None
    _days: int = 0

    def next_day(self) -> datetime:
        """Return 08:00 UTC of a day on which nothing is booked; ten half hours from then on can be."""
        day = _FIRST_DAY + timedelta(days=self._days)
        self._days += 1
        if self.fhir is not None:
            for resource in (PRACTICE, SPECIALIST):
                self.fhir.seed(f"Schedule/{resource}", day, TIMES)
        return day


@contextmanager
def on_sqlite(folder: Path) -> Iterator[System]:
    yield System("sqlite", Place("sqlite", str(folder / "clinic.sqlite3")), folder)


def on_postgresql(server: str, folder: Path) -> System:
    """Return the embedded backend on a new database of a PostgreSQL server, whose URL is given."""
    name = f"clinic_{uuid.uuid4().hex[:8]}"

    async def create() -> None:
        connection = await asyncpg.connect(server)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    return System("postgresql", Place("postgresql", url), folder)


@contextmanager
def on_radicale(folder: Path) -> Iterator[System]:
    with radicale(folder) as server:
        yield System("radicale", caldav_place(server), folder)


@contextmanager
def on_xandikos(folder: Path) -> Iterator[System]:
    with xandikos(folder) as server:
        yield System("xandikos", caldav_place(server), folder)


@contextmanager
def on_medplum(folder: Path) -> Iterator[System]:
    with fhir_server_or_skip() as server:
        yield System("medplum", Place("fhir", server.root, server.url), folder, server)


EMBEDDED = ("sqlite", "postgresql")
REMOTE = {"radicale": on_radicale, "xandikos": on_xandikos, "medplum": on_medplum}


def caldav_place(server: CalDavServer) -> Place:
    """Make a calendar for each resource on a server."""
    name = uuid.uuid4().hex[:8]
    for resource in (PRACTICE, SPECIALIST):
        server.make_calendar(f"{name}-{resource}")
    return Place("caldav", server.url, server.url + "/", f"{server.home}{name}-", server.user)


def _in_sqlite(place: Place, day: str, tidy: bool) -> list[Found]:
    with closing(sqlite3.connect(f"file:{place.origin}?mode=ro", uri=True)) as connection:
        rows, claims = (connection.execute(query).fetchall() for query in _queries(day))
    return _rows(rows, claims, tidy)


def _in_postgresql(place: Place, day: str, tidy: bool) -> list[Found]:
    async def ask() -> list[list[Any]]:
        connection = await asyncpg.connect(place.origin)
        try:
            return [await connection.fetch(query) for query in _queries(day)]
        finally:
            await connection.close()

    rows, claims = asyncio.run(ask())
    return _rows(rows, claims, tidy)


def _queries(day: str) -> tuple[str, str]:
    # The same in both dialects; `day` is ours.
    of_day = f"BETWEEN '{day} 00:00:00' AND '{day} 23:59:59'"
    return (
        f"SELECT resource, start, \"end\", reference FROM bookings WHERE state = 'confirmed' AND start {of_day}",  # noqa: S608
        f"SELECT resource, cell FROM claims WHERE cell {of_day}",  # noqa: S608
    )


def _rows(rows: Sequence[Sequence[Any]], claims: Sequence[Sequence[Any]], tidy: bool) -> list[Found]:
    found = [Found(resource, _iso(start), _iso(end), reference) for resource, start, end, reference in rows]
    taken = sorted((resource, _iso(cell)) for resource, cell in claims)
    booked = sorted((one.resource, cell) for one in found for cell in _cells(one, 5))
    assert not tidy or taken == booked, "claims and bookings"
    return found


def _cells(one: Found, minutes: int) -> Iterator[str]:
    at, end = datetime.fromisoformat(one.start), datetime.fromisoformat(one.end)
    while at < end:
        yield at.isoformat()
        at += timedelta(minutes=minutes)


def _iso(value: datetime | str) -> str:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc).isoformat()


def _in_calendars(place: Place, day: str, tidy: bool) -> list[Found]:
    found: list[Found] = []
    for resource in (PRACTICE, SPECIALIST):
        objects = dict(_objects(place, f"{place.path}{resource}/", day.replace("-", "")))
        events = [event for text in objects.values() for event in _events(resource, text, day)]
        # Every cell of an appointment is held, and no other one.
        assert not tidy or objects.keys() == {cell for one in events for cell in _cells(one, 30)}, "claims and events"
        found += events
    return found


def _objects(place: Place, path: str, day: str) -> Iterator[tuple[str, str]]:
    """Return the cells of the day that are held, and what is in them."""
    ask = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
    answer = _http(place, "PROPFIND", path, ask, {"Depth": "1", "Content-Type": "text/xml"})
    for one in re.findall(r"href>([^<]+\.ics)</", answer):
        cell = re.search(r"/cell-(\d{8}T\d{4})Z(?:-\d)?\.ics$", one)
        assert cell, f"nobody writes by hand here: {one}"
        if cell[1].startswith(day):
            yield _moment(cell[1], "%Y%m%dT%H%M"), re.sub(r"\r?\n[ \t]", "", _http(place, "GET", one))


def _events(resource: str, text: str, day: str) -> Iterator[Found]:
    event = text[text.index("BEGIN:VEVENT") :]
    start, end, status, title = (_property(name, event) for name in ("DTSTART", "DTEND", "STATUS", "SUMMARY"))
    if start.startswith(day.replace("-", "")):
        assert status in ("CONFIRMED", "TENTATIVE"), f"an event is {status}"
        first, last = (_moment(value, "%Y%m%dT%H%M%SZ") for value in (start, end))
        yield Found(resource, first, last, title.rpartition("(")[2].rstrip(")"))


def _property(name: str, event: str) -> str:
    match = re.search(rf"^{name}(?:;[^:]*)?:(.*?)\r?$", event, re.MULTILINE)
    return match[1] if match else ""


def _moment(value: str, form: str) -> str:
    return datetime.strptime(value, form).replace(tzinfo=timezone.utc).isoformat()


def _in_schedules(place: Place, day: str, tidy: bool) -> list[Found]:
    slots = {f"Slot/{one['id']}": one for one in _resources(place, f"Slot?start={day}")}
    found: list[Found] = []
    held: list[str] = []
    for one in _resources(place, f"Appointment?date={day}"):
        if one["status"] not in ("cancelled", "entered-in-error"):
            filled = [reference["reference"] for reference in one["slot"]]
            held += filled
            resource = slots[filled[0]]["schedule"]["reference"].removeprefix("Schedule/")
            reference = re.search(r"APT-\w{6}", json.dumps(one))
            assert reference, "an Appointment without a reference"
            found.append(Found(resource, _iso(one["start"]), _iso(one["end"]), reference[0]))
    busy = sorted(name for name, slot in slots.items() if slot["status"] != "free")
    assert not tidy or busy == sorted(held), "Slots and Appointments"
    return found


def _resources(place: Place, query: str) -> list[dict[str, Any]]:
    bundle = json.loads(_http(place, "GET", f"/control/fhir/{query}&_count=1000"))
    return [entry["resource"] for entry in bundle.get("entry", ())]


def _http(place: Place, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> str:
    sent = dict(headers or {})
    if place.user is not None:
        sent["Authorization"] = "Basic " + b64encode(f"{place.user}:{PASSWORD}".encode()).decode()
    connection = http.client.HTTPConnection(place.origin.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request(method, path, body.encode() or None, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status in (200, 207), f"{method} {path}: {answer.status} {text}"
        return text
    finally:
        connection.close()
