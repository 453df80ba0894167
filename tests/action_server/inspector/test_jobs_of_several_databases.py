"""A package keeps jobs in a database of its own: the pages show those of both, or of the one that answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action_server.inspector.inspected import Inspected, inspected
from tests.engine_calls import call_body

ACTIONS = """
from contextlib import asynccontextmanager

from action_server import Database, job, keep_jobs, later
from rasa_sdk import Action


@job
async def tell(number: int) -> int:
    return number


@job
async def ask(number: int) -> int:
    return number


@asynccontextmanager
async def lifespan(registry, config):
    database = await Database.open("own.sqlite3", lambda connection: None)
    await keep_jobs(registry, database, [tell])
    yield
    await database.close()


class Later(Action):
    def name(self):
        return "action_later"

    async def run(self, dispatcher, tracker, domain):
        for one in (ask, tell):
            asked = await later(one.having(delay=3600), number=1)
            dispatcher.utter_message(text=asked.id)
        return []
"""


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    """A bot that keeps one of its two jobs."""
    (tmp_path / "actions.py").write_text(ACTIONS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def dev(bot: Path) -> Iterator[Inspected]:
    """Its server, which has a database as well."""
    with inspected(bot, "--dev", "--database", "server.sqlite3") as found:
        yield found


def asked_for(dev: Inspected, sender: str, query: str = "") -> list[str]:
    """Ask for both jobs, and return their ids."""
    headers = {"Content-Type": "application/json"}
    answer = dev.ask(f"/webhook{query}", call_body("action_later", sender=sender), headers=headers)
    return [str(one["text"]) for one in json.loads(answer.text)["responses"]]


def test_one_that_is_down_does_not_hide_the_other(dev: Inspected, bot: Path) -> None:
    """The page says which one it is, and a job that is in none of the others is not said to be gone."""
    asked, told = asked_for(dev, "ann")
    both = dev.ask("/inspector/jobs").shown
    assert "ask waiting" in both
    assert "tell waiting" in both

    (bot / "own.sqlite3").rename(bot / "elsewhere.sqlite3")
    listed = dev.ask("/inspector/jobs")
    assert listed.status == 200
    assert "ask waiting" in listed.shown
    assert "tell waiting" not in listed.shown
    assert "not shown: own.sqlite3: its file is gone" in listed.shown
    assert dev.ask(f"/inspector/jobs/{asked}").status == 200
    call = dev.ask(f"/inspector/calls/{dev.newest('ann', action='action_later')}")
    assert f"/inspector/jobs/{asked}" in call.text

    for lost in (dev.ask(f"/inspector/jobs/{told}"), dev.post(f"/inspector/jobs/{told}/cancel")):
        assert lost.status == 503
        assert "own.sqlite3: its file is gone" in lost.shown
    (bot / "elsewhere.sqlite3").rename(bot / "own.sqlite3")
    assert "tell waiting" in dev.ask(f"/inspector/jobs/{told}").shown


def test_a_jobs_page_says_which_engine_its_result_is_for(dev: Inspected) -> None:
    """The name that the call told."""
    asked, _ = asked_for(dev, "ann", "?engine=calm")
    assert "Engine calm" in dev.ask(f"/inspector/jobs/{asked}").shown
    asked, _ = asked_for(dev, "bob")
    assert "Engine" not in dev.ask(f"/inspector/jobs/{asked}").shown
