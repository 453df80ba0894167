"""What is wrong with a CalDAV server is said in words, and what it means for the caller is said by the class."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from actions.errors import (
    AuthFailedError,
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    SlotTakenError,
    UnavailableError,
)
from actions.scheduling.caldav import CalDavCalendar, CalDavSettings, collection, open_calendar
from actions.transport import open_session
from tests.actions.clinic import BERLIN
from tests.actions.scheduling.caldav.caldav_servers import xandikos
from tests.actions.scheduling.caldav.caldav_system import PASSWORD, READER, CalDavSystem
from tests.actions.scheduling.calendar_contract import HALF_PAST_NINE, TEN, ask_free, entry_at

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]

Answer = tuple[int, str]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@asynccontextmanager
async def answering(
    session: aiohttp.ClientSession, answers: dict[str, Answer], **settings: object
) -> AsyncIterator[CalDavCalendar]:
    """A calendar on a server that gives the same answer to each request of a method, and 404 to all others."""

    async def answer(request: web.Request) -> web.Response:
        status, body = answers.get(request.method, (404, ""))
        etag = {"ETag": '"1"'} if "no etag" not in answers else {}
        return web.Response(status=status, text=body, headers={**etag, "Location": "/elsewhere/"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        values = {"type": "caldav", "url": str(server.make_url("/")), "calendars": {"practice": "cal/"}, **settings}
        yield open_calendar(CalDavSettings.model_validate({"transport": {"attempts": 1}, **values}), session, BERLIN)


def multistatus(properties: str = "", status: str = "200 OK") -> str:
    return (
        '<d:multistatus xmlns:d="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav"><d:response><d:href>/cal/</d:href>'
        f"<d:propstat><d:prop>{properties}</d:prop><d:status>HTTP/1.1 {status}</d:status></d:propstat>"
        "</d:response></d:multistatus>"
    )


CALENDAR = "<d:resourcetype><d:collection/><cal:calendar/></d:resourcetype>"
TASKS = '<cal:supported-calendar-component-set><cal:comp name="VTODO"/></cal:supported-calendar-component-set>'
NOBODY = multistatus().replace("<d:response>", "<!--").replace("</d:response>", "-->")
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'


PINGS: dict[str, tuple[Answer, type[BackendError], str]] = {
    "a web site": ((200, "<html>welcome</html>"), InvalidRequestError, r"answered 200"),
    "no WebDAV": ((405, ""), InvalidRequestError, "does not speak WebDAV"),
    "no XML": ((207, "welcome"), InvalidRequestError, "not a WebDAV multistatus"),
    "other XML": ((207, "<a/>"), InvalidRequestError, "not a WebDAV multistatus"),
    "hostile XML": ((207, LAUGHS), InvalidRequestError, "not a WebDAV multistatus"),
    "nothing there": ((404, ""), InvalidRequestError, "does not exist; create it"),
    "nothing in it": ((207, NOBODY), InvalidRequestError, "does not exist; create it"),
    "no calendar": ((207, multistatus("<d:resourcetype/>")), InvalidRequestError, "is not a calendar"),
    "a secret type": ((207, multistatus(CALENDAR, "403 Forbidden")), InvalidRequestError, "is not a calendar"),
    "tasks only": ((207, multistatus(CALENDAR + TASKS)), InvalidRequestError, "takes no events, only VTODO"),
    "moved": ((301, ""), InvalidRequestError, "has moved"),
    "no password": ((401, ""), AuthFailedError, r"calendar of practice .*refused the credentials"),
    "not allowed": ((403, ""), AuthFailedError, "calendar of practice"),
    "broken": ((500, ""), UnavailableError, "answered 500"),
}


@pytest.mark.parametrize(("answer", "error", "words"), PINGS.values(), ids=PINGS)
async def test_a_ping_says_what_is_wrong(
    answer: Answer, error: type[BackendError], words: str, session: aiohttp.ClientSession
) -> None:
    """In one sentence that names the calendar."""
    async with answering(session, {"PROPFIND": answer}) as calendar:
        with pytest.raises(error, match=words):
            await calendar.ping()


async def test_a_calendar_that_tells_little_is_good_enough(session: aiohttp.ClientSession) -> None:
    """Privileges and kinds of components are not told by every server."""
    async with answering(session, {"PROPFIND": (207, multistatus(CALENDAR)), "REPORT": (207, NOBODY)}) as calendar:
        await calendar.ping()


async def test_a_server_that_is_not_there_is_unavailable(session: aiohttp.ClientSession) -> None:
    """Nothing listens on the port."""
    async with answering(session, {}) as calendar:
        pass
    with pytest.raises(UnavailableError, match="refuses connections"):
        await calendar.ping()
    with pytest.raises(UnavailableError):
        await calendar.write(entry_at())


ODD_RULE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20261101T000000Z
SUMMARY:secret
DTSTART:20261124T090000Z
DTEND:20261124T093000Z
RRULE:FREQ=YEARLY;RSCALE=CHINESE
END:VEVENT
END:VCALENDAR
"""


@asynccontextmanager
async def two_calendars(
    session: aiohttp.ClientSession, refusal: int | None, everything: bool, **limits: float
) -> AsyncIterator[tuple[CalDavCalendar, list[str]]]:
    """Two calendars on a server; that of "practice" refuses each question for a time, or everything.

    With None it does not answer, until the end of the block.
    """
    asked: list[str] = []
    end = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        body = await request.text()
        is_timed = "time-range" in body
        asked.append(f"{request.path} for a time" if is_timed else request.path)
        if request.path.startswith("/odd/") and (everything or is_timed):
            if refusal is None:
                await end.wait()
            return web.Response(status=refusal or 500)
        if request.method == "PROPFIND":
            return web.Response(status=207, text=multistatus(CALENDAR))
        data = f"<d:getetag>1</d:getetag><cal:calendar-data>{ODD_RULE}</cal:calendar-data>"
        found = multistatus(data).replace("/cal/", "/odd/odd-rule.ics") if request.path == "/odd/" else NOBODY
        return web.Response(status=207, text=found)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        values = {"type": "caldav", "url": str(server.make_url("/")), "transport": {"attempts": 1, **limits}}
        places = {"practice": "odd/", "specialist": "good/"}
        try:
            yield open_calendar(CalDavSettings.model_validate({**values, "calendars": places}), session, BERLIN), asked
        finally:
            end.set()


@pytest.mark.parametrize("refusal", [400, 403, 500, 501, 502, 503, 504])
async def test_a_calendar_that_refuses_questions_for_a_time_is_asked_without(
    refusal: int, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """One odd event does not make it unbookable; the log names the calendar and the event, not what stands there."""
    async with two_calendars(session, refusal, everything=False) as (calendar, _):
        for _ in range(8):
            assert list(await calendar.free([HALF_PAST_NINE, TEN])) == [HALF_PAST_NINE]
        await calendar.ping()

    told = [vars(record) for record in caplog.records]
    assert {one["resource"] for one in told if one["msg"] == "caldav.asked_without_time"} == {"practice"}
    unreadable = [(one["resource"], one["object"]) for one in told if one["msg"] == "caldav.rule_unreadable"]
    assert set(unreadable) == {("practice", "odd-rule.ics")}
    assert "secret" not in caplog.text


async def test_a_calendar_that_works_on_a_time_for_ever_is_asked_without(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: each question would keep the server busy. Neither the calendar nor its neighbour is left alone for that."""
    monkeypatch.setattr(collection, "_PART_OF_TIME", 0.04)
    async with two_calendars(session, None, everything=False, breaker_failures=1) as (calendar, asked):
        for _ in range(3):
            assert list(await calendar.free([HALF_PAST_NINE, TEN])) == [HALF_PAST_NINE]
        specialist = replace(TEN, resource="specialist")
        assert list(await calendar.free([specialist])) == [specialist]
        await calendar.ping()

    assert asked.count("/odd/ for a time") == 1
    told = [(vars(record)["resource"], vars(record)["problem"]) for record in without_time(caplog)]
    assert told.count(("practice", "no answer within 0.2 s")) == 1


def without_time(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.msg == "caldav.asked_without_time"]


async def test_a_calendar_that_answers_nothing_is_asked_for_a_time_again(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not the time that was too much; everything would be more yet."""
    async with two_calendars(session, None, everything=True, read_timeout=0.2) as (calendar, _):
        for _ in range(2):
            with pytest.raises(UnavailableError, match=r"the calendar of practice .* did not answer within"):
                await calendar.free([TEN])

    assert len(without_time(caplog)) == 2


async def test_a_rule_that_xandikos_cannot_read_does_not_close_the_calendar(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    """It answers 500 to each question for a time, six times: then its index hides the event."""
    with xandikos(tmp_path) as server:
        system = CalDavSystem(server, session, server.make_calendar("practice"))
        system.write_by_hand("DTSTART:20261117T090000Z", "DURATION:PT30M", "RRULE:RSCALE=GREGORIAN;FREQ=WEEKLY")
        calendar = await system.open()

        assert await ask_free(calendar, [HALF_PAST_NINE, TEN]) == [HALF_PAST_NINE]
        await calendar.write(entry_at(HALF_PAST_NINE))
        await calendar.ping()


async def test_a_calendar_that_fails_takes_no_other_with_it(session: aiohttp.ClientSession) -> None:
    """Its neighbour on the server is asked as before; a ping says which of them fails."""
    async with two_calendars(session, 500, everything=True) as (calendar, asked):
        for _ in range(12):
            with pytest.raises(UnavailableError, match="the calendar of practice"):
                await calendar.free([TEN])
        refused = len(asked)
        with pytest.raises(UnavailableError, match=r"the calendar of practice .* failed repeatedly"):
            await calendar.free([TEN])
        assert len(asked) == refused

        specialist = replace(TEN, resource="specialist")
        assert list(await calendar.free([specialist])) == [specialist]
        with pytest.raises(UnavailableError, match="the calendar of practice"):
            await calendar.ping()


async def test_a_ping_asks_what_an_appointment_asks(session: aiohttp.ClientSession) -> None:
    """A calendar that is there and answers no question cannot be booked in."""
    async with answering(session, {"PROPFIND": (207, multistatus(CALENDAR)), "REPORT": (500, "")}) as calendar:
        with pytest.raises(UnavailableError, match=r"the calendar of practice .* answered 500"):
            await calendar.ping()


CONDITION = '<error xmlns="DAV:"><{} xmlns="urn:ietf:params:xml:ns:caldav"/></error>'
WRITES: dict[str, tuple[dict[str, Answer], type[BackendError], str]] = {
    "locked": ({"PUT": (423, "")}, UnavailableError, "locked"),
    "full": ({"PUT": (507, "")}, UnavailableError, "full"),
    "not allowed": ({"PUT": (403, "")}, AuthFailedError, "may not be written"),
    "not allowed, in XML": (
        {"PUT": (403, '<error xmlns="DAV:"><need-privileges/></error>')},
        AuthFailedError,
        "may not be written",
    ),
    "a condition": ({"PUT": (403, CONDITION.format("min-date-time"))}, InvalidRequestError, r"403 \(min-date-time\)"),
    "too large": ({"PUT": (413, "")}, InvalidRequestError, "413"),
    "moved": ({"PUT": (308, "")}, InvalidRequestError, "has moved"),
    "no folder": ({"PUT": (409, "")}, InvalidRequestError, "does not exist"),
    "always in conflict": ({"PUT": (412, ""), "PROPFIND": (207, multistatus(CALENDAR))}, SlotTakenError, "taken"),
    "failed": ({"PUT": (500, "")}, OutcomeUnknownError, "500"),
    "held by nobody knows whom": ({"PUT": (412, ""), "GET": (500, "")}, OutcomeUnknownError, "500"),
    "held by what is no event": ({"PUT": (412, ""), "GET": (200, "welcome")}, SlotTakenError, "taken"),
}


@pytest.mark.parametrize(("answers", "error", "words"), WRITES.values(), ids=WRITES)
async def test_a_refused_write_is_the_error_that_it_is(
    answers: dict[str, Answer], error: type[BackendError], words: str, session: aiohttp.ClientSession
) -> None:
    """The class says whether something may have happened and whether a repeat helps."""
    async with answering(session, answers) as calendar:
        with pytest.raises(error, match=words):
            await calendar.write(entry_at())


async def test_a_write_that_cannot_be_looked_after_is_given_back(session: aiohttp.ClientSession) -> None:
    """The look fails: the object is there and cannot be read either, so nobody knows."""
    answers = {"PUT": (201, ""), "REPORT": (500, ""), "GET": (500, "")}
    async with answering(session, answers) as calendar:
        with pytest.raises(OutcomeUnknownError, match="left behind"):
            await calendar.write(entry_at())


async def test_nothing_is_deleted_without_knowing_its_version(session: aiohttp.ClientSession) -> None:
    """A server without ETags is no CalDAV server."""
    entry = entry_at()
    text = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{entry.uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    async with answering(session, {"GET": (200, text), "no etag": (0, "")}) as calendar:
        with pytest.raises(InvalidRequestError, match="ETag"):
            await calendar.remove(entry)


@pytest.mark.parametrize("status", [412, 423], ids=["changed all the time", "locked"])
async def test_what_cannot_be_removed_is_said(status: int, session: aiohttp.ClientSession) -> None:
    """It is safe to try again."""
    entry = entry_at()
    text = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{entry.uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    async with answering(session, {"GET": (200, text), "DELETE": (status, "")}) as calendar:
        with pytest.raises(UnavailableError):
            await calendar.remove(entry)


async def test_a_report_with_rubbish_in_it_keeps_what_can_be_read(session: aiohttp.ClientSession) -> None:
    """Responses without data, with a status of their own and with words for numbers."""
    event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20261124T090000Z\nDURATION:PT9M\nEND:VEVENT\nEND:VCALENDAR\n"
    answer = multistatus(f"<cal:calendar-data>{event}</cal:calendar-data>").replace(
        "<d:response>",
        "<d:response><d:href>/x</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>"
        "<d:response/><d:response><d:status>soon</d:status></d:response><d:response>",
        1,
    )
    async with answering(session, {"REPORT": (207, answer)}) as calendar:
        assert list(await calendar.free([TEN])) == []


async def test_wrong_credentials_are_named(system: CalDavSystem) -> None:
    """The password is not."""
    if not system.server.wants_credentials:
        pytest.skip("this server asks nobody")
    calendar = await system.open(password="wr0ng")
    calls: list[Callable[[], Awaitable[object]]] = [
        calendar.ping,
        lambda: calendar.write(entry_at()),
        lambda: calendar.free([TEN]),
    ]
    for call in calls:
        with pytest.raises(AuthFailedError, match="refused the credentials") as caught:
            await call()
        assert "wr0ng" not in repr(caught.value)


async def test_a_calendar_that_is_only_read_is_named(system: CalDavSystem) -> None:
    """Before the first patient is told so."""
    if not system.server.wants_credentials:
        pytest.skip("this server knows no users")
    calendar = await system.open(username=READER)

    assert list(await calendar.free([TEN])) == [TEN]
    with pytest.raises(AuthFailedError, match="can be read with these credentials, but not written"):
        await calendar.ping()
    with pytest.raises(AuthFailedError, match="may not be written"):
        await calendar.write(entry_at())


async def test_a_folder_is_no_calendar(system: CalDavSystem) -> None:
    """The address of the user's home instead of a calendar in it."""
    with pytest.raises(InvalidRequestError, match="is not a calendar"):
        await (await system.open(calendars={"practice": system.server.home})).ping()


async def test_a_password_may_stand_in_a_file(system: CalDavSystem, tmp_path: Path) -> None:
    """As Docker and Kubernetes hand secrets out, with a line break at its end."""
    if not system.server.wants_credentials:
        pytest.skip("this server asks nobody")
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    calendar = await system.open(password=None, password_file=file)
    await calendar.ping()

    with pytest.raises(AuthFailedError, match="password of the CalDAV server"):
        await (await system.open(password=None, password_file=tmp_path / "none")).ping()


async def test_a_token_is_sent_as_a_bearer_token(session: aiohttp.ClientSession) -> None:
    """To servers behind a single sign-on."""
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=207, text=multistatus(CALENDAR))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        values = {"type": "caldav", "url": str(server.make_url("/")), "calendars": {"practice": "cal"}, "token": "t0k"}
        await open_calendar(CalDavSettings.model_validate(values), session, BERLIN).ping()

    assert set(seen) == {"Bearer t0k"}
