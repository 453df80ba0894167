"""What is sent again and what is not, and how long is waited before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import aiohttp
import pytest
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from actions.errors import (
    AuthFailedError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from actions.transport.failures import retry_after
from tests.actions.transport.transport_servers import (
    HANGS,
    OK,
    Answer,
    closed_port,
    failing,
    read_request,
    remote,
    speaking,
    transport,
)

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
pytestmark = pytest.mark.usefixtures("no_waiting")

BROKEN = [("500", failing(500)), ("502", failing(502)), ("503", failing(503)), ("504", failing(504)), ("hangs", HANGS)]


@pytest.mark.parametrize("broken", [b[1] for b in BROKEN], ids=[b[0] for b in BROKEN])
async def test_only_what_is_repeatable_is_sent_again(session: aiohttp.ClientSession, broken: Answer) -> None:
    """Reads are; a write is if its caller says so, and then hears that a conflict may be with itself."""
    for method, repeatable, sent, uncertain in (
        ("GET", None, 3, False),
        ("REPORT", None, 3, False),
        ("GET", False, 1, None),
        ("PUT", True, 3, True),
        ("PUT", None, 1, None),
        ("DELETE", None, 1, None),
    ):
        async with remote(broken, broken, OK) as server:
            crm = transport(session, server.url, read_timeout=0.05)
            if sent > 1:
                answer = await crm.request(method, "x", repeatable=repeatable, data=b"same")
                assert answer.uncertain is uncertain
            else:
                with pytest.raises(UnavailableError if method == "GET" else OutcomeUnknownError):
                    await crm.request(method, "x", repeatable=repeatable, data=b"same")

        assert [asked.body for asked in server.asked] == [b"same"] * sent


async def test_a_broken_connection_is_made_again_for_reads(session: aiohttp.ClientSession) -> None:
    """The server closes a kept connection without having read anything: the next try has a new one."""
    heard: list[str] = []

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        # One request for each connection, though HTTP/1.1 promises more.
        await reader.read(1)

    async with speaking(conversation) as url:
        crm = transport(session, url)
        assert [(await crm.request("GET", str(n))).status for n in range(3)] == [200] * 3

    assert heard == [f"GET /{n} HTTP/1.1" for n in range(3)]


async def test_a_refused_connection_is_tried_again_for_reads_only(session: aiohttp.ClientSession) -> None:
    """A write that never left is safe to repeat, by its caller."""
    waits: list[str] = []
    set_on_retry_hooks([lambda details: waits.append(str(details.caused_by))])
    try:
        crm = transport(session, f"http://127.0.0.1:{closed_port()}", breaker_failures=100)
        for method in ("GET", "POST"):
            with pytest.raises(UnavailableError):
                await crm.request(method, "x")
    finally:
        set_on_retry_hooks(None)

    assert len(waits) == 2


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("limited", [failing(429, Retry_After="1"), failing(503, Retry_After="1"), failing(429)])
async def test_what_was_not_done_is_sent_again(session: aiohttp.ClientSession, limited: Answer, method: str) -> None:
    """Too many requests: nothing was carried out, so writes are repeated as well, and certain."""
    async with remote(limited, limited, OK) as server:
        answer = await transport(session, server.url).request(method, "x")

    assert (server.methods, answer.uncertain) == ([method] * 3, False)


@pytest.fixture
def waits(no_waiting: None) -> Iterator[list[float]]:
    """Real waits, written down before they begin."""
    found: list[float] = []

    def note(details: RetryDetails) -> None:
        found.append(details.wait_for)

    stamina.set_testing(False)
    set_on_retry_hooks([note])
    yield found
    set_on_retry_hooks(None)


async def test_retry_after_is_waited_for(session: aiohttp.ClientSession, waits: list[float]) -> None:
    """As long as it says, and not as long as we would have chosen."""
    async with remote(failing(429, Retry_After="0.02"), failing(429, Retry_After="0"), OK) as server:
        await transport(session, server.url).request("POST", "x")

    assert waits == [0.02, 0.0]


async def test_our_own_waits_grow_and_vary(session: aiohttp.ClientSession, waits: list[float]) -> None:
    """From a tenth of a second on, with a part by chance, so that many do not come back as one."""
    async with remote(failing(500), failing(500), OK) as server:
        await transport(session, server.url).request("GET", "x")

    assert 0.1 <= waits[0] <= 0.2 <= waits[1] <= 0.3


@pytest.mark.parametrize("limited", [failing(429, Retry_After="30"), failing(503, Retry_After="30")])
async def test_a_wait_that_does_not_fit_is_not_begun(
    session: aiohttp.ClientSession, limited: Answer, waits: list[float]
) -> None:
    """The caller hears at once how long it would be."""
    async with remote(then=limited) as server:
        with pytest.raises(RateLimitedError) as caught:
            await transport(session, server.url, total_timeout=8).request("GET", "x")

    assert (caught.value.retry_after, len(server.asked), waits) == (30.0, 1, [])


async def test_no_try_is_begun_that_could_not_end(session: aiohttp.ClientSession, waits: list[float]) -> None:
    """With less time left than the wait may take, the failure is told at once."""
    async with remote(then=failing(500)) as server:
        with pytest.raises(UnavailableError, match="500"):
            await transport(session, server.url, total_timeout=0.2).request("GET", "x")

    assert (len(server.asked), waits) == (1, [])


NOW = datetime(2026, 11, 22, 16, 20, tzinfo=timezone.utc)
HTTP_NOW = format_datetime(NOW, usegmt=True)
RETRY_AFTER: list[tuple[str, str | None, float | None]] = [
    ("120", None, 120.0),
    ("0", None, 0.0),
    (" 1.5 ", None, 1.5),
    (format_datetime(NOW + timedelta(seconds=90), usegmt=True), HTTP_NOW, 90.0),
    (format_datetime(NOW - timedelta(seconds=90), usegmt=True), HTTP_NOW, 0.0),
    ("Sunday, 22-Nov-26 16:21:00 GMT", HTTP_NOW, 60.0),
    ("Sun Nov 22 16:21:00 2026", HTTP_NOW, 60.0),
    ("", None, None),
    ("-1", None, None),
    ("soon", None, None),
    ("1e400", None, None),
    ("9" * 400, None, None),
    ("Sun, 99 Nov 2026 16:21:00 GMT", None, None),
]


@pytest.mark.parametrize(("text", "date", "seconds"), RETRY_AFTER, ids=[r[0][:40] or "empty" for r in RETRY_AFTER])
def test_retry_after_is_understood(text: str, date: str | None, seconds: float | None) -> None:
    """Seconds, and each of HTTP's three dates, by the clock of the system that sent it."""
    assert retry_after({"Retry-After": text, **({"Date": date} if date else {})}) == seconds


def test_a_date_without_the_system_s_clock_is_measured_by_ours() -> None:
    """To a second, which is how exact such a date is."""
    soon = format_datetime(datetime.fromtimestamp(int(time.time()) + 1000, timezone.utc), usegmt=True)

    assert 900 < (retry_after({"Retry-After": soon}) or 0) <= 1000


AFTERWARDS = [failing(401), failing(403), failing(429, Retry_After="99"), failing(501), Answer(body=b"x" * 2000)]


@pytest.mark.parametrize("second", AFTERWARDS, ids=["401", "403", "429", "501", "too large"])
async def test_what_may_have_happened_is_not_denied_later(session: aiohttp.ClientSession, second: Answer) -> None:
    """The first try of a write broke off, the second one did nothing for sure: the outcome is unknown."""
    async with remote(HANGS, second) as server:
        crm = transport(session, server.url, read_timeout=0.05, max_response_bytes=1024)
        with pytest.raises(OutcomeUnknownError):
            await crm.request("PUT", "x", repeatable=True)

    assert len(server.asked) == 2


async def test_refused_credentials_are_not_tried_again(session: aiohttp.ClientSession) -> None:
    """An account is locked sooner than a password gets right."""
    async with remote(then=failing(401)) as server:
        with pytest.raises(AuthFailedError):
            await transport(session, server.url).request("GET", "x")

    assert len(server.asked) == 1
