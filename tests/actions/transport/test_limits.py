"""The breaker of a host and the pace of a system."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
import pytest

from actions.errors import (
    BackendError,
    RateLimitedError,
    UnavailableError,
)
from actions.transport.pace import Deadline, Pace, TooFast, bucket
from tests.actions.transport.token_servers import oauth, token
from tests.actions.transport.transport_servers import HANGS, OK, Answer, failing, remote, transport

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
pytestmark = pytest.mark.usefixtures("no_waiting")


async def test_a_host_that_fails_is_left_alone(session: aiohttp.ClientSession) -> None:
    """After so many failures in a row; writes and other systems at that host included, other hosts not."""
    async with remote(then=failing(500)) as server, remote() as other:
        crm = transport(session, f"{server.url}/crm", breaker_failures=4)
        for _ in range(2):
            with pytest.raises(UnavailableError, match=r"^crm failed: it answered 500$"):
                await crm.request("GET", "x")
        assert len(server.asked) == 4  # three tries, and one: a host that is left alone is not tried again

        with pytest.raises(UnavailableError, match=r"failed repeatedly and is not asked for .* it answered 500"):
            await crm.request("POST", "x")
        with pytest.raises(UnavailableError, match="calendar"):
            await type(crm)(session, "calendar", f"{server.url}/dav").request("POST", "x")
        assert (await transport(session, other.url).request("GET", "x")).status == 200

    assert len(server.asked) == 4


async def test_a_part_that_fails_is_left_alone_alone(session: aiohttp.ClientSession) -> None:
    """A calendar that is broken answers 500; the host answers, and others on it are asked as before."""
    async with remote(then=failing(500)) as server:
        crm = transport(session, server.url, breaker_failures=2, attempts=1)
        for _ in range(2):
            with pytest.raises(UnavailableError, match="it answered 500"):
                await crm.request("GET", "x", part="one")
        with pytest.raises(UnavailableError, match="failed repeatedly"):
            await crm.request("GET", "x", part="one")
        with pytest.raises(UnavailableError, match="it answered 500"):
            await crm.request("GET", "x", part="other")
        with pytest.raises(UnavailableError, match="it answered 500"):
            await crm.request("GET", "x")

    assert len(server.asked) == 4


@pytest.mark.parametrize("answer", [failing(504), HANGS], ids=["a proxy waits in vain", "nobody answers"])
async def test_a_part_that_takes_too_long_is_left_alone_alone(session: aiohttp.ClientSession, answer: Answer) -> None:
    """The host may be there for the others, and counts as it did before."""
    async with remote(then=lambda asked: answer if asked.target == "/slow" else OK) as server:
        crm = transport(session, server.url, breaker_failures=2, attempts=1, read_timeout=0.1)
        for _ in range(2):
            with pytest.raises(UnavailableError, match=r"did not answer within 0\.1 s|it answered 504"):
                await crm.request("GET", "slow", part="one")
        with pytest.raises(UnavailableError, match="failed repeatedly"):
            await crm.request("GET", "slow", part="one")
        assert (await transport(session, server.url).request("GET", "x", part="other")).status == 200


async def test_a_host_that_is_gone_is_gone_with_all_its_parts(session: aiohttp.ClientSession) -> None:
    """What is no answer of a part, or an answer for the whole host, counts as before."""
    async with remote(then=failing(502)) as server:
        crm = transport(session, server.url, breaker_failures=2, attempts=1)
        for part in ("one", "other"):
            with pytest.raises(UnavailableError, match="it answered 502"):
                await crm.request("GET", "x", part=part)
        with pytest.raises(UnavailableError, match="failed repeatedly"):
            await crm.request("GET", "x", part="third")

    assert len(server.asked) == 2


async def test_an_answer_that_is_accepted_is_no_failure_of_the_host(session: aiohttp.ClientSession) -> None:
    """The caller knows what it means."""
    async with remote(then=failing(507)) as server:
        crm = transport(session, server.url, breaker_failures=1)
        for _ in range(3):
            assert (await crm.request("PUT", "x", accept=(507,))).status == 507

    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 429])
async def test_refusals_are_not_failures_of_a_host(session: aiohttp.ClientSession, status: int) -> None:
    """Whoever says no is there; it even ends a row of failures."""
    answers = [failing(500), failing(status)] * 5
    async with remote(*answers) as server:
        crm = transport(session, server.url, breaker_failures=2, attempts=1)
        for _ in answers:
            try:
                await crm.request("GET", "x")
            except BackendError as exc:
                assert "failed repeatedly" not in str(exc)  # noqa: PT017 (some of the statuses are not errors)

    assert len(server.asked) == len(answers)


async def test_who_gives_up_says_nothing_about_a_host(session: aiohttp.ClientSession) -> None:
    """Cancelled callers, and those who come with the last of their time, do not make it look broken."""
    async with remote(then=HANGS) as server:
        crm = transport(session, server.url, breaker_failures=1, attempts=1)
        task = asyncio.create_task(crm.request("GET", "x"))
        await server.wait_for(1)
        task.cancel()
        await asyncio.wait([task])
        hurried = transport(session, server.url, breaker_failures=1, attempts=1, total_timeout=0.05)
        with pytest.raises(UnavailableError, match="did not answer"):
            await hurried.request("GET", "x")
        patient = transport(session, server.url, breaker_failures=1, attempts=1, read_timeout=0.05)
        for words in ("did not answer", "failed repeatedly"):
            with pytest.raises(UnavailableError, match=words):
                await patient.request("GET", "x")

    assert len(server.asked) == 3


async def test_who_gives_up_does_not_end_a_row_of_failures(session: aiohttp.ClientSession) -> None:
    """He does not say that the host is well, either."""
    async with remote(failing(500), HANGS, failing(500)) as server:
        for seconds in (30, 0.05, 30):
            crm = transport(session, server.url, breaker_failures=2, attempts=1, total_timeout=seconds)
            with pytest.raises(UnavailableError):
                await crm.request("GET", "x")
        with pytest.raises(UnavailableError, match="failed repeatedly"):
            await crm.request("GET", "x")

    assert len(server.asked) == 3


async def test_for_a_host_that_is_left_alone_nothing_is_fetched(session: aiohttp.ClientSession) -> None:
    """No token, no place in its pace."""
    async with remote(then=failing(500)) as server, remote(then=token()) as endpoint:
        crm = transport(session, server.url, oauth(session, endpoint.url), breaker_failures=1, attempts=1)
        with pytest.raises(UnavailableError, match="500"):
            await crm.request("GET", "x")
        await crm._credentials.renew(await crm._credentials.headers())
        fetched = len(endpoint.asked)
        with pytest.raises(UnavailableError, match="failed repeatedly"):
            await crm.request("GET", "x")

    assert len(endpoint.asked) == fetched


async def test_one_request_finds_out_whether_a_host_is_back(session: aiohttp.ClientSession) -> None:
    """When the pause is over, one of many goes through; when it succeeds, all do. Over real requests."""
    async with remote(failing(500), HANGS) as server:
        crm = transport(session, server.url, breaker_failures=1, breaker_pause=0.001, attempts=1)
        with pytest.raises(UnavailableError):
            await crm.request("GET", "x")
        await asyncio.sleep(0.01)  # the pause
        probe = asyncio.create_task(crm.request("GET", "x"))
        await server.wait_for(2)
        refused = await asyncio.gather(*(crm.request("GET", "x") for _ in range(20)), return_exceptions=True)
        server.let_go()
        await probe
        passed = await asyncio.gather(*(crm.request("GET", "x") for _ in range(20)))

    assert Counter(type(r).__name__ for r in refused) == {"UnavailableError": 20}
    assert len(server.asked) == 2 + len(passed)


async def test_more_than_the_limit_hear_so(session: aiohttp.ClientSession) -> None:
    """Who cannot be served before his deadline hears it at once, with the time it takes; nothing is sent for him."""
    async with remote() as server:
        crm = transport(session, server.url, rate=(1, 3600.0))
        await crm.request("POST", "x")
        with pytest.raises(RateLimitedError, match="more requests for crm than its limit allows") as caught:
            await crm.request("POST", "x")

    assert (caught.value.retry_after, len(server.asked)) == (3600.0, 1)


@pytest.mark.parametrize(("requests", "seconds"), [(1, 1.0), (2, 1.0), (5, 10.0), (10, 10.0), (190, 10.0), (7, 3.0)])
def test_no_window_holds_more_than_the_limit(requests: int, seconds: float) -> None:
    """Callers who take every place as soon as there is one: no window of the period sees more than the limit."""
    size, period = bucket(requests, seconds)
    level, now, sent = 0.0, 0.0, []
    while now < 4 * seconds:
        if level + 1 <= size + 1e-9:
            level += 1
            sent.append(now)
        else:
            wait = (level + 1 - size) * period / size
            now, level = now + wait, level - wait * size / period

    most = max(sum(1 for other in sent if start <= other < start + seconds - 1e-6) for start in sent)
    assert most <= requests
    # And the limit is used: what it allows in four periods, but for the first burst.
    assert len(sent) >= 0.7 * 4 * requests


async def test_those_who_wait_are_let_through_in_turn() -> None:
    """Many at once get their places one after the other; who is too far behind is not kept waiting."""
    pace = Pace((1, 0.01))
    order: list[int] = []

    async def ask(number: int, seconds: float) -> None:
        await pace.wait(Deadline(seconds))
        order.append(number)

    outcomes = await asyncio.gather(*(ask(n, 30 if n < 5 else 0.0) for n in range(6)), return_exceptions=True)

    assert order == [0, 1, 2, 3, 4]
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 5 + [TooFast]


async def test_nobody_waits_in_vain() -> None:
    """A place that comes too late is told at once, and not when the time is over."""
    pace = Pace((1, 3600.0))
    await pace.wait(Deadline(1000))

    with pytest.raises(TooFast) as caught:
        await asyncio.wait_for(pace.wait(Deadline(1000)), 10)
    assert caught.value.seconds == 3600.0


async def test_a_second_try_needs_a_place_as_well(session: aiohttp.ClientSession) -> None:
    """A retry is a request."""
    async with remote(failing(500), OK) as server:
        crm = transport(session, server.url, rate=(1, 3600.0))
        with pytest.raises(RateLimitedError):
            await crm.request("GET", "x")

    assert len(server.asked) == 1
