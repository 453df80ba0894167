"""Results reach their conversations once, whatever becomes of requests and replies; what cannot is said."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import jwt
import pytest

from action_server.errors import DeliveryError
from tests.action_server.delivery.delivery_fixtures import Opening, in_file
from tests.action_server.delivery.engine_stand_in import EngineStandIn, engine_stand_in

pytest_plugins = ["tests.databases", "tests.action_server.delivery.delivery_fixtures"]


async def test_texts_and_slots_reach_the_conversation(opened: Opening, engine: EngineStandIn) -> None:
    """By the route of events, in their order; a repeat finds them there."""
    post = opened()
    assert await post.send(texts=["Two appointments.", "See you."], slots={"summary": "two"}) == "tracker-events"
    assert await post.send(texts=["Two appointments.", "See you."], slots={"summary": "two"}) == "tracker-events"

    assert engine.said == [("ann", "Two appointments."), ("ann", "See you.")]
    assert engine.slots_of("ann")["summary"] == "two"
    assert engine.asked["events"] == 1
    assert await post.store.asked_for("a1") is None


async def test_a_lost_reply_has_nothing_said_twice(opened: Opening, engine: EngineStandIn) -> None:
    """The engine saved it and its reply was lost: the tracker is asked before the repeat."""
    engine.faults = ["lost after"]
    with pytest.raises(DeliveryError, match="did not answer") as refused:
        await opened().send()
    assert refused.value.is_unknown
    await opened().send()

    assert engine.said == [("ann", "It is ready.")]


async def test_nothing_is_repeated_while_the_engine_may_be_at_work(opened: Opening, engine: EngineStandIn) -> None:
    """A request that was lost on its way is repeated after the lock's life, and not before."""
    engine.faults = ["lost before"]
    post = opened(lock_life=60)
    with pytest.raises(DeliveryError, match="did not answer"):
        await post.send()
    with pytest.raises(DeliveryError, match="nothing is repeated for 60 s"):
        await post.send()
    assert engine.said == []
    opened.clock.time += 61  # type: ignore[attr-defined]
    await post.send()

    assert engine.said == [("ann", "It is ready.")]


async def test_a_request_that_waits_for_its_turn_is_not_doubled(opened: Opening, engine: EngineStandIn) -> None:
    """The conversation is busy, and whoever delivers is killed while its request waits: it is said once, later."""
    post = opened()
    await engine.trackers["ann"].lock.acquire()
    sending = asyncio.create_task(post.send())
    await engine.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    with pytest.raises(DeliveryError, match="may still be at work"):
        await opened().send()
    engine.trackers["ann"].lock.release()
    opened.clock.time += 61  # type: ignore[attr-defined]
    await opened().send()

    assert engine.said == [("ann", "It is ready.")]
    assert engine.marked == {"a1": 1}


async def test_a_conversation_that_is_busy_is_asked_again(opened: Opening, engine: EngineStandIn) -> None:
    """The engine's answer is certain: nothing was done, and the next try does it at once."""
    engine.lock_life = 0.01
    async with engine.trackers["ann"].lock:
        with pytest.raises(DeliveryError, match="is busy in another turn") as refused:
            await opened().send()
    assert not refused.value.is_unknown
    await opened().send()

    assert engine.said == [("ann", "It is ready.")]


async def test_a_channel_that_fails_is_tried_again(opened: Opening, engine: EngineStandIn) -> None:
    """The engine saved nothing; its reason, which may hold what was said, is not repeated."""
    engine.faults = ["sending fails"]
    with pytest.raises(DeliveryError, match="answered 500 to events") as refused:
        await opened().send()
    assert "the channel" not in str(refused.value)
    await opened().send()

    assert engine.said == [("ann", "It is ready.")]


REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any], str, bool]] = [
    ("a token that is refused", {"token": "wrong-one"}, {}, "answered 401 to tracker: set `delivery.token`", False),
    ("a conversation that is gone", {}, {"conversation": "bob"}, "does not know the conversation any more", False),
    ("an intent of another domain", {}, {"intent": "nope", "texts": []}, "its domain has no such intent", True),
    ("no intent", {"route": "trigger-intent"}, {}, "needs an intent", True),
    ("a value that is no payload", {"route": "set-slots"}, {"slots": {"summary": "a, b"}}, "cannot carry this", True),
    ("no engine", {"engine": None}, {"route": "tracker-events"}, "set `delivery.engine`", False),
    ("a port where nobody is", {"engine": "http://127.0.0.1:9"}, {}, "does not answer: is it up", False),
    ("another page", {"engine": "{url}/elsewhere"}, {}, "answered 404 to tracker: start it with --enable-api", False),
]


@pytest.mark.parametrize(("settings", "sent", "said", "final"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
async def test_what_cannot_be_delivered_says_what_to_do(
    opened: Opening, engine: EngineStandIn, settings: dict[str, Any], sent: dict[str, Any], said: str, final: bool
) -> None:
    """Each is an error with its own words, without the credential; only some are of no use to repeat."""
    engine.token = "the-right-one" if "token" in settings else None
    if settings.get("engine"):
        settings = {**settings, "engine": settings["engine"].replace("{url}", engine.url)}
    with pytest.raises(DeliveryError, match=re.escape(said)) as refused:
        await opened(**settings).send(**sent)

    assert refused.value.is_final == final
    assert "wrong-one" not in str(refused.value)
    assert engine.said == []


async def test_an_engine_without_a_model_is_asked_again(opened: Opening, engine: EngineStandIn) -> None:
    """One that starts has none yet."""
    engine.model = False
    with pytest.raises(DeliveryError, match="no model loaded") as refused:
        await opened().send()

    assert not refused.value.is_final


async def test_the_token_of_a_file_is_shown(opened: Opening, engine: EngineStandIn, tmp_path: Path) -> None:
    """It is read for each request, so that it may be replaced; a file that is gone is said by its name."""
    engine.token = "secret-one"
    post = opened(token=in_file(tmp_path, "secret-one"))
    await post.send()
    assert engine.said == [("ann", "It is ready.")]
    (tmp_path / "secret").unlink()
    with pytest.raises(DeliveryError, match=r"delivery\.token: .*secret cannot be read"):
        await post.send(job_id="a2")


async def test_a_token_that_is_replaced_is_taken_with_the_next_try(
    opened: Opening, engine: EngineStandIn, tmp_path: Path
) -> None:
    """The engine has the new one first: refused, tried again, and said once."""
    engine.token = "new-one"
    post = opened(token=in_file(tmp_path, "old-one"))
    with pytest.raises(DeliveryError, match="answered 401") as refused:
        await post.send()
    assert not refused.value.is_final
    in_file(tmp_path, "new-one")
    await post.send()

    assert engine.said == [("ann", "It is ready.")]


async def test_a_json_web_token_is_signed_for_each_request(opened: Opening, engine: EngineStandIn) -> None:
    """As Rasa asks for it: an admin, for a minute."""
    seen: list[str] = []
    check = engine._check
    secret = "a-secret-of-thirty-two-characters"

    def note(request: Any) -> None:
        seen.append(request.headers["Authorization"])
        check(request)

    engine._check = note  # type: ignore[method-assign]
    await opened(jwt_secret=secret).send()

    payload = jwt.decode(seen[-1].removeprefix("Bearer "), secret, algorithms=["HS256"])
    assert payload["user"] == {"username": "action-server", "role": "admin"}


async def test_a_classic_assistant_starts_an_intent(opened: Opening, engine: EngineStandIn) -> None:
    """Slots come as entities; the id of the job is one, by which a repeat is recognised."""
    post = opened()
    assert await post.send(texts=[], slots={"summary": "two"}, intent="EXTERNAL_ready") == "trigger-intent"
    await post.send(texts=[], slots={"summary": "two"}, intent="EXTERNAL_ready")

    assert engine.said == [("ann", "Ready: two")]
    assert engine.asked["trigger_intent"] == 1


async def test_a_flow_that_waits_for_a_slot_goes_on(opened: Opening, engine: EngineStandIn) -> None:
    """By a message on the channel; the text is said before, once."""
    engine.trackers["ann"].stack = [{"type": "pattern_collect_information", "collect": "summary"}]
    assert await opened().send(slots={"summary": "two"}) == "set-slots"

    assert engine.said == [("ann", "It is ready."), ("ann", "You said /SetSlots(summary=two)")]
    assert engine.slots_of("ann")["summary"] == "two"


async def test_texts_before_a_message_that_fails_are_said_once(opened: Opening, engine: EngineStandIn) -> None:
    """The text was said and saved, the message was not taken: the next try leaves the text out."""
    post = opened(channels={"callback": "trigger-intent"})
    with pytest.raises(DeliveryError, match="no such intent"):
        await post.send(intent="nope")
    await post.send(intent="EXTERNAL_ready")

    assert engine.said == [("ann", "It is ready."), ("ann", "Ready: None")]


async def test_what_only_the_sender_was_answered_is_kept(opened: Opening, engine: EngineStandIn) -> None:
    """A message through the channel `rest`, where the setting says so: the user is not there to read the answer."""
    await engine.user_says("rob", "hello", "rest")
    post = opened(channels={"rest": "set-slots"})
    route = await post.send(conversation="rob", texts=[], slots={"summary": "two"}, origin={"channel": "rest"})
    kept = await post.store.pick_up("rob", ())

    assert route == "set-slots"
    assert [one.texts for one in kept] == [["You said /SetSlots(summary=two)"]]


async def test_an_engine_that_comes_back_is_told(opened: Opening) -> None:
    """Refused connections are certain: nothing has to be waited for."""
    async with engine_stand_in() as gone:
        port = int(gone.url.rpartition(":")[2])
    post = opened(engine=gone.url)
    with pytest.raises(DeliveryError, match="does not answer"):
        await post.send()
    async with engine_stand_in(port) as back:
        await back.user_says("ann", "hello")
        await post.send()

        assert back.said[1:] == [("ann", "It is ready.")]


async def test_ids_of_conversations_arrive_as_they_are(opened: Opening, engine: EngineStandIn) -> None:
    """With slashes, colons and a plus, as channels make them."""
    name = "whatsapp:+49170/1@x"
    await engine.user_says(name, "hello")
    engine.said.clear()
    await opened().send(conversation=name)

    assert engine.said == [(name, "It is ready.")]
