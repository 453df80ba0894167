"""Deleting what is over: all of it, a little at a time, and in nobody's way."""

from __future__ import annotations

import pytest
from sqlalchemy import literal

from action_server.database import Database
from action_server.idempotency import expiry
from action_server.idempotency.expiry import delete_expired
from action_server.idempotency.table import metadata
from benchmarks import history
from tests.action_server.idempotency.store_fixtures import BOOKED, Clock, Job, Opening, call, rows

pytest_plugins = ["tests.databases", "tests.action_server.idempotency.store_fixtures"]


async def test_much_is_deleted_in_batches_and_calls_come_in_between(
    opened: Opening, clock: Clock, database_url: str
) -> None:
    """No transaction holds the lock for all of it: a call of another worker is answered after any of them."""
    database, store = await Database.open(database_url, metadata.create_all), await opened()
    await database.write(lambda connection: history.fill_store(connection, 1200, clock.time + 100))
    pauses: list[float] = []
    # The store's clock is not there yet: it sweeps too, and would share the work.

    async def call_in_between(pause: float) -> None:
        pauses.append(pause)
        assert await call(store, Job(), f"{len(pauses):064}", ttl=1000) == (BOOKED, False)

    assert await delete_expired(database, lambda: literal(clock.time + 200), sleep=call_in_between) == 1200
    assert len(pauses) >= 1200 / expiry.LARGEST_BATCH
    await database.close()
    assert len(await rows(database_url)) == len(pauses)


async def test_a_slow_database_gets_smaller_batches(
    database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a pause that is as many times as long."""
    database = await Database.open(database_url, metadata.create_all)
    await database.write(lambda connection: history.fill_store(connection, 120, clock.time - 10))
    monkeypatch.setattr(expiry, "BATCH_TIME", 0.0)
    pauses: list[float] = []

    async def note(pause: float) -> None:
        pauses.append(pause)

    assert await delete_expired(database, lambda: literal(clock.time), sleep=note) == 120
    await database.close()
    # 50, 25, 12, 10, 10, 10, and 3 that are fewer than asked for.
    assert len(pauses) == 6
    assert min(pauses) >= 0.02
