"""Planted faults of the engine that results of jobs are brought to."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from action_server import job
from action_server.config import settings
from action_server.doctor.delivery_checks import ask_delivery_engine
from action_server.doctor.endpoints_file import endpoints_file_of
from tests.action_server.delivery.engine_stand_in import EngineStandIn, engine_stand_in
from tests.action_server.doctor.bots import BOT, OPEN, examine_bot, ids
from tests.projects import GREET, project

UNREACHABLE, REFUSED = "delivery-unreachable", "delivery-refused"


@pytest.fixture
async def engine() -> AsyncIterator[EngineStandIn]:
    """An engine that asks for a token."""
    async with engine_stand_in(token="right") as engine:
        yield engine


@pytest.fixture
def bot_with_a_job(bot: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that has something to deliver."""
    examine_bot(bot, {"action_endpoint": OPEN})
    monkeypatch.setattr(sys.modules[BOT], "work", job(_work), raising=False)
    return bot


async def found(bot: Path, delivery: Mapping[str, Any]) -> list[tuple[str, str | None, str]]:
    """The rules that find something with these settings, the entries they name, and why."""
    file = bot / "endpoints.yml"
    file.write_text(json.dumps({"action_endpoint": OPEN, "action_server": {"delivery": delivery}}), encoding="utf-8")
    read = settings.read({"actions": BOT, "endpoints": file}, {})
    findings = [finding async for finding in ask_delivery_engine(read, endpoints_file_of(read), 3.0)]
    return [(f.rule.id, f.place.key, f.message.rpartition(": ")[2]) for f in findings]


async def test_a_token_that_is_refused_is_found(bot_with_a_job: Path, engine: EngineStandIn, tmp_path: Path) -> None:
    """A wrong one, none at all, and one whose file is not there; nothing of it is repeated. The right one is fine."""
    bot, at, url = bot_with_a_job, "action_server.delivery.token", engine.url

    assert await found(bot, {"engine": url, "token": "right"}) == []
    assert await found(bot, {"engine": url, "token": "S3CR3T"}) == [(REFUSED, at, "it is not the engine's")]
    assert await found(bot, {"engine": url}) == [(REFUSED, at, "none is set, and it asks for one")]
    missing = {"file": str(tmp_path / "none")}
    assert await found(bot, {"engine": url, "token": missing}) == [
        (REFUSED, at, "its file is missing, empty or unreadable")
    ]
    assert engine.trackers == {}


async def test_an_engine_that_does_not_answer_as_one_is_found(bot_with_a_job: Path, engine: EngineStandIn) -> None:
    """Nobody listens there, it has no model, or it is something else."""
    bot, at = bot_with_a_job, "action_server.delivery.engine"
    engine.model = False

    (silent,) = await found(bot, {"engine": "http://127.0.0.1:1"})
    assert silent == (UNREACHABLE, at, "nothing listens there")
    assert await found(bot, {"engine": engine.url, "token": "right"}) == [(UNREACHABLE, at, "it is answered with 409")]
    assert await found(bot, {"engine": f"{engine.url}/elsewhere"}) == [(UNREACHABLE, at, "it is answered with 404")]


def test_the_engine_is_asked_only_online_and_where_there_is_a_job(folder: Path) -> None:
    """Without a job nothing is delivered; without `--online` nobody is asked."""
    dead = {
        "action_endpoint": {"actions_module": "actions"},
        "action_server": {"delivery": {"engine": "http://[::1]:1"}},
    }
    project(folder, {"actions.py": GREET})

    assert ids(examine_bot(folder, dead, online=True)) == ["module-only"]
    sys.modules["actions"].work = job(_work)  # type: ignore[attr-defined]
    assert ids(examine_bot(folder, dead)) == ["module-only"]
    assert ids(examine_bot(folder, dead, online=True)) == [UNREACHABLE, "module-only"]


async def _work() -> None:
    """Do nothing."""
