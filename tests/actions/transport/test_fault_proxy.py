"""The proxy that breaks requests does what it says, in this process and in one of its own."""

from __future__ import annotations

import asyncio
import gzip

import aiohttp
import pytest

from actions.errors import OutcomeUnknownError, RateLimitedError, UnavailableError
from tests.actions.transport.fault_proxy import Fault, FaultProxy, proxy_process, too_many_requests
from tests.actions.transport.transport_servers import Answer, remote, transport

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
pytestmark = pytest.mark.usefixtures("no_waiting")


async def test_everything_is_forwarded(session: aiohttp.ClientSession) -> None:
    """Method, target as it was written, headers and bodies in both directions, compressed ones too."""
    packed = Answer(412, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip", "ETag": '"7"', "Location": "/x"})
    async with remote(packed) as server, FaultProxy.open(server.url) as proxy:
        dav = transport(session, proxy.url)
        answer = await dav.request("PROPFIND", "a%2Fb/ü?x=1%202", data=b"<xml/>", headers={"Depth": "1"})

    asked = server.asked[0]
    assert (asked.method, asked.target, asked.body) == ("PROPFIND", "/a%2Fb/%C3%BC?x=1%202", b"<xml/>")
    assert (asked.headers["Depth"], asked.headers["Host"]) == ("1", proxy.url.removeprefix("http://"))
    assert (answer.status, answer.headers["ETag"], answer.headers["Location"]) == (412, '"7"', "/x")
    assert answer.json() == {"a": 1}
    assert proxy.done == {"forward": 1}


# What is done, what the client of a write hears, and how many requests the server hears of.
ACTIONS: list[tuple[Fault, type[Exception], str, int]] = [
    (Fault("reset"), OutcomeUnknownError, "broke the connection off", 0),
    (Fault("forward_then_reset"), OutcomeUnknownError, "broke the connection off", 1),
    (Fault("answer"), OutcomeUnknownError, "answered 500", 0),
    (Fault("forward_then_answer", status=502), OutcomeUnknownError, "answered 502", 1),
    (Fault("hang"), OutcomeUnknownError, "did not answer", 0),
    (Fault("forward_then_hang"), OutcomeUnknownError, "did not answer", 1),
    (too_many_requests(retry_after="99"), RateLimitedError, "429", 0),
    (too_many_requests(), RateLimitedError, "429", 0),
]


@pytest.mark.parametrize(("fault", "error", "words", "heard"), ACTIONS, ids=[f"{a[0].action}-{a[3]}" for a in ACTIONS])
async def test_a_request_is_broken(
    session: aiohttp.ClientSession, fault: Fault, error: type[Exception], words: str, heard: int
) -> None:
    """The client cannot know; the server and the proxy's counts do. The next request is forwarded."""
    async with remote() as server:
        async with FaultProxy.open(server.url, fault) as proxy:
            crm = transport(session, proxy.url, read_timeout=0.2, attempts=1)
            with pytest.raises(error, match=words):
                await crm.request("POST", "x", data=b"body")
            assert len(server.asked) == heard
            assert proxy.done == {fault.action: 1, **({"forward": 1} if heard else {})}
            assert (await crm.request("POST", "x")).status == 200
        # What hung at the proxy's end never reached the server.
        assert len(server.asked) == heard + 1


async def test_only_chosen_requests_are_broken(session: aiohttp.ClientSession) -> None:
    """By method, path, number and how often; each fault counts what matches it."""
    faults = [
        Fault("answer", "PUT", r"/b/\d$", nth=2, times=2, status=418),
        Fault("answer", path="/b/1", nth=3, times=None, status=409),
    ]
    async with remote() as server, FaultProxy.open(server.url, *faults) as proxy:
        crm = transport(session, proxy.url)
        requests = [("PUT", "b/1"), ("GET", "b/1"), ("PUT", "b/2"), ("PUT", "a"), ("PUT", "b/1"), ("PUT", "b/1")]
        heard = [(await crm.request(method, path)).status for method, path in requests]
        proxy.plan()
        heard.append((await crm.request("PUT", "b/1")).status)

    assert heard == [200, 200, 418, 200, 418, 409, 200]
    assert proxy.done == {"forward": 4, "answer": 3}


@pytest.mark.parametrize(("action", "before"), [("hang", 0), ("forward_then_hang", 1)])
async def test_what_hangs_can_be_released(session: aiohttp.ClientSession, action: str, before: int) -> None:
    """A test knows that it hangs, and lets it go on."""
    fault = Fault(action)  # type: ignore[arg-type]
    async with remote() as server, FaultProxy.open(server.url, fault) as proxy:
        task = asyncio.create_task(transport(session, proxy.url).request("POST", "x"))
        await proxy.wait_for(action)
        assert len(server.asked) == before
        proxy.release()

        assert (await task).status == 200
        assert len(server.asked) == 1


async def test_a_late_request_is_done_though_nobody_waits(session: aiohttp.ClientSession) -> None:
    """Its client gave up; released, it reaches the server: what makes an outcome truly unknown."""
    async with remote() as server, FaultProxy.open(server.url, Fault("hang", "PUT")) as proxy:
        crm = transport(session, proxy.url, read_timeout=0.05, attempts=1)
        with pytest.raises(OutcomeUnknownError):
            await crm.request("PUT", "x")
        assert server.asked == []
        proxy.release()
        await server.wait_for(1)

    assert server.methods == ["PUT"]


async def test_a_process_of_its_own_is_shared(session: aiohttp.ClientSession) -> None:
    """Several clients see one count; faults are given as data, and it can be waited for and released."""
    async with remote() as server:
        faults = (
            Fault("answer", path="/a", status=500, headers=(("X-By", "proxy"),), body="no"),
            Fault("hang", "POST"),
        )
        # What follows waits without the loop, which the server needs.
        context = proxy_process(server.url, *faults)
        proxy = await asyncio.to_thread(context.__enter__)
        try:
            crm, calendar = transport(session, proxy.url), transport(session, proxy.url)
            answer = await crm.request("GET", "a", accept=(500,))
            assert (answer.status, answer.headers["X-By"], answer.text) == (500, "proxy", "no")
            assert (await calendar.request("GET", "a")).status == 200
            task = asyncio.create_task(crm.request("POST", "b"))
            await asyncio.to_thread(proxy.wait_for, "hang")
            await asyncio.to_thread(proxy.release)
            assert (await task).status == 200
            await asyncio.to_thread(proxy.plan, Fault("reset", times=None))
            with pytest.raises(UnavailableError):
                await calendar.request("GET", "a")
            done = await asyncio.to_thread(lambda: proxy.done)
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)

    assert done == {"answer": 1, "forward": 2, "hang": 1, "reset": 3}
