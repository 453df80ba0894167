"""Planted faults of the engine that results of jobs are brought to."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from action_server import job
from action_server.config import settings
from action_server.doctor.delivery_checks import ask_delivery_engines
from action_server.doctor.endpoints_file import endpoints_file_of
from tests.action_server.delivery.engine_stand_in import EngineStandIn, engine_stand_in
from tests.action_server.delivery.peers import Peer
from tests.action_server.delivery.test_credentials import private
from tests.action_server.doctor.bots import BOT, OPEN, examine_bot, ids
from tests.projects import GREET, project

pytest_plugins = ["tests.action_server.delivery.peers"]

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
    findings = [finding async for finding in ask_delivery_engines(read, endpoints_file_of(read), 3.0)]
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


async def test_every_engine_is_asked(bot_with_a_job: Path, engine: EngineStandIn) -> None:
    """Each with its own credential, and the entry of the one that is wrong is named."""
    right, dead = {"engine": engine.url, "token": "right"}, {"engine": "http://127.0.0.1:1"}
    at = "action_server.delivery.engines"

    assert await found(bot_with_a_job, {"engines": {"classic": right, "calm": right}}) == []
    assert await found(bot_with_a_job, {**right, "engines": {"calm": {**right, "token": "S3CR3T"}, "old": dead}}) == [
        (REFUSED, f"{at}.calm.token", "it is not the engine's"),
        (UNREACHABLE, f"{at}.old.engine", "nothing listens there"),
    ]


async def test_a_key_that_cannot_sign_is_found(bot_with_a_job: Path, engine: EngineStandIn, tmp_path: Path) -> None:
    """Nobody is asked with it."""
    (tmp_path / "key.pem").write_text("S3CR3T")
    settings = {"engine": engine.url, "jwt_private_key": str(tmp_path / "key.pem"), "jwt_method": "RS256"}

    assert await found(bot_with_a_job, settings) == [
        (
            REFUSED,
            "action_server.delivery.jwt_private_key",
            "its file is missing, empty or unreadable, or no key for jwt_method",
        )
    ]
    assert not engine.asked


async def test_a_key_that_is_not_the_engines_is_found(bot_with_a_job: Path, peer: Peer, tmp_path: Path) -> None:
    """Asked of the engines themselves; the right one is fine."""
    at, signed = "action_server.delivery.jwt_private_key", {"engine": peer.url, "jwt_method": "RS256"}
    other = tmp_path / "other.pem"
    other.write_bytes(private(rsa.generate_private_key(65537, 2048)))

    assert await found(bot_with_a_job, {**signed, "jwt_private_key": str(peer.key)}) == []
    assert await found(bot_with_a_job, {**signed, "jwt_private_key": str(other)}) == [
        (REFUSED, at, "it is not the engine's")
    ]


NAMES: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"headers": {"X-Engine": "calm"}}, None),
    ({"headers": {"X-Engine": "${NAME_OF_THE_ENGINE}"}}, None),
    ({"url": f"{OPEN['url']}?engine=calm"}, None),
    ({"headers": {"x-engine": "clam"}}, "action_endpoint.headers.x-engine"),
    ({"url": f"{OPEN['url']}?engine=S3CR3T"}, "action_endpoint.url"),
]


@pytest.mark.parametrize(("endpoint", "key"), NAMES)
def test_a_name_that_no_engine_has_is_found(bot_with_a_job: Path, endpoint: dict[str, Any], key: str | None) -> None:
    """In the file of the engine that tells it; without `--online`."""
    delivery = {"engines": {"calm": {"engine": "http://127.0.0.1:1"}}}
    content = {"action_endpoint": {**OPEN, **endpoint}, "action_server": {"delivery": delivery}}
    found_here = [f for f in examine_bot(bot_with_a_job, content) if f.rule.id == "delivery-unknown-engine"]

    assert [f.place.key for f in found_here] == ([] if key is None else [key])
    assert "S3CR3T" not in str(found_here)


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
