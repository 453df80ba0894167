"""The embedded backend within one process, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from action_server import Database
from actions.errors import UnavailableError
from actions.migrations import upgrade
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import Slot, Window
from tests.actions.clinic import GENERAL, days, open_backend, opening_hours, slot_at
from tests.actions.scheduling.scheduling_contract import *  # noqa: F403
from tests.actions.scheduling.scheduling_contract import ELEVEN, TEN, Opening, free_starts, key_of, try_to_book

pytest_plugins = ["tests.databases"]


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[Opening]:
    backends = []

    async def open_one() -> EmbeddedBackend:
        backends.append(await open_backend(database_url))
        return backends[-1]

    yield open_one
    for backend in backends:
        await backend.close()


async def test_a_move_by_less_than_its_length_is_not_in_its_own_way(opened: Opening) -> None:
    """The patient's own old time does not count as taken, and what is not needed of it is free."""
    backend = await opened()
    quarter = slot_at("2026-11-24T10:15")
    booking = await backend.book(key_of("c"), TEN)

    for slot in (quarter, TEN, quarter):
        assert await backend.reschedule(key_of("c"), slot) == replace(booking, slot=slot)

    assert await try_to_book(backend, "another", slot_at("2026-11-24T09:45")) == "booked"
    assert await try_to_book(backend, "third", slot_at("2026-11-24T10:40")) == "taken"
    assert await try_to_book(backend, "third", slot_at("2026-11-24T10:45")) == "booked"
    await backend.cancel(key_of("c"))
    assert await try_to_book(backend, "fourth", slot_at("2026-11-24T10:15")) == "booked"


async def test_a_cancelled_booking_stays_on_record(backend: EmbeddedBackend, database: Path) -> None:
    """So does the time that a booking had before it moved."""
    booking = await backend.book(key_of("c"), TEN)
    await backend.reschedule(key_of("c"), ELEVEN)
    await backend.cancel(key_of("c"))

    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT reference, state, replaces FROM bookings ORDER BY id").fetchall()
        assert rows == [(booking.reference, "cancelled", None), (booking.reference, "cancelled", 1)]
        assert connection.execute("SELECT * FROM claims").fetchall() == []


async def test_a_reference_is_never_given_twice(backend: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """If chance repeats itself, another one is drawn."""
    chance = iter("777777" + "777777" + "4K7WQX")
    monkeypatch.setattr("actions.scheduling.references.secrets.choice", lambda _alphabet: next(chance))

    bookings = [await backend.book(key_of(slot.start.isoformat()), slot) for slot in (TEN, ELEVEN)]

    assert [booking.reference for booking in bookings] == ["APT-777777", "APT-4K7WQX"]


async def test_the_unique_index_alone_prevents_a_double_booking(backend: EmbeddedBackend, database: Path) -> None:
    """Even a writer who knows nothing of this code cannot claim a taken cell."""
    await backend.book(key_of("c"), TEN)

    with closing(sqlite3.connect(database)) as connection, pytest.raises(sqlite3.IntegrityError, match=r"claims\.cell"):
        connection.execute("INSERT INTO claims SELECT booking_id, resource, cell FROM claims LIMIT 1")


async def test_closing_waits_for_what_is_running(backend: EmbeddedBackend, database: Path) -> None:
    """A worker that shuts down does not cut off a booking."""
    task = asyncio.create_task(backend.book(key_of("c"), TEN))
    await asyncio.sleep(0)
    task.cancel()
    await backend.close()

    again = await open_backend(database)
    assert await again.get(key_of("c")) is not None
    await again.close()


async def test_a_missing_folder_is_made_and_kept_private(tmp_path: Path) -> None:
    """The file holds patients' data: its owner alone may read it."""
    path = tmp_path / "not" / "yet" / "clinic.sqlite3"
    backend = await open_backend(path)
    await backend.ping()
    await backend.close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_path_that_cannot_be_a_file_is_unavailable(tmp_path: Path) -> None:
    """A folder stands where the file should be, or a file where its folder should be."""
    (tmp_path / "file").touch()

    for path in (tmp_path, tmp_path / "file" / "clinic.sqlite3"):
        with pytest.raises(UnavailableError, match="the clinic's database did not answer: it cannot be opened: "):
            await open_backend(path)


async def test_a_file_that_is_no_database_is_unavailable(database: Path) -> None:
    """The foreign error stays attached for the log; ours names no value."""
    await asyncio.to_thread(database.write_bytes, b"not a database, for sure " * 100)

    with pytest.raises(UnavailableError, match="the file is not a database"):
        await open_backend(database)


async def test_a_server_that_does_not_answer_is_unavailable() -> None:
    """Nothing listens on that port."""
    with pytest.raises(UnavailableError, match="the clinic's database did not answer: "):
        await open_backend("postgresql://127.0.0.1:1/clinic")


async def test_a_file_that_somebody_else_keeps_locked_is_unavailable(database: Path) -> None:
    """Writing waits for as long as it may, then says so; reading goes on meanwhile, and later all is well."""
    backend = EmbeddedBackend(Ledger(await Database.open(database, upgrade, patience=0.05)), opening_hours())
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError, match="it is locked by somebody else"):
            await backend.book(key_of("c"), TEN)
        assert await backend.get(key_of("c")) is None
        other.execute("ROLLBACK")

    assert (await backend.book(key_of("c"), TEN)).slot == TEN
    await backend.close()


async def test_a_full_disk_is_unavailable_and_leaves_nothing_behind(database: Path) -> None:
    """SQLite refuses to grow the file: nothing is booked, and the time is still free."""
    await (await open_backend(database)).close()
    with _no_room_left():
        backend = await open_backend(database)
        december = opening_hours().slots(GENERAL, days("2026-12-01", "2026-12-12"))
        answers = [await _book_or_find_still_free(backend, slot) for slot in december]
        await backend.close()
    assert "the clinic's database did not answer: its disk is full" in answers


@contextmanager
def _no_room_left() -> Iterator[None]:
    def limit(connection: sqlite3.Connection, _entry: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 1")  # as many as it has now, and not one more
        cursor.close()

    event.listen(Pool, "connect", limit)
    try:
        yield
    finally:
        event.remove(Pool, "connect", limit)


async def _book_or_find_still_free(backend: EmbeddedBackend, slot: Slot) -> str:
    key = key_of("c" * 500, Window.at(slot.start))
    try:
        await backend.book(key, slot)
    except UnavailableError as exc:
        assert await backend.get(key) is None
        assert await free_starts(backend, key.window) == {slot}
        return str(exc)
    return "booked"
