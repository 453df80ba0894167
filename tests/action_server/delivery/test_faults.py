"""Engines that answer as none should, and what stands before them: nothing is said twice, or to somebody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from action_server.delivery import engine as engine_module
from action_server.delivery.trackers import _read_plainly, read_tracker
from action_server.errors import DeliveryError
from action_server.jobs.marks import MARK, marks_of
from tests.action_server.delivery.delivery_fixtures import Opening
from tests.action_server.delivery.engine_stand_in import EngineStandIn, engine_stand_in

pytest_plugins = ["tests.databases", "tests.action_server.delivery.delivery_fixtures"]

# What stands before an engine does with a request: an answer of its own, or None to hand it on.
Deed = Callable[[web.Request, Callable[[], Awaitable[web.Response]]], Awaitable[web.Response]]


@asynccontextmanager
async def before(engine: EngineStandIn, deed: Deed, change: Callable[[str], str] = str) -> AsyncIterator[str]:
    """Stand before an engine; ``change`` makes its path of one that was asked for."""

    async def take(request: web.Request) -> web.Response:
        body = await request.read()

        async def hand_on() -> web.Response:
            url = URL(engine.url + change(request.rel_url.raw_path), encoded=True).with_query(request.query)
            async with session.request(request.method, url, data=body) as answered:
                return web.Response(body=await answered.read(), status=answered.status, content_type="application/json")

        return await deed(request, hand_on)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        try:
            yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        finally:
            await runner.cleanup()


async def hand_all_on(_: web.Request, hand_on: Callable[[], Awaitable[web.Response]]) -> web.Response:
    return await hand_on()


def answering(response: Callable[[], web.Response]) -> Deed:
    """Answer events with this, and do nothing about them."""

    async def deed(request: web.Request, hand_on: Callable[[], Awaitable[web.Response]]) -> web.Response:
        return response() if request.path.endswith("/events") else await hand_on()

    return deed


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_proxy_that_gives_up_has_nothing_said_twice(
    opened: Opening, engine: EngineStandIn, status: int
) -> None:
    """The engine waits for the conversation's lock all the same, and says it in its turn."""
    sent: list[asyncio.Future[web.Response]] = []

    async def give_up(request: web.Request, hand_on: Callable[[], Awaitable[web.Response]]) -> web.Response:
        if not request.path.endswith("/events"):
            return await hand_on()
        sent.append(asyncio.ensure_future(hand_on()))
        await engine.arrived.wait()
        return web.Response(status=status)

    async with before(engine, give_up) as url:
        post = opened(engine=url)
        async with engine.trackers["ann"].lock:
            with pytest.raises(DeliveryError, match=f"answered {status} to events.*is not known") as refused:
                await post.send()
            assert refused.value.is_unknown
            with pytest.raises(DeliveryError, match="nothing is repeated for 60 s"):
                await post.send()
        await asyncio.gather(*sent)
        await post.send()

    assert engine.said == [("ann", "It is ready.")]


ANSWERS: list[tuple[str, Callable[[], web.Response], str]] = [
    ("a page", lambda: web.Response(text="<html>Log in</html>", content_type="text/html"), "a page of HTML"),
    ("a list", lambda: web.json_response([]), "not as Rasa's HTTP API does"),
    ("a word", lambda: web.Response(text="ok"), "not as Rasa's HTTP API does"),
    ("nothing", lambda: web.Response(), "not as Rasa's HTTP API does"),
]


@pytest.mark.parametrize(("answer", "said"), [r[1:] for r in ANSWERS], ids=[r[0] for r in ANSWERS])
async def test_a_200_of_somebody_else_is_no_delivery(
    opened: Opening, engine: EngineStandIn, answer: Callable[[], web.Response], said: str
) -> None:
    """What stands before the engine answered: nobody has heard anything, and it is tried again."""
    async with before(engine, answering(answer)) as url:
        with pytest.raises(DeliveryError, match=said) as refused:
            await opened(engine=url).send()
    assert refused.value.is_unknown
    opened.clock.time += 61  # type: ignore[attr-defined]
    await opened().send()

    assert engine.said == [("ann", "It is ready.")]


async def test_a_redirect_is_not_followed(opened: Opening, engine: EngineStandIn) -> None:
    """The credential and what is said go to the address that is set, and to no other."""
    there: list[str] = []

    async def deed(request: web.Request, _: Callable[[], Awaitable[web.Response]]) -> web.Response:
        there.append(request.path)
        return web.Response(status=307, headers={"Location": f"{engine.url}{request.rel_url}"})

    async with before(engine, deed) as url:
        with pytest.raises(DeliveryError, match=r"redirects: set `delivery\.engine` to the address"):
            await opened(engine=url, token="S3CR3T").send()

    assert there == ["/conversations/ann/tracker"]
    assert not engine.asked


async def test_another_conversation_is_told_nothing(opened: Opening, engine: EngineStandIn) -> None:
    """A proxy that tidies paths up makes one id of another."""
    await engine.user_says("eve/../ann", "hello")
    engine.said.clear()
    async with before(engine, hand_all_on, lambda path: path.replace("/eve/..", "")) as url:
        with pytest.raises(DeliveryError, match="answered for another conversation"):
            await opened(engine=url).send(conversation="eve/../ann")
    assert engine.said == []


async def test_an_engine_under_a_path(opened: Opening, engine: EngineStandIn) -> None:
    """With a slash at its end or without."""
    async with before(engine, hand_all_on, lambda path: path.removeprefix("/bots/rasa")) as url:
        await opened(engine=f"{url}/bots/rasa").send("a1", texts=["one"])
        await opened(engine=f"{url}/bots/rasa//").send("a2", texts=["two"])

    assert engine.said == [("ann", "one"), ("ann", "two")]


async def test_an_address_of_version_6(opened: Opening) -> None:
    """In brackets."""
    async with engine_stand_in(host="::1") as engine:
        await engine.user_says("ann", "hello")
        await opened(engine=engine.url).send()

        assert engine.said[1:] == [("ann", "It is ready.")]


async def test_a_proxy_of_the_environment_is_not_asked(
    opened: Opening, engine: EngineStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What users are told, and the token, are nobody else's business."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await opened().send()

    assert engine.said == [("ann", "It is ready.")]


async def test_an_engine_that_is_slow_is_not_waited_for_for_ever(opened: Opening, engine: EngineStandIn) -> None:
    """What it said meanwhile is found."""
    engine.holds_replies = True
    post = opened(timeout=0.5)
    with pytest.raises(DeliveryError, match="took a request and did not answer") as refused:
        await post.send()
    assert refused.value.is_unknown
    await post.send()

    assert engine.said == [("ann", "It is ready.")]


async def test_a_tracker_that_is_too_long_is_said(
    opened: Opening, engine: EngineStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than that memory ends."""
    monkeypatch.setattr(engine_module, "_MOST_BYTES", 100)
    with pytest.raises(DeliveryError, match="the conversation is too long"):
        await opened().send()


async def test_ten_thousand_events(opened: Opening, engine: EngineStandIn) -> None:
    """The mark is found in the middle of them, and the answer to events has none of them."""
    said = {"event": "user", "text": "hello " * 50, "parse_data": {"entities": [], "intent": {"name": "x"}}}
    talk = [{**said, "input_channel": "callback"}] * 5_000
    engine.trackers["ann"].events += talk
    await opened().send()
    engine.trackers["ann"].events += talk
    await opened().send()

    assert engine.said == [("ann", "It is ready.")]
    assert engine.asked["events"] == 1


MARKED = {"event": "bot", "text": "x", "metadata": {MARK: "a1"}}
ENTITY = {"event": "user", "text": "x", "parse_data": {"entities": [{"entity": MARK, "value": "a2"}]}}
STACK = [{"type": "pattern_collect_information", "collect": "summary"}]
TRACKERS: list[dict[str, Any]] = [
    {"sender_id": "ann", "events": []},
    {"sender_id": "ann", "events": [], "latest_input_channel": None, "stack": None},
    {"sender_id": "Jörg", "events": [MARKED, {"event": "user"}], "latest_input_channel": "rest", "stack": STACK},
    {"sender_id": "ann", "events": [ENTITY, {"event": "slot", "name": "a", "value": float("nan")}]},
    {"sender_id": "ann", "events": [{"event": "user", "text": "\ud83d"}, MARKED]},
    {"sender_id": None, "events": [{"event": None}, {"event": "bot", "metadata": None}], "slots": {"a": {"b": []}}},
]


@pytest.mark.parametrize("told", TRACKERS)
def test_both_ways_to_read_a_tracker_come_to_the_same(told: dict[str, Any]) -> None:
    """The fast one, and the one that takes what Python writes."""
    answered = json.dumps(told).encode()
    fast, plain = read_tracker(answered), _read_plainly(answered)

    assert fast.sender_id == plain.sender_id
    assert marks_of(fast.conversation.events) == marks_of(plain.conversation.events)
    for part in ("channel", "has_user", "collects"):
        assert getattr(fast.conversation, part) == getattr(plain.conversation, part)


@pytest.mark.parametrize("answered", [b"", b"x", b"[]", b"null", b'{"events": null}', b'{"sender_id": "ann"}', b"\xff"])
def test_what_is_no_tracker_is_none(answered: bytes) -> None:
    """Whatever else it is."""
    with pytest.raises(ValueError, match=r"."):
        read_tracker(answered)
