"""A claim whose commit broke off: nobody knows whether it was made, and everybody that it was not run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.errors import DatabaseError, StillRunningError, StoreUnavailableError
from action_server.idempotency import unheard
from action_server.idempotency.store import IdempotencyStore
from tests.action_server.idempotency.store_fixtures import BOOKED, Job, Opening, call, rows

pytest_plugins = ["tests.databases", "tests.action_server.idempotency.store_fixtures"]


async def lose_claims(store: IdempotencyStore, *keys: str) -> None:
    """Let claims of these keys be made, and tell the store that the database did not answer."""
    write = store._database.write

    async def lose(work: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
        await write(work)
        raise DatabaseError

    store._database.write = lose  # type: ignore[method-assign]
    for key in keys:
        with pytest.raises(StoreUnavailableError):
            await call(store, Job(), key)
    store._database.write = write  # type: ignore[method-assign]


async def test_a_claim_that_was_not_heard_of_is_taken_again(store: IdempotencyStore) -> None:
    """It was "running" for ten seconds, and of unknown outcome for a day, though nothing had been run."""
    job = Job()
    await lose_claims(store, "a" * 64, "a" * 64)

    assert await call(store, job) == (BOOKED, False)
    assert await call(store, job) == (BOOKED, True)
    assert job.runs == 1


async def test_it_is_given_back_so_that_other_workers_run_it(
    store: IdempotencyStore, opened: Opening, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the heartbeat, all of them; what was run has its row."""
    monkeypatch.setattr(unheard, "_BATCH", 2)
    second = await opened()
    await call(store, Job(), "done")
    await lose_claims(store, "one", "two", "three")
    with pytest.raises(StillRunningError):
        await call(second, Job(), "one", wait=0)

    await store._unheard.give_back(store._database)

    assert [key for key, *_ in await rows(database_url)] == ["done"]
    assert await call(second, Job(), "one") == (BOOKED, False)


async def test_what_cannot_be_given_back_is_tried_again(store: IdempotencyStore, database_url: str) -> None:
    """The database may be down for longer than a heartbeat."""
    await lose_claims(store, "one")
    write = store._database.write

    async def refuse(work: object) -> None:
        raise DatabaseError

    store._database.write = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(DatabaseError):
        await store._unheard.give_back(store._database)
    store._database.write = write  # type: ignore[method-assign]
    await store._unheard.give_back(store._database)

    assert await rows(database_url) == []
    assert await call(store, Job(), "one") == (BOOKED, False)


def test_no_more_are_remembered_than_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten."""
    monkeypatch.setattr(unheard, "_MOST", 2)
    claims = unheard.UnheardClaims()
    for key in ("one", "two", "three"):
        claims.add(key, f"token of {key}")

    assert claims.token_for("one") != "token of one"
    assert [claims.token_for(key) for key in ("two", "three")] == ["token of two", "token of three"]
