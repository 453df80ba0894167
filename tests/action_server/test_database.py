"""Databases that processes share: what opening one does, and what their failures say. Races: test_idempotency*.py."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

import action_server
from action_server import Database, DatabaseError
from action_server.database import _make_private
from action_server.database_urls import place_of

pytest_plugins = ["tests.databases"]


def create(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE IF NOT EXISTS words (word VARCHAR NOT NULL UNIQUE)"))


async def add(connection: AsyncConnection) -> None:
    await connection.execute(text("INSERT INTO words VALUES ('word')"))


async def count(connection: AsyncConnection) -> int:
    return len((await connection.execute(text("SELECT word FROM words"))).all())


def test_importing_the_package_does_not_import_sqlalchemy() -> None:
    """`Database` is looked up when it is asked for; other names are not there at all."""
    script = (
        "import sys, action_server; assert 'sqlalchemy' not in sys.modules; "
        "from action_server import Database, DatabaseError; assert 'sqlalchemy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

    assert action_server.Database is Database
    with pytest.raises(AttributeError, match="module 'action_server' has no attribute 'Nonsense'"):
        _ = action_server.Nonsense  # type: ignore[attr-defined]


async def test_what_is_created_is_there_when_the_database_is_open(database_url: str) -> None:
    """And is not made twice; reading and writing are transactions of their own."""
    for words in (0, 1):
        database = await Database.open(database_url, create)
        await database.ping()
        assert await database.read(count) == words
        if not words:
            await database.write(add)
        await database.close()


async def test_creating_runs_for_one_after_the_other(database_url: str) -> None:
    """Each sees what those before it made: migrations need that."""
    seen: list[int] = []

    def grow(connection: Connection) -> None:
        create(connection)
        words = connection.execute(text("SELECT count(*) FROM words")).scalar_one()
        seen.append(words)
        connection.execute(text("INSERT INTO words VALUES (:word)"), {"word": f"word {words}"})

    for database in await asyncio.gather(*(Database.open(database_url, grow) for _ in range(4))):
        await database.close()

    assert seen == [0, 1, 2, 3]


async def test_creating_that_fails_leaves_nothing(database_url: str) -> None:
    """Tables included; an error of the caller's own comes through as it is."""

    def fail(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE words (word VARCHAR)"))
        raise LookupError("a migration is missing")

    with pytest.raises(LookupError):
        await Database.open(database_url, fail)

    def anew(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE words (other VARCHAR)"))

    await (await Database.open(database_url, anew)).close()


async def test_an_error_names_the_problem_and_no_data(database_url: str) -> None:
    """What was to be written may be about people."""
    database = await Database.open(database_url, create)
    await database.write(add)

    with pytest.raises(DatabaseError) as caught:
        await database.write(add)

    assert str(caught.value) == "the action server's database did not answer"
    assert caught.value.problem is None
    await database.close()


async def test_a_locked_file_says_so(tmp_path: Path) -> None:
    """After as long as a transaction may wait."""
    file = tmp_path / "state.sqlite3"
    database = await Database.open(file, create, patience=0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="did not answer: it is locked by somebody else") as caught:
            await database.write(add)
        assert isinstance(caught.value.__cause__, OperationalError)
    await database.close()


async def test_a_file_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    """No database, a folder, a folder that is a file."""
    (tmp_path / "text").write_text("This is no database, and long enough to be seen as none. " * 20)
    problems = {
        tmp_path / "text": "the file is not a database",
        tmp_path: "it cannot be opened: Is a directory",
        tmp_path / "text" / "state": "it cannot be opened: ",
    }

    for path, problem in problems.items():
        with pytest.raises(DatabaseError, match=problem):
            await Database.open(path, create)


def test_what_is_done_for_a_file_that_is_there_keeps_the_locks_on_it(tmp_path: Path) -> None:
    """Closing it would give up SQLite's, and who closes the database next would remove the log others write to."""
    path = tmp_path / "state.sqlite3"
    path.touch()
    lock = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"

    with path.open("r+") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        _make_private(path)
        other = subprocess.run([sys.executable, "-c", lock, str(path)], check=False, capture_output=True, text=True)

    assert "BlockingIOError" in other.stderr


async def test_a_file_that_stays_locked_cannot_be_opened(tmp_path: Path) -> None:
    """Start-up gives up in the end."""
    file = tmp_path / "state.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError, match="it is locked by somebody else"):
            await Database.open(file, create, patience=0.1)


async def test_a_server_that_refuses_says_why(postgresql: str) -> None:
    """No such database, no such user, nobody there; neither password nor host is in the words."""
    problems = {
        postgresql.replace("/postgres?", "/nowhere?"): "it does not exist",
        "postgresql://u:hunter2@127.0.0.1:1/x": "Connect call failed",
    }
    for url, problem in problems.items():
        with pytest.raises(DatabaseError, match=problem) as caught:
            await Database.open(url, create)
        assert "hunter2" not in str(caught.value)


async def test_a_password_is_asked_for_each_new_connection(postgresql: str) -> None:
    """One in a file that was replaced counts for the next connection, without a restart."""
    asked: list[str] = []

    def password() -> str:
        asked.append("opensesame")
        return asked[-1]

    async def tables(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT 1"))

    database = await Database.open(postgresql, lambda _connection: None, password=password)
    await database.read(tables)
    one = len(asked)
    await asyncio.gather(database.read(tables), database.read(tables))
    await database.close()

    assert (one, len(asked)) == (1, 2)


async def test_what_is_called_after_a_commit_is_not_called_without(database_url: str) -> None:
    """Once, when the transaction is done; never for one that came to nothing."""
    database = await Database.open(database_url, create)
    calls: list[str] = []

    async def fail(connection: AsyncConnection) -> None:
        database.after_commit(connection, lambda: calls.append("failed"))
        raise ValueError("no")

    async def succeed(connection: AsyncConnection) -> None:
        database.after_commit(connection, lambda: calls.append("done"))
        assert calls == []

    with pytest.raises(ValueError, match="no"):
        await database.write(fail)
    await database.write(succeed)
    await database.write(add)
    await database.close()

    assert calls == ["done"]


async def test_a_transaction_goes_to_the_file_that_is_at_the_path(tmp_path: Path) -> None:
    """While there is none it fails, and makes none; another one that was put there is the database from then on."""
    file = tmp_path / "words.sqlite3"
    first = await Database.open(file, create)
    await first.write(add)
    other = await Database.open(tmp_path / "other.sqlite3", create)
    await other.close()

    file.rename(tmp_path / "away")
    with pytest.raises(DatabaseError, match="its file is gone: it was moved or deleted"):
        await first.write(add)
    assert not file.exists()

    (tmp_path / "away").rename(file)
    assert await first.read(count) == 1
    # With its log, as who moves a database has to.
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).rename(tmp_path / f"away{ending}")
    (tmp_path / "other.sqlite3").rename(file)
    assert await first.read(count) == 0
    await first.close()


@pytest.mark.parametrize("idle", [3600.0, -1.0], ids=["just used", "idle"])
async def test_a_connection_that_the_server_ended_is_replaced(
    postgresql: str, monkeypatch: pytest.MonkeyPatch, idle: float
) -> None:
    """One that was just used shows that it is closed; one that was idle is asked. Nobody sees an error."""
    monkeypatch.setattr(action_server.database, "_IDLE", idle)
    database = await Database.open(postgresql, lambda _connection: None)
    other = await Database.open(postgresql, lambda _connection: None)

    async def process(connection: AsyncConnection) -> int:
        # The connection itself, to wait for what the kernel tells it of its end.
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        used.append(raw)
        return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())

    used: list[Any] = []
    first = await database.read(process)
    end = text(f"SELECT pg_terminate_backend({first}, 10000)")
    assert await other.read(lambda connection: connection.scalar(end))
    while idle > 0 and not used[0].is_closed():  # noqa: ASYNC110 - the kernel sets no event
        await asyncio.sleep(0)
    second = await database.read(process)
    await asyncio.gather(database.close(), other.close())

    assert second != first


async def test_a_connection_that_was_just_used_is_not_asked_again(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would double the round trips of a short transaction."""
    database = await Database.open(postgresql, lambda _connection: None)
    asked: list[object] = []

    def ask(connection: object) -> bool:
        asked.append(connection)
        return True

    monkeypatch.setattr(database._engine.dialect, "_do_ping_w_event", ask)
    await database.ping()
    await database.ping()
    assert asked == []
    monkeypatch.setattr(action_server.database, "_IDLE", -1.0)
    await database.ping()
    await database.close()

    assert len(asked) == 1


PLACES = {
    "sqlite:////var/lib/own.sqlite3": "/var/lib/own.sqlite3",
    "postgresql://ann:secret@db.example:5433/clinic": "db.example:5433/clinic",
    "postgresql://ann:secret@/clinic?host=/run/postgresql": "/run/postgresql/clinic",
    "postgresql:///clinic?host=a&host=b&password=secret": "a,b/clinic",
    "postgresql://": "localhost/",
}


@pytest.mark.parametrize(("url", "place"), PLACES.items())
def test_its_place_is_for_people(url: str, place: str) -> None:
    """Without who may come in, and by which password."""
    assert place_of(make_url(url)) == place
