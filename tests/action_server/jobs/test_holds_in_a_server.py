"""A system is down while jobs wait for it: in a real server, which asks it once for each pause."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.action_server.serving.server_calls import call
from tests.processes import run, server

ACTIONS = """
import os

import aiohttp
from rasa_sdk import Action

from action_server import RetryLater, job, later

PAUSE = float(os.environ["PAUSE"])


@job
async def tell(number: int) -> None:
    async with aiohttp.ClientSession() as session, session.post(os.environ["CRM"]) as response:
        if response.status == 503:
            raise RetryLater("the CRM does not answer", PAUSE, hold=True)


@job
async def other() -> None:
    pass


class ActionTell(Action):
    def name(self):
        return "action_tell"

    async def run(self, dispatcher, tracker, domain):
        for number in range(20):
            await later(tell, number=number)
        await later(other)
        return []
"""
FLAGS = ("--database", "jobs.sqlite3", "--jobs", "1")


class Crm:
    """A system that is down at first, and knows what it was asked: whether it was up then."""

    def __init__(self) -> None:
        self.is_up = False
        self.asked: list[bool] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request."""
        self.asked.append(self.is_up)
        return web.Response(status=200 if self.is_up else 503)


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    """One that listens."""
    system, app = Crm(), web.Application()
    app.router.add_post("/", system.answer)
    async with TestServer(app) as listening:
        system.url = str(listening.make_url("/"))
        yield system


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that tells the system."""
    (tmp_path / "actions.py").write_text(ACTIONS)
    return tmp_path


async def test_it_is_asked_once_for_each_pause(crm: Crm, folder: Path) -> None:
    """However many wait; jobs of other names go on, and when it is up again all are run."""
    with server(folder, *FLAGS, variables={"CRM": crm.url, "PAUSE": "0.2"}) as running:
        assert (await call(running.url, "action_tell"))[0] == 200
        assert (await asyncio.to_thread(running.wait_for, "job.done"))["job"] == "other"
        for _ in range(2):
            held = await asyncio.to_thread(running.wait_for, "job.held")
            assert (held["problem"], held["pause"], held["level"]) == ("the CRM does not answer", 0.2, "warning")
        crm.is_up = True
        await asyncio.to_thread(running.wait_for, "job.resumed")
        for _ in range(20):
            assert (await asyncio.to_thread(running.wait_for, "job.done"))["job"] == "tell"
        assert running.stop() == 0

    events = [line["event"] for line in running.log]
    assert crm.asked.count(False) == events.count("job.held") == events.count("job.postponed")
    assert crm.asked.count(True) == 20
    assert events.count("job.resumed") == 1


async def test_a_server_that_holds_stops_at_once_and_the_next_one_finds_out_by_itself(crm: Crm, folder: Path) -> None:
    """The one that found out waits for as long as it said; those that it kept waiting are run by the next process."""
    variables = {"CRM": crm.url, "PAUSE": "3600"}
    with server(folder, *FLAGS, variables=variables) as running:
        assert (await call(running.url, "action_tell"))[0] == 200
        await asyncio.to_thread(running.wait_for, "job.postponed")
        assert running.stop() == 0
    listed = run(folder, ["jobs", "list", "--job", "tell", "--json", "--database", "jobs.sqlite3"])
    problems = sorted(one["problem"] or "" for one in json.loads(listed.stdout))
    assert problems == [*[""] * 19, "the CRM does not answer"]

    crm.is_up = True
    with server(folder, *FLAGS, variables=variables) as running:
        done = [(await asyncio.to_thread(running.wait_for, "job.done"))["job"] for _ in range(19)]
        assert "tell" in done
        running.stop()
    assert crm.asked[0] is False
    assert all(crm.asked[1:])
