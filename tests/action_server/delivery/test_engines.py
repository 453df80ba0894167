"""What results rely on of an engine, of the stand-in and of a real Rasa Open Source 3.6.21 alike.

The real one is asked where `RASA_36` names the Python that has it; docs/howto/answer-later.md says how.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from action_server.delivery.engine import Engine
from action_server.errors import DeliveryError
from action_server.jobs.engine_settings import DeliverySettings
from action_server.jobs.marks import MARK, is_marked
from tests.action_server.delivery.peers import Peer
from tests.action_server.delivery.test_credentials import private

pytest_plugins = ["tests.action_server.delivery.peers"]

EVENTS = [
    {"event": "slot", "name": "summary", "value": "two", "metadata": {MARK: "a1"}},
    {"event": "bot", "text": "It is ready.", "metadata": {MARK: "a1"}},
]


def engine_of(peer: Peer, **settings: Any) -> Engine:
    credential = {} if "jwt_method" in settings else {"token": peer.token}
    return Engine(DeliverySettings(**{"engine": peer.url, **credential, **settings}), peer.session)


async def test_events_are_said_set_and_saved(peer: Peer) -> None:
    """On the channel used last; the tracker shows the mark of both events."""
    await peer.user_says("said", "hello")
    peer.said.clear()
    slots = await engine_of(peer).append("said", EVENTS)
    found = await engine_of(peer).conversation("said")

    assert slots["summary"] == "two"
    assert peer.said == [("said", "It is ready.")]
    assert [event.get("event") for event in found.events if event.get("metadata", {}).get(MARK) == "a1"] == [
        "slot",
        "bot",
    ]
    assert found.channel == "callback"
    assert found.has_user


async def test_a_channel_that_only_answers_gets_nothing(peer: Peer) -> None:
    """The engine answers 200, its tracker has the text, and nobody is sent anything."""
    await peer.user_says("silent", "hello", "rest")
    await engine_of(peer).append("silent", EVENTS)
    found = await engine_of(peer).conversation("silent")

    assert peer.said == []
    assert is_marked(found.events, "a1")


async def test_a_slot_that_nobody_has_is_ignored(peer: Peer) -> None:
    """200; the slots of the answer do not have it."""
    await peer.user_says("slots", "hello")
    slots = await engine_of(peer).append("slots", [{"event": "slot", "name": "other", "value": 1}])

    assert "other" not in slots
    assert "summary" in slots


async def test_a_conversation_that_is_not_there_is_made_up(peer: Peer) -> None:
    """The tracker of one that nobody had is a session without a user: that is how a lost one is told."""
    found = await engine_of(peer).conversation("nobody")

    assert not found.has_user
    assert found.channel == ""


async def test_an_intent_is_answered_by_the_rules(peer: Peer) -> None:
    """Slots come as entities; the mark is one, and stands in the tracker."""
    await peer.user_says("intent", "hello")
    peer.said.clear()
    await engine_of(peer).trigger("intent", "EXTERNAL_ready", {"summary": "two", MARK: "a1"})
    found = await engine_of(peer).conversation("intent")

    assert peer.said == [("intent", "Ready: two")]
    assert is_marked(found.events, "a1")


async def test_an_intent_of_another_domain_is_refused(peer: Peer) -> None:
    """404, which is no missing page."""
    await peer.user_says("unknown", "hello")
    with pytest.raises(DeliveryError, match="its domain has no such intent"):
        await engine_of(peer).trigger("unknown", "nope", {})


async def test_a_wrong_token_is_refused(peer: Peer) -> None:
    """401."""
    with pytest.raises(DeliveryError, match="answered 401"):
        await engine_of(peer, token="another-one").conversation("ann")


async def test_a_token_signed_by_a_key_is_taken(peer: Peer) -> None:
    """As the engine has the public one: what is said with it is said."""
    await peer.user_says("signed", "hello")
    peer.said.clear()
    engine = engine_of(peer, jwt_private_key=peer.key, jwt_method="RS256")
    await engine.append("signed", EVENTS)

    assert peer.said == [("signed", "It is ready.")]
    assert (await engine.conversation("signed")).has_user


async def test_a_token_signed_by_another_key_is_refused(peer: Peer, tmp_path: Path) -> None:
    """401, with the setting it stands in."""
    other = tmp_path / "other.pem"
    other.write_bytes(private(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(DeliveryError, match="answered 401"):
        await engine_of(peer, jwt_private_key=other, jwt_method="RS256").conversation("signed")


@pytest.mark.parametrize("method", ["PS256", "HS256"])
async def test_a_token_signed_by_another_method_is_refused(peer: Peer, method: str) -> None:
    """With 500, of which the words say what it may be: the engine does not foresee it."""
    key = {"jwt_secret": "a-secret-of-thirty-two-characters"} if method == "HS256" else {"jwt_private_key": peer.key}
    with pytest.raises(DeliveryError, match=r"500 to tracker.*`delivery\.jwt_method` is not its --jwt-method"):
        await engine_of(peer, jwt_method=method, **key).conversation("signed")


@pytest.mark.parametrize(
    "events", [[{"event": "slot", "name": "summary"}], [{"event": "nonsense"}], [{"text": "x"}]], ids=str
)
async def test_events_that_are_none_are_refused(peer: Peer, events: list[dict[str, Any]]) -> None:
    """400, and nothing is saved."""
    await peer.user_says("refused", "hello")
    status, _ = await peer.ask("POST", "/conversations/refused/tracker/events", events)

    assert status == 400


IDS = ["whatsapp:+49170", "a/b", "a@b.example", "a=b&c", "a,b;c", "a'b", "100%", "a%20b", 'a"<{[|^`]}>\\']
IDS += ["J%C3%B6rg", "%", "..", "a/../b", "a//b", "/a", "a/", "a/tracker", "a/tracker/events", "https://a.example"]


@pytest.mark.parametrize("name", IDS)
async def test_ids_with_signs_are_one_conversation(peer: Peer, name: str) -> None:
    """What comes in through a channel is found under the same id, and only there; also by what is written."""
    await peer.user_says(name, "hello")
    await engine_of(peer).append(name, EVENTS)

    found = await engine_of(peer).conversation(name)
    assert found.has_user
    assert is_marked(found.events, "a1")


@pytest.mark.parametrize("name", ["a b", "Jörg", "a?b", "a#b", "a\tb", "a\x7fb", ""])
async def test_ids_that_no_path_has_are_not_made_another_conversation(peer: Peer, name: str) -> None:
    """The engine undoes no %-escape: it would answer for another one, and nobody would hear what is said there."""
    for asking in (engine_of(peer).conversation(name), engine_of(peer).append(name, EVENTS)):
        with pytest.raises(DeliveryError, match="cannot name this conversation") as caught:
            await asking
        assert caught.value.is_final


TEXTS = ["Grüße, 你好 👋🏽", "a\u2028b \u202e \x01 \x7f", "<b>'\"</b> {slot} \\ %s", "x" * 50_000]


@pytest.mark.parametrize("text", TEXTS, ids=["letters", "signs", "markup", "long"])
async def test_texts_arrive_as_they_are(peer: Peer, text: str) -> None:
    """Whatever signs they have."""
    await peer.user_says("texts", "hello")
    peer.said.clear()
    await engine_of(peer).append("texts", [{"event": "bot", "text": text, "metadata": {MARK: "a1"}}])

    assert peer.said == [("texts", text)]


async def test_a_text_with_an_empty_line_is_two_messages(peer: Peer) -> None:
    """The engine parts it, and takes white space from its ends; the tracker has it as it was."""
    await peer.user_says("parted", "hello")
    peer.said.clear()
    await engine_of(peer).append("parted", [{"event": "bot", "text": " one\ntwo\n\nthree ", "metadata": {MARK: "a1"}}])

    assert peer.said == [("parted", "one\ntwo"), ("parted", "three")]


async def test_slots_arrive_as_they_are(peer: Peer) -> None:
    """Nested, null, and large numbers."""
    await peer.user_says("nested", "hello")
    value = {"a": [1, {"ü": None}], "b": 2**60, "c": 0.1, "d": True}
    slots = await engine_of(peer).append("nested", [{"event": "slot", "name": "count", "value": value}])
    await engine_of(peer).trigger("nested", "EXTERNAL_ready", {"summary": "two", "count": value, MARK: "a2"})

    assert slots["count"] == value
    assert is_marked((await engine_of(peer).conversation("nested")).events, "a2")


async def test_a_request_waits_for_its_turn(peer: Peer) -> None:
    """While a turn runs nothing is said; then it is."""
    await peer.user_says("busy", "hello")
    peer.said.clear()
    turn = asyncio.create_task(peer.user_says("busy", "wait"))
    await peer.waits.wait()
    asked = asyncio.create_task(engine_of(peer).append("busy", EVENTS))
    await engine_of(peer).conversation("busy")
    assert peer.said == []
    peer.release.set()
    await asyncio.gather(turn, asked)

    assert ("busy", "It is ready.") in peer.said


async def test_a_request_that_hung_up_while_it_waited_is_not_done(peer: Peer) -> None:
    """Whoever delivers was killed: the engine drops the request that waited for the conversation's lock."""
    await peer.user_says("hung", "hello")
    peer.said.clear()
    turn = asyncio.create_task(peer.user_says("hung", "wait"))
    await peer.waits.wait()
    with pytest.raises(DeliveryError) as lost:
        await engine_of(peer, timeout=0.5).append("hung", EVENTS)
    assert lost.value.is_unknown
    # By its answer the engine has seen that the other one hung up.
    await engine_of(peer).conversation("hung")
    peer.release.set()
    await turn
    # Behind it in the same lock.
    await engine_of(peer).append("hung", [{"event": "bot", "text": "after", "metadata": {MARK: "a2"}}])

    assert [text for _, text in peer.said if text in ("It is ready.", "after")] == ["after"]


async def test_a_restart_hides_nothing(peer: Peer) -> None:
    """Events from before it are in the tracker that is asked."""
    await peer.user_says("restarted", "hello")
    await engine_of(peer).append("restarted", EVENTS)
    await peer.ask("POST", "/conversations/restarted/tracker/events", [{"event": "restart"}])

    assert is_marked((await engine_of(peer).conversation("restarted")).events, "a1")
