"""The store's table and its database: created once, written whole or not at all, named when it cannot be had."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.errors import DatabaseError, SettingsError
from action_server.idempotency.store import IdempotencyStore
from action_server.idempotency.table import calls, metadata
from tests.action_server.idempotency.store_fixtures import BOOKED, KEY, Job, Opening, call, connected, rows

pytest_plugins = ["tests.databases", "tests.action_server.idempotency.store_fixtures"]

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "run-actions-once.md"
FORGED = {"key": KEY, "state": "done", "owner": "", "lease_until": 0, "expires_at": 0, "answer": ""}


async def test_a_transaction_ends_though_its_caller_went_away(database_url: str) -> None:
    """It is all there, and its connection is free again; closing waits for it."""
    database = await Database.open(database_url, metadata.create_all)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(calls.insert().values(FORGED))
        began.set()
        await go_on.wait()

    caller = asyncio.create_task(database.write(work))
    await began.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    await database.close()

    assert await rows(database_url) == [(KEY, "done", "")]


async def test_a_transaction_that_fails_leaves_nothing(database_url: str) -> None:
    """Also when nobody is there any more to hear of it."""
    database = await Database.open(database_url, metadata.create_all)

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(calls.insert().values(FORGED))
        await connection.execute(text("SELECT nonsense FROM nowhere"))

    caller = asyncio.create_task(database.write(work))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(DatabaseError):
        await database.write(work)
    await database.close()

    assert await rows(database_url) == []


async def test_stores_opened_at_once_create_the_table_together(opened: Opening) -> None:
    """On an empty database nobody fails."""
    stores = await asyncio.gather(*(opened() for _ in range(8)))
    job = Job()

    came = await asyncio.gather(*(call(store, job) for store in stores))

    assert sorted(repeated for _, repeated in came) == [False] + [True] * 7


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_table_of_the_manual_is_the_stores(database_url: str) -> None:
    """Who creates it by hand gets what the store uses."""
    statements = re.findall(r"CREATE [^;]+;", PAGE.read_text(encoding="utf-8"))
    async with connected(database_url) as connection:
        for statement in statements:
            await connection.execute(text(statement))
        by_hand = await connection.run_sync(columns)
        await connection.execute(text("DROP TABLE action_server_once"))
    store = await IdempotencyStore.open(database_url)
    await store.close()

    async with connected(database_url) as connection:
        assert await connection.run_sync(columns) == by_hand
    assert len(statements) == 2


def columns(connection: Connection) -> list[object]:
    found = inspect(connection)
    types = [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns("action_server_once")]
    return [
        types,
        found.get_pk_constraint("action_server_once")["constrained_columns"],
        found.get_indexes("action_server_once"),
    ]


async def test_a_path_is_a_sqlite_file_for_its_owner_alone(tmp_path: Path) -> None:
    """Answers stand in it. The folder is made; the file survives in WAL mode."""
    file = tmp_path / "new" / "state.sqlite3"
    store = await IdempotencyStore.open(file)
    await call(store, Job())
    await store.close()
    again = await IdempotencyStore.open(str(file))

    assert await call(again, Job()) == (BOOKED, True)
    await again.close()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


BAD_URLS: list[tuple[str, str, str]] = [
    ("empty", "", "is empty"),
    ("another database", "mysql://user:hunter2@host/x", "must be the path of a SQLite file"),
    ("another driver", "postgresql+psycopg://user:hunter2@host/x", "must be the path of a SQLite file"),
    ("no URL", "://user:hunter2@host", "is not an URL"),
    ("a port that is none", "postgresql://user:hunter2@host:port/x", "is not an URL"),
    ("memory", "sqlite://", "names no file"),
    ("memory by name", "sqlite:///:memory:", "names no file"),
]


@pytest.mark.parametrize(("url", "problem"), [u[1:] for u in BAD_URLS], ids=[u[0] for u in BAD_URLS])
async def test_a_bad_url_is_the_settings_fault(url: str, problem: str) -> None:
    """The setting is named and its value is not: a password may stand in it."""
    with pytest.raises(SettingsError, match=f"^idempotency.database: {problem}") as caught:
        await IdempotencyStore.open(url, where="idempotency.database")
    assert "hunter2" not in str(caught.value)


async def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is an optional install."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(
        SettingsError,
        match=r"^database: needs the package asyncpg, which is not installed; in a clone of this project: pip",
    ):
        await IdempotencyStore.open("postgresql://localhost/x")


async def test_a_database_that_does_not_answer_is_an_error_of_its_own(tmp_path: Path) -> None:
    """No server, a folder that cannot be, a file that is no database."""
    (tmp_path / "text").write_text("This is no database, and long enough to be seen as none. " * 20)

    for url in ("postgresql://127.0.0.1:1/x", tmp_path / "text" / "state", tmp_path / "text", tmp_path):
        with pytest.raises(DatabaseError, match="did not answer"):
            await IdempotencyStore.open(url)
