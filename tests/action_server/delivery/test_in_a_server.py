"""From an action's answer to what is said later: real server processes, which are killed, and an engine beside them."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.action_server.delivery.engine_stand_in import EngineStandIn, engine_stand_in
from tests.processes import PATIENCE, ServerProcess, run, server

ACTIONS = """
from rasa_sdk import Action
from action_server import ActionJobResult, current_job, job, later, services

@job
async def look(name: str) -> None:
    current_job().delivers(["Found:", name], {"summary": name})

@job
def look_on_thread() -> None:
    current_job().delivers("From a thread.")

@job(retries=0)
def fail_after() -> None:
    current_job().delivers("Never.")
    raise ValueError

class ActionLook(Action):
    def name(self):
        return "action_look"
    async def run(self, dispatcher, tracker, domain):
        await later(look, name="two")
        return []

class ActionThread(Action):
    def name(self):
        return "action_thread"
    def run(self, dispatcher, tracker, domain):
        services.blocking(later(look_on_thread))
        return []

class ActionFail(Action):
    def name(self):
        return "action_fail"
    async def run(self, dispatcher, tracker, domain):
        await later(fail_after)
        return []

class ActionResult(ActionJobResult):
    '''Say what was asked for earlier.'''
"""
TOKEN = "the-token-of-the-engine"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose actions answer later."""
    (tmp_path / "actions.py").write_text(ACTIONS)
    return tmp_path


def variables(engine: EngineStandIn, **more: str) -> dict[str, str]:
    settings = {"ENGINE": engine.url, "TOKEN": TOKEN, **more}
    return {f"ACTION_SERVER__DELIVERY__{name}": value for name, value in settings.items()}


async def ask(
    running: ServerProcess, action: str, channel: str = "callback", events: list[dict[str, Any]] | None = None
) -> Any:
    """Call an action as an engine does whose user is on this channel, and return the answer."""
    message = {"text": "hello", "intent": {}, "entities": []}
    tracker = {"sender_id": "ann", "latest_input_channel": channel, "latest_message": message, "events": events or []}
    body = {"next_action": action, "tracker": {"slots": {}, **tracker}, "version": "3.6.21"}
    async with aiohttp.ClientSession() as session, session.post(f"{running.url}/webhook", json=body) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def said(engine: EngineStandIn, text: str) -> None:
    """Wait until the engine has said this."""

    async def look() -> None:
        while text not in [one for _, one in engine.said]:  # noqa: ASYNC110 - a list sets no event
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), PATIENCE)


async def test_an_action_answers_and_its_result_is_said_later(folder: Path) -> None:
    """By coroutines and from threads; what raises says nothing. No token, text or slot gets into the log."""
    async with engine_stand_in(token=TOKEN) as engine:
        await engine.user_says("ann", "hello")
        engine.said.clear()
        with server(folder, "--database", "jobs.sqlite3", variables=variables(engine)) as running:
            await ask(running, "action_fail")
            await ask(running, "action_look")
            await said(engine, "two")
            await ask(running, "action_thread")
            await said(engine, "From a thread.")
            done = await asyncio.to_thread(running.wait_for, "delivery.done")
            assert (done["route"], done["of"]) == ("tracker-events", "look")
            assert running.stop() == 0
            log = json.dumps(running.log)

        assert engine.said == [("ann", "Found:"), ("ann", "two"), ("ann", "From a thread.")]
        assert engine.slots_of("ann")["summary"] == "two"
        assert TOKEN not in log
        assert "Found:" not in log


async def test_a_result_is_picked_up_where_the_engine_only_answers(folder: Path) -> None:
    """Until the conversation shows it; the message has the mark by which it is known again."""
    with server(folder, "--database", "jobs.sqlite3") as running:
        await ask(running, "action_look", "rest")
        running.wait_for("delivery.done")
        first = await ask(running, "action_job_result", "rest")
        mark = first["responses"][0]["action_server_job"]
        shown = [{"event": "bot", "text": "Found:", "metadata": {"action_server_job": mark}}]
        second = await ask(running, "action_job_result", "rest", shown)
        assert running.stop() == 0

    assert [one["text"] for one in first["responses"]] == ["Found:", "two"]
    assert [(one["name"], one["value"]) for one in first["events"]] == [("summary", "two")]
    assert second == {"events": [], "responses": []}


async def test_what_is_given_up_is_said_with_what_to_do(folder: Path) -> None:
    """The deadline is over before the token is put right: parked, in the log and in the list; `retry` delivers it."""
    async with engine_stand_in(token="another-one") as engine:
        await engine.user_says("ann", "hello")
        settings = variables(engine, DEADLINE="3")
        with server(folder, "--database", "jobs.sqlite3", variables=settings) as running:
            await ask(running, "action_look")
            line = await asyncio.to_thread(running.wait_for, "job.parked")
            assert line["job"] == "action_server.deliver"
            assert "answered 401 to tracker: set `delivery.token` to its --auth-token" in line["problem"]
            listed = json.loads(run(folder, ["jobs", "list", "--database", "jobs.sqlite3", "--json"]).stdout)
            (parked,) = [one for one in listed if one["state"] == "parked"]
            engine.token = TOKEN
            again = run(folder, ["jobs", "retry", parked["id"], "--database", "jobs.sqlite3"])
            assert again.returncode == 0, again.stderr
            await said(engine, "two")


@pytest.mark.parametrize("fault", ["lost after", "waits"])
async def test_a_worker_killed_while_it_delivers_says_nothing_twice(folder: Path, fault: str) -> None:
    """After the engine saved it and before its reply was read; and while the request waits for the conversation.

    Another worker takes over by the lease, and waits for the lock's life before it repeats.
    """
    async with engine_stand_in(token=TOKEN) as engine:
        await engine.user_says("ann", "hello")
        engine.said.clear()
        settings = variables(engine, LOCK_LIFE="1")
        engine.holds_replies = fault == "lost after"
        if fault == "waits":
            await engine.trackers["ann"].lock.acquire()
        with server(folder, "--database", "jobs.sqlite3", variables=settings) as first:
            await ask(first, "action_look")
            await asyncio.wait_for(engine.arrived.wait(), PATIENCE)
            if fault == "lost after":
                await said(engine, "two")
            first.stop(signal.SIGKILL)
        engine.holds_replies = False
        if fault == "waits":
            engine.trackers["ann"].lock.release()
        age_lease(folder / "jobs.sqlite3")
        with server(folder, "--database", "jobs.sqlite3", variables=settings) as second:
            await said(engine, "two")
            await asyncio.to_thread(second.wait_for, "delivery.done")

        assert engine.said == [("ann", "Found:"), ("ann", "two")]
        assert list(engine.marked.values()) == [2]


def age_lease(file: Path) -> None:
    """Let the lease of whoever was killed be over, which takes 15 s otherwise."""
    with closing(sqlite3.connect(file, timeout=PATIENCE)) as connection, connection:
        connection.execute("UPDATE action_server_jobs SET due_at = 0 WHERE state = 'running'")
