"""Actions that ask for jobs, in tests of their author's: what is asked for is written down, and nobody runs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from action_server.testing import ActionClient
from tests.projects import project

ACTIONS = """
    from contextlib import asynccontextmanager
    from pathlib import Path

    from rasa_sdk import Action
    from action_server import ActionJobResult, Database, job, keep_jobs, later, services

    class Menu:
        pass

    @job
    async def brew(drink: str) -> None:
        raise AssertionError("nobody runs jobs here")

    @asynccontextmanager
    async def lifespan(registry, config):
        database = await Database.open("own.sqlite3", lambda connection: None)
        registry.register_value(Menu, Menu())
        await keep_jobs(registry, database, [brew])
        yield
        await database.close()

    class ActionBrew(Action):
        def name(self):
            return "action_brew"

        async def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=(await later(brew.having(key="one"), drink="tea")).id)
            return []

    class ActionResult(ActionJobResult):
        async def nothing_yet(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text="Not yet.")
            return []
"""


@pytest.mark.parametrize("has_services", [True, False], ids=["kept", "without_lifespan"])
async def test_an_action_asks_for_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_services: bool) -> None:
    """In the package's own database; without its services in that of the test. A replaced service changes nothing."""
    monkeypatch.chdir(tmp_path)
    project(tmp_path, {"actions.py": ACTIONS, "endpoints.yml": "{}"})
    with ActionClient(tmp_path) as client:
        if not has_services:
            client.without_lifespan()
        texts = [(await client.call("action_brew")).texts]
        client.use(_menu(), object())
        texts.append((await client.call("action_brew")).texts)
        assert (await client.call("action_job_result")).texts == ["Not yet."]

    assert texts[0] == texts[1]
    assert (tmp_path / "own.sqlite3").exists() == has_services


def _menu() -> Any:
    return sys.modules["actions"].Menu
