"""A CalDAV server and a calendar on it, as the tests and people at the clinic use them past our code."""

from __future__ import annotations

import asyncio
import base64
import http.client
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import aiohttp
import pytest

from actions.errors import BackendError
from actions.scheduling.caldav import CalDavCalendar, CalDavSettings
from actions.scheduling.caldav.connection import credentials
from actions.scheduling.models import Slot
from actions.scheduling.remote import Entry
from actions.transport import Response, Transport
from tests.actions.clinic import BERLIN
from tests.processes import PATIENCE

USER = "clinic"
PASSWORD = "püng-s3cret"
# Has its own calendars, and may only read those of the clinic.
READER = "reader"

UTC = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class CalDavServer:
    """A running server; `home` is the path below which calendars may be created."""

    name: str
    port: int
    home: str
    user: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def wants_credentials(self) -> bool:
        return self.user is not None

    def request(
        self, method: str, path: str, body: str | bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Send one request as the clinic's own calendar program would; return the status and the body."""
        sent = dict(headers or {})
        if self.user is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{self.user}:{PASSWORD}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            data = body.encode() if isinstance(body, str) else body
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def make_calendar(self, name: str) -> str:
        """Create a calendar, and return its path."""
        path = f"{self.home}{name}/"
        status, body = self.request("MKCALENDAR", path)
        assert status == 201, body
        return path

    def put(self, path: str, content: str) -> None:
        """Write a calendar object by hand."""
        status, body = self.request("PUT", path, content, {"Content-Type": "text/calendar; charset=utf-8"})
        assert status in (201, 204), body


@dataclass
class CalDavSystem:
    """A resource's calendar on a server, seen by our code (`open`) and by everybody else."""

    server: CalDavServer
    session: aiohttp.ClientSession
    path: str
    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    resource: str = "practice"
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def settings(self, **changes: object) -> CalDavSettings:
        """Return the settings for the calendar."""
        known: dict[str, object] = {"username": self.server.user, "password": PASSWORD} if self.server.user else {}
        # On a busy machine a server with many connections does not take the next one in two seconds.
        known["transport"] = {"connect_timeout": PATIENCE, "total_timeout": 2 * PATIENCE}
        values = {"type": "caldav", "url": self.server.url, "calendars": {self.resource: self.path}, **known, **changes}
        return CalDavSettings.model_validate(values)

    async def open(self, transport: type[Transport] = Transport, /, **changes: object) -> CalDavCalendar:
        """Return one more calendar, as another process has one."""
        settings = self.settings(**changes)
        own = transport(
            self.session,
            "caldav",
            settings.origin,
            credentials=credentials(settings),
            settings=settings.transport,
        )
        return CalDavCalendar(settings, own, BERLIN, self.clock, self.sleep)

    async def occupy(self, slot: Slot) -> None:
        """Give the time to somebody else."""
        self.write_by_hand(f"DTSTART:{slot.start:{UTC}}", f"DTEND:{slot.end:{UTC}}")

    async def delete(self, entry: Entry) -> None:
        """Delete the event, which is all that people see."""
        for path, content in self.objects().items():
            if f"UID:{entry.uid}\r\n" in content:
                assert self.server.request("DELETE", path)[0] in (200, 204)

    async def leave_half(self, entry: Entry) -> None:
        """Leave what a writer leaves who is killed after its first object."""
        calendar = await self.open(DiesAfterOneWrite)
        with pytest.raises(Killed):
            await calendar.write(entry)

    async def holders(self, slot: Slot) -> set[str]:
        """Return the uids of all entries that have a cell of the slot, and a word for events made by hand."""
        found = set()
        for path, content in self.objects().items():
            start, end, uid = (value_of(name, content) for name in ("DTSTART", "DTEND", "UID"))
            cell = re.search(r"/cell-(\d{8}T\d{4})Z(?:-\d)?\.ics$", path)
            if start < f"{slot.end:{UTC}}" and end > f"{slot.start:{UTC}}":
                found.add(uid.partition("-claim-")[0] if cell else "somebody else")
            elif cell and f"{slot.start:%Y%m%dT%H%M}" <= cell[1] < f"{slot.end:%Y%m%dT%H%M}":
                found.add(uid.partition("-claim-")[0])
        return found

    def write_by_hand(self, *lines: str, name: str | None = None, before: str = "") -> str:
        """Write an event as other programs do; return its path. `before` stands before the event: a VTIMEZONE."""
        uid = str(uuid.uuid4())
        path = f"{self.path}{name or uid + '.ics'}"
        text = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//by hand//EN",
            *([before] if before else []),
            "BEGIN:VEVENT",
        ]
        text += [f"UID:{uid}", "DTSTAMP:20261101T000000Z", "SUMMARY:by hand", *lines, "END:VEVENT", "END:VCALENDAR", ""]
        self.server.put(path, "\r\n".join(line.replace("{uid}", uid) for line in text))
        return path

    def rename(self, change: Callable[[str], str] = str) -> tuple[str, str]:
        """Give the one event that is no claim another name, as some programs do; return its new path and its text."""
        [(path, text)] = [(path, text) for path, text in self.objects().items() if "RELATED-TO" not in text]
        self.server.request("DELETE", path)
        renamed = f"{self.path}renamed.ics"
        self.server.put(renamed, change(text))
        return renamed, text

    def objects(self) -> Mapping[str, str]:
        """Return everything in the calendar: its text by its path, lines unfolded."""
        body = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
        status, answer = self.server.request("PROPFIND", self.path, body, {"Depth": "1", "Content-Type": "text/xml"})
        assert status == 207, answer
        paths = [path for path in re.findall(r"href>([^<]+)</", answer) if path.endswith(".ics")]
        found = {path: self.server.request("GET", path) for path in paths}
        # What was deleted between the two questions is not there.
        return {
            path: re.sub(r"\r?\n[ \t]", "", text).replace("\r\n", "\n").replace("\n", "\r\n")
            for path, (status, text) in found.items()
            if status == 200
        }


def value_of(name: str, content: str) -> str:
    """Return the value of the first property of that name within the event."""
    match = re.search(rf"^{name}(?:;[^:]*)?:(.*?)\r?$", content[content.index("BEGIN:VEVENT") :], re.MULTILINE)
    return match[1] if match else ""


class Killed(BaseException):
    """The process ends here."""


class DiesAfterOneWrite(Transport):
    """A transport whose process is killed when its first write was done."""

    async def request(self, method: str, path: str, **rest: Any) -> Response:
        """Send the request, and nothing after the first write."""
        response = await super().request(method, path, **rest)
        if method == "PUT":
            raise Killed
        return response


class Plan(Transport):
    """A transport that does something of the test's around the requests of one method."""

    method = "PUT"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = 0

    async def request(self, method: str, path: str, **rest: Any) -> Response:
        if method != self.method:
            return await super().request(method, path, **rest)
        self.count += 1
        number = self.count
        self.before(number)
        response = await super().request(method, path, **rest)
        self.after(number)
        return response

    def before(self, number: int) -> None: ...

    def after(self, number: int) -> None: ...


def doing(method: str = "PUT", **steps: Callable[[int], None]) -> type[Plan]:
    """Return a transport that calls `before` and `after` with the number of each request of the method."""
    named = {name: staticmethod(step) for name, step in steps.items()}
    return type("Planned", (Plan,), {"method": method, **named})


def failing(error: BackendError, *numbers: int) -> Callable[[int], None]:
    def step(number: int) -> None:
        if number in numbers:
            raise error

    return step


def edit(system: CalDavSystem, entry: Entry, change: Callable[[str], str]) -> None:
    """Change the event as people do in their calendar program."""
    [(path, text)] = [(path, text) for path, text in system.objects().items() if f"UID:{entry.uid}\r\n" in text]
    changed = change(text)
    assert changed != text
    system.server.put(path, changed)
