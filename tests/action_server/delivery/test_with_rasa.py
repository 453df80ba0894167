"""A real Rasa Open Source 3.6.21, our server beside it, and what the user gets: at once, later, and when asking for it.

Run where `RASA_36` names the Python that has it; docs/howto/answer-later.md says how.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from action_server.delivery.opening import open_engine
from action_server.delivery.routes import Conversation
from action_server.errors import DeliveryError
from action_server.jobs.engine_settings import DeliverySettings
from tests.action_server.delivery import rasa_36
from tests.action_server.delivery.peers import Peer, callbacks
from tests.processes import PATIENCE, ServerProcess, server

pytest_plugins = ["tests.action_server.delivery.peers"]

ACTIONS = """
from rasa_sdk import Action
from action_server import ActionJobResult, current_call, current_job, job, later

@job
async def look(intent: str) -> None:
    if intent:
        current_job().delivers((), {"summary": "three"}, intent=intent)
    else:
        current_job().delivers(["Found:", "two"], {"summary": "two"})

class ActionSlow(Action):
    def name(self):
        return "action_slow"

    async def run(self, dispatcher, tracker, domain):
        await later(look, intent="EXTERNAL_ready" if tracker.sender_id == "by-intent" else "")
        dispatcher.utter_message(text="I am looking.")
        return []

class ActionResult(ActionJobResult):
    '''Say what was asked for earlier.'''
"""


@pytest.fixture
async def beside(
    real_engine: str, unused_ports: tuple[int, int], keys: Path, tmp_path: Path
) -> AsyncIterator[tuple[Peer, ServerProcess]]:
    """The engine, and our server where it looks for its actions."""
    (tmp_path / "actions.py").write_text(ACTIONS)
    callback, actions = unused_ports
    settings = {"ENGINE": real_engine, "TOKEN": rasa_36.TOKEN}
    variables = {f"ACTION_SERVER__DELIVERY__{name}": value for name, value in settings.items()}
    flags = ("--port", str(actions), "--database", "jobs.sqlite3")
    async with aiohttp.ClientSession() as session:
        peer = Peer(real_engine, rasa_36.TOKEN, keys, [], session)
        async with callbacks(peer.said, peer.release, peer.waits, callback):
            with server(tmp_path, *flags, variables=variables) as running:
                yield peer, running


def test_a_token_signed_by_a_secret_is_taken(real_engine: str, rasa_folder: Path) -> None:
    """By an engine that was started with it, beside the one with a key; with another one it is refused."""
    secret = "a-secret-of-thirty-two-characters"

    async def ask(url: str, shown: str) -> Conversation:
        settings = DeliverySettings.model_validate({"engine": url, "jwt_secret": shown})
        async with open_engine(settings) as engine:
            return await engine.conversation("nobody")

    elsewhere = "http://127.0.0.1:9/"
    with rasa_36.running(rasa_folder, elsewhere, elsewhere, ("--jwt-secret", secret)) as url:
        assert not asyncio.run(ask(url, secret)).has_user
        with pytest.raises(DeliveryError, match="answered 401"):
            asyncio.run(ask(url, secret.upper()))


async def said(peer: Peer, text: str) -> None:
    """Wait until a user was sent this."""

    async def look() -> None:
        while text not in [one for _, one in peer.said]:  # noqa: ASYNC110 - a list sets no event
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), PATIENCE)


async def test_on_a_channel_that_pushes_it_comes_by_itself(beside: tuple[Peer, ServerProcess]) -> None:
    """By events: text and slot."""
    peer, running = beside
    await peer.user_says("pushed", "slow")
    await said(peer, "two")
    done = await asyncio.to_thread(running.wait_for, "delivery.done")
    _, tracker = await peer.ask("GET", "/conversations/pushed/tracker")

    assert peer.said == [("pushed", "I am looking."), ("pushed", "Found:"), ("pushed", "two")]
    assert done["route"] == "tracker-events"
    assert tracker["slots"]["summary"] == "two"


async def test_an_intent_is_answered_by_the_assistants_rules(beside: tuple[Peer, ServerProcess]) -> None:
    """The slot comes as an entity."""
    peer, running = beside
    await peer.user_says("by-intent", "slow")
    await said(peer, "Ready: three")
    done = await asyncio.to_thread(running.wait_for, "delivery.done")

    assert done["route"] == "trigger-intent"


async def test_on_a_channel_that_only_answers_it_is_picked_up(beside: tuple[Peer, ServerProcess]) -> None:
    """Once: the next time the engine's own events show that it was said."""
    peer, running = beside
    first = await peer.user_says("asking", "slow", "rest")
    await asyncio.to_thread(running.wait_for, "delivery.done")
    second = await peer.user_says("asking", "fetch", "rest")
    third = await peer.user_says("asking", "fetch", "rest")
    _, tracker = await peer.ask("GET", "/conversations/asking/tracker")

    assert [one["text"] for one in first] == ["I am looking."]
    assert [one["text"] for one in second] == ["Found:", "two"]
    assert third == []
    assert tracker["slots"]["summary"] == "two"
