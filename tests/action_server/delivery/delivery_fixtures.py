"""A deliverer on a database of its own, whose clock stands still until it is moved, and a stand-in for the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from action_server.database import Database
from action_server.delivery.deliverer import Deliverer
from action_server.delivery.engine import Engine
from action_server.delivery.store import DeliveryStore
from action_server.delivery.table import metadata
from action_server.jobs.engine_settings import DeliverySettings
from tests.action_server.delivery.engine_stand_in import EngineStandIn, engine_stand_in
from tests.action_server.jobs.job_fixtures import Clock


@dataclass
class Postbox:
    """Delivers to one engine, as a worker does."""

    deliverer: Deliverer
    store: DeliveryStore
    # The names of engines, and what became of each try.
    tried: list[tuple[str, str]]

    async def send(self, job_id: str = "a1", conversation: str = "ann", **delivery: Any) -> str:
        """Run the delivery of a job's result once, and return the route."""
        texts, slots = delivery.pop("texts", ["It is ready."]), delivery.pop("slots", {})
        origin = {"channel": "callback", "version": "3.6.21", "has_user": True}
        known = {"intent": None, "route": None, "origin": origin, **delivery}
        route: str = await self.deliverer.job(job_id, "summary", conversation, texts, slots, **known)
        return route


Opening = Callable[..., Any]


def delivery_settings(given: Mapping[str, Any]) -> DeliverySettings:
    """Return the settings, without those that are None: nobody gave them."""
    return DeliverySettings(**{key: value for key, value in given.items() if value is not None})


@pytest.fixture
async def engine() -> AsyncIterator[EngineStandIn]:
    """An engine that knows a conversation on a channel that pushes."""
    async with engine_stand_in() as engine:
        await engine.user_says("ann", "hello")
        engine.said.clear()
        yield engine


@pytest.fixture
async def opened(database_url: str, engine: EngineStandIn) -> AsyncIterator[Opening]:
    """Open what delivers, with settings; the address of the engine is there unless it is given."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        database = await Database.open(database_url, metadata.create_all)
        stack.push_async_callback(database.close)
        clock = Clock()

        def open_one(**settings: Any) -> Postbox:
            given = delivery_settings({"engine": engine.url, **settings})
            store, tried = DeliveryStore(database, clock), []
            engines = {name: Engine(one, session, name) for name, one in given.reached()}
            return Postbox(Deliverer(given, store, engines, lambda *one: tried.append(one)), store, tried)

        open_one.clock = clock  # type: ignore[attr-defined]
        yield open_one


def in_file(tmp_path: Path, secret: str) -> dict[str, str]:
    """A secret that stands in a file."""
    (tmp_path / "secret").write_text(secret)
    return {"file": str(tmp_path / "secret")}
