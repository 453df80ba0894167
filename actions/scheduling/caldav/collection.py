"""One calendar collection on a server: its objects by name, conditional writes, and what the server says in words."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from urllib.parse import quote

from actions.errors import (
    AuthFailedError,
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from actions.scheduling.caldav.multistatus import (
    CALDAV,
    DAV,
    FULL,
    TOO_MANY,
    Found,
    all_events,
    events_between,
    events_named,
    events_with,
    mkcalendar,
    names_in,
    parse,
    propfind,
)
from actions.scheduling.caldav.zones import UNREADABLE, events_in
from actions.transport import Response, Transport
from actions.transport.pace import timeout

_log = logging.getLogger(__name__)

_CALENDAR_DATA = "text/calendar; charset=utf-8"
_XML = {"Content-Type": "application/xml; charset=utf-8"}
_COMPONENTS = f"{CALDAV}supported-calendar-component-set"
_CONFLICTS = (409, 412)
_CONTENT = f"{CALDAV}calendar-data"
_NOT_CONDITIONS = {f"{DAV}error", f"{DAV}responsedescription"}
_MISSING = (404, 410)
# Failures of writes that are known to have changed nothing: a condition that is not met or a permission; no space.
_SAID = (403, FULL)
# Xandikos locks a calendar for the length of each write, and answers others with this instead of letting them wait:
# seconds until they try again, give or take a half.
_LOCKED, _LOCKED_PAUSES = 423, (0.02, 0.05, 0.1, 0.2, 0.4)
# For logs: a calendar's path may be somebody's name.
_OBJECT = "{calendar}/{object}"
_CALENDAR = "{calendar}"
# What an object with more than one time, or with the changed one of a series elsewhere, has at least one of.
_RECURRING = ("RRULE", "RDATE", "RECURRENCE-ID")
# Answers to a question that say that another one may be answered: a filter that is not known, or that fails; also those
# of a proxy in front of a server that it keeps busy.
_REFUSED = (400, 403, 500, 501, 502, 503, 504)
# One rule of an event keeps some servers busy for ever, and each question for a time adds to that: if one is not
# answered in this part of the time there is for an answer, none is asked for so long (seconds).
_PART_OF_TIME, _WITHOUT_TIME = 0.5, 300.0
# So many objects are asked for by their names at once.
_AT_ONCE = 100
# Who asks with less than so much time left learns nothing about the calendar (seconds).
_LEAST_TIME = 0.2
_WRITES = frozenset(f"{DAV}{name}" for name in ("all", "write", "write-content", "bind"))


class CutOffError(UnavailableError):
    """The server tells a part of what it found only: what is not in it may be there all the same."""


class Created(Enum):
    """What became of a new object."""

    DONE = auto()
    NAME_TAKEN = auto()
    # Another object may have the name as well; no object of a calendar may have the uid of another.
    UID_ELSEWHERE = auto()


@dataclass(frozen=True)
class StoredObject:
    """A calendar object as the server has it. `etag` changes with every change of it."""

    name: str
    etag: str
    content: str

    @property
    def uid(self) -> str | None:
        """The uid of what is in it; None if that cannot be read."""
        return self._property("UID")

    @property
    def status(self) -> str | None:
        """The status of the event in it, TENTATIVE for example; None if it has none."""
        return self._property("STATUS")

    def _property(self, name: str) -> str | None:
        try:
            return next((str(event[name]) for event in events_in(self.content)), None)
        except UNREADABLE:
            return None


class Collection:
    """The calendar of a resource; `url` ends in a slash."""

    def __init__(self, transport: Transport, resource: str, url: str) -> None:
        self._transport = transport
        self._url = url
        self.words = f"the calendar of {resource} ({url})"
        self.resource = resource
        # Until when no question for a time is asked, on the monotonic clock.
        self._without_time = -math.inf
        # What was read of a calendar that answers no question in full.
        self._read: dict[str, StoredObject] = {}

    async def get(self, name: str) -> StoredObject | None:
        """Return the object of that name, or None if there is none."""
        # Uncompressed: some proxies give what they compress an ETag of its own, of which no condition comes true.
        headers = {"Accept-Encoding": "identity"}
        answer = await self._send("GET", self._address(name), headers=headers, name=_OBJECT)
        if answer.status in _MISSING:
            return None
        self._require(answer, 200)
        return StoredObject(name, _strong(answer.headers.get("ETag", "")), answer.text)

    async def create(self, name: str, content: bytes) -> Created:
        """Write an object if there is none of that name. After an unknown outcome it may be this very one."""
        headers = {"Content-Type": _CALENDAR_DATA, "If-None-Match": "*"}
        answer = await self._write("PUT", name, headers, content)
        # Radicale says 409 for a uid that is elsewhere and 412 for a name that is taken, Xandikos 412 for both; 403 may
        # be said as well (RFC 4791, 1.3).
        same_uid = answer.status in (*_CONFLICTS, 403) and f"{CALDAV}no-uid-conflict" in names_in(answer.body)
        if answer.status in _CONFLICTS or same_uid:
            return Created.UID_ELSEWHERE if same_uid else Created.NAME_TAKEN
        self._require(answer, 200, 201, 204)
        return Created.DONE

    async def replace(self, stored: StoredObject, content: bytes) -> bool:
        """Write an object anew; return False if it has changed since it was read."""
        headers = {"Content-Type": _CALENDAR_DATA, "If-Match": self._version(stored)}
        answer = await self._write("PUT", stored.name, headers, content)
        if answer.status in (*_CONFLICTS, *_MISSING):
            return False
        self._require(answer, 200, 201, 204)
        return True

    async def delete(self, stored: StoredObject) -> bool:
        """Delete an object; return False if it has changed since it was read. One that is gone is deleted."""
        answer = await self._write("DELETE", stored.name, {"If-Match": self._version(stored)})
        if answer.status in _CONFLICTS:
            return False
        self._require(answer, 200, 202, 204, *_MISSING)
        return True

    async def query(self, start: datetime, end: datetime) -> Sequence[StoredObject]:
        """Return the objects that have an event between the two instants, and some that may not.

        Everything that recurs is among them, whenever it does: servers do not agree on which series have a time
        between two instants, Xandikos not even with itself. Its seventh answer to a question comes from an index, in
        which a time that was moved on its own is not found any more.
        """
        slow = time.monotonic() < self._without_time
        answers = [] if slow else await self._report_times(start, end)
        # What changed between two of the answers is in both; either is as good as one answer alone.
        return await self._objects(answers or [await self._report_all()])

    async def _report_times(self, start: datetime, end: datetime) -> Sequence[Response]:
        """Return the answers to the questions of `query`; none if the calendar is to be asked without a time."""
        questions = [events_between(start, end), *(events_with(name) for name in _RECURRING)]
        patience = self._transport.patience
        limit = patience * _PART_OF_TIME
        try:
            async with timeout(limit):
                answers = await asyncio.gather(*(self._report(question) for question in questions))
        except asyncio.TimeoutError:
            # Given up on our side: that says nothing about the host, to its breaker neither.
            if patience >= _LEAST_TIME:
                self._without_time = time.monotonic() + _WITHOUT_TIME
            problem = f"no answer within {limit:.3g} s"
        else:
            # One odd event is enough: Xandikos answers 500 to each question for a time while a rule has an RSCALE.
            problem = next((str(answer.status) for answer in answers if _is_refused(answer)), "")
        if not problem:
            return answers
        _log.warning("caldav.asked_without_time", extra={"resource": self.resource, "problem": problem})
        return []

    async def _report_all(self) -> Response:
        try:
            return await self._report(all_events(), accept=())
        except BackendError:
            # It is not the time that is too much to ask for, or everything is more yet.
            self._without_time = -math.inf
            raise

    async def search(self, name: str, text: str) -> Sequence[StoredObject]:
        """Return the objects with an event that has `text` in a property, whenever it is, and some that may not."""
        answer = await self._report(events_with(name, text))
        return await self._objects([await self._report(all_events(), accept=()) if _is_refused(answer) else answer])

    async def _report(self, question: bytes, accept: Sequence[int] = _REFUSED) -> Response:
        headers, accept = {**_XML, "Depth": "1"}, (*accept, FULL)
        return await self._send("REPORT", self._url, headers=headers, data=question, accept=accept, name=_CALENDAR)

    async def _objects(self, answers: Sequence[Response]) -> Sequence[StoredObject]:
        """Return the objects of answers, each once; all of the calendar's if one of them is not all that was found."""
        try:
            found = {one.name: one for answer in answers for one in self._whole(answer)}
        except CutOffError as exc:
            _log.warning("caldav.asked_by_name", extra={"resource": self.resource, "problem": str(exc)})
            return await self._listed()
        return [one for one in await asyncio.gather(*map(self._with_content, found.values())) if one]

    def _whole(self, answer: Response) -> Sequence[Found]:
        """Return the objects of an answer; raises `CutOffError` if it says that there are more."""
        if answer.status == FULL or (answer.status in _REFUSED and TOO_MANY in names_in(answer.body)):
            raise CutOffError(f"{self.words}: {answer.system} answered {answer.status}{_conditions(answer)}")
        self._require(answer, 207)
        found = parse(answer.body, answer.system)
        if any(one.status == FULL for one in found):
            raise CutOffError(f"{self.words}: {answer.system} answered in part only ({FULL})")
        # The calendar itself, which may be among them, has no content.
        objects = [one for one in found if _CONTENT in one.properties or not one.href.endswith("/")]
        return [one for one in objects if one.name and one.status not in _MISSING]

    async def _with_content(self, found: Found) -> StoredObject | None:
        """Return an object of an answer; it is asked for its content if the answer has none. None if it is gone."""
        content = found.properties.get(_CONTENT)
        if content is not None:
            return StoredObject(found.name, _strong(found.text(f"{DAV}getetag")), content.text or "")
        try:
            return await self.get(found.name)
        except (AuthFailedError, InvalidRequestError):
            _log.warning("caldav.object_unreadable", extra={"resource": self.resource, "object": found.name})
            return None

    async def _listed(self) -> Sequence[StoredObject]:
        """Return all objects of the calendar, by their names; of those that are known what has changed is read."""
        body, headers = propfind(f"{DAV}getetag"), {**_XML, "Depth": "1"}
        answer = await self._send("PROPFIND", self._url, headers=headers, data=body, accept=(FULL,), name=_CALENDAR)
        there = {one.name: one for one in self._whole(answer)}
        etags = {name: _strong(one.text(f"{DAV}getetag")) for name, one in there.items()}
        known = {name: one for name, one in self._read.items() if one.etag and one.etag == etags.get(name)}
        new = [one for name, one in there.items() if name not in known]
        for number in range(0, len(new), _AT_ONCE):
            some = new[number : number + _AT_ONCE]
            named = await self._report(events_named([one.href for one in some]))
            # What is not told, for whatever reason, is asked for by itself.
            told = {one.name: one for one in self._whole(named)} if named.status == 207 else {}
            read = await asyncio.gather(*(self._with_content(told.get(one.name, one)) for one in some))
            known |= {one.name: one for one in read if one is not None}
        self._read = known
        return list(known.values())

    async def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        repeatable: bool | None = None,
        accept: Sequence[int] = (),
        name: str,
    ) -> Response:
        """Send a request; its errors name the calendar."""
        try:
            return await self._transport.request(
                method,
                url,
                headers=headers,
                data=data,
                repeatable=repeatable,
                accept=accept,
                name=name,
                part=self._url,
            )
        except RateLimitedError:
            raise
        except (AuthFailedError, UnavailableError, OutcomeUnknownError) as exc:
            raise type(exc)(f"{self.words}: {exc}") from None

    async def is_missing(self) -> bool:
        """Return whether there is nothing at the address."""
        return await self._describe() is None

    async def make(self) -> None:
        """Create the calendar unless it is there."""
        if not await self.is_missing():
            return
        body = mkcalendar(self.resource)
        answer = await self._send("MKCALENDAR", self._url, headers=_XML, data=body, accept=_SAID, name=_CALENDAR)
        # Servers refuse a second one too, Xandikos with 403: somebody else may have been faster.
        if answer.status >= 300 and await self.is_missing():
            text = f"{self.words} does not exist and cannot be created: {answer.system} answered {answer.status}"
            raise InvalidRequestError(text + _conditions(answer))

    async def check(self) -> None:
        """Return if the calendar is there and can be written; raises what is wrong, in words."""
        found = await self._describe()
        if found is None:
            raise InvalidRequestError(f"{self.words} does not exist; create it there, or set create: true")
        if f"{CALDAV}calendar" not in (found.children(f"{DAV}resourcetype") or ()):
            raise InvalidRequestError(f"{self.words} is not a calendar, but another resource of the server")
        kinds = {kind.get("name", "").upper() for kind in found.properties.get(_COMPONENTS, ())}
        if kinds and "VEVENT" not in kinds:
            raise InvalidRequestError(f"{self.words} takes no events, only {', '.join(sorted(kinds))}")
        privileges = found.children(f"{DAV}current-user-privilege-set")
        if privileges and not privileges & _WRITES:
            raise AuthFailedError(f"{self.words} can be read with these credentials, but not written")

    def _version(self, stored: StoredObject) -> str:
        if not stored.etag:
            raise InvalidRequestError(f"{self.words}: the server gives no ETag, so nothing can be changed safely")
        return stored.etag

    async def _write(self, method: str, name: str, headers: Mapping[str, str], data: bytes | None = None) -> Response:
        for pause in (*_LOCKED_PAUSES, None):
            # Conditional, so that sending it twice does no more than sending it once.
            answer = await self._send(
                method, self._address(name), headers=headers, data=data, repeatable=True, accept=_SAID, name=_OBJECT
            )
            if answer.status != _LOCKED or answer.uncertain or pause is None:
                break
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 (not a secret)
        return answer

    def _address(self, name: str) -> str:
        return self._url + quote(name, safe="")

    async def _describe(self) -> Found | None:
        body = propfind(f"{DAV}resourcetype", f"{DAV}current-user-privilege-set", _COMPONENTS)
        headers = {**_XML, "Depth": "0"}
        answer = await self._send("PROPFIND", self._url, headers=headers, data=body, name=_CALENDAR)
        if answer.status in _MISSING:
            return None
        if answer.status == 405:
            raise InvalidRequestError(f"{self.words}: {answer.system} does not speak WebDAV there")
        self._require(answer, 207)
        found = next(iter(parse(answer.body, answer.system)), None)
        return None if found is None or found.status in _MISSING else found

    def _require(self, answer: Response, *statuses: int) -> None:
        """Raise what the status means, unless it is one of `statuses`."""
        if answer.status not in statuses:
            error = self._error(answer)
            raise OutcomeUnknownError(str(error)) if answer.uncertain else error

    def _error(self, answer: Response) -> BackendError:
        conditions = _conditions(answer)
        if answer.status == 403 and (not conditions or "need-privileges" in conditions):
            return AuthFailedError(f"{self.words} may not be written with these credentials (403)")
        if answer.status == _LOCKED:
            return UnavailableError(f"{self.words} is locked (423)")
        if answer.status == 507:
            return UnavailableError(f"{self.words} is full (507)")
        if 300 <= answer.status < 400:
            return InvalidRequestError(f"{self.words} has moved: {answer.system} answered {answer.status}")
        if answer.status in _MISSING:
            return InvalidRequestError(f"{self.words} does not exist")
        return InvalidRequestError(f"{self.words}: {answer.system} answered {answer.status}{conditions}")


def _is_refused(answer: Response) -> bool:
    """Say whether a question was refused that another one may be answered for; not because of how much it finds."""
    return answer.status in _REFUSED and TOO_MANY not in names_in(answer.body)


def _conditions(answer: Response) -> str:
    """Return, in brackets, what a server says was not met: it names that as elements of its error (RFC 4918, 16)."""
    names = names_in(answer.body) - {f"{DAV}error", f"{DAV}responsedescription"}
    found = sorted(name.rpartition("}")[2] for name in names if name.startswith((DAV, CALDAV)))
    return f" ({', '.join(found)})" if found else ""


def _strong(etag: str) -> str:
    # Proxies that compress mark ETags as weak; the server behind them compares its own, which is not.
    return etag.strip().removeprefix("W/")
