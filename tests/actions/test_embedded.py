"""The embedded backend within one process."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import stat
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from actions.scheduling.database import create_schema, open_engine
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.errors import InvalidRequestError, SlotTakenError, UnavailableError
from actions.scheduling.models import AppointmentType, BookingKey, Slot, Window
from tests.actions.clinic import GENERAL, SPECIALIST, at, days, open_backend, opening_hours, slot_at

TEN = slot_at("2026-11-24T10:00")
TUESDAY = days("2026-11-24", "2026-11-25")


def key_of(conversation: str, window: Window = TUESDAY, appointment_type: str = "general") -> BookingKey:
    return BookingKey(conversation, appointment_type, window)


async def try_to_book(backend: EmbeddedBackend, conversation: str, slot: Slot) -> str:
    try:
        await backend.book(key_of(conversation), slot)
    except SlotTakenError as exc:
        return "taken" if exc.slot == slot else "a lie"
    return "booked"


async def test_a_taken_time_is_given_to_nobody_else(backend: EmbeddedBackend) -> None:
    """Of fifty bookings of one time at once, one wins and forty-nine hear "taken"."""
    results = await asyncio.gather(*(try_to_book(backend, f"c{n}", TEN) for n in range(50)))

    assert Counter(results) == {"booked": 1, "taken": 49}


async def test_the_same_request_at_once_and_again_is_one_booking(backend: EmbeddedBackend) -> None:
    """A message that the channel delivers ten times is booked once, whichever slots the repeats were aimed at."""
    slots = [TEN, slot_at("2026-11-24T10:30")] * 5

    bookings = await asyncio.gather(*(backend.book(key_of("c"), slot) for slot in slots))

    assert len(set(bookings)) == 1
    assert await backend.get(key_of("c")) == bookings[0]
    assert await backend.book(key_of("c"), slot_at("2026-11-24T16:00")) == bookings[0]


async def test_a_key_fits_the_booking_that_was_made_under_a_wider_or_narrower_one(backend: EmbeddedBackend) -> None:
    """ "Tuesday at ten" after "Tuesday" is the same appointment, if Tuesday at ten is what was booked."""
    booking = await backend.book(key_of("c"), TEN)

    assert await backend.book(key_of("c", Window.at(TEN.start)), TEN) == booking
    assert await backend.get(key_of("c", days("2026-11-23", "2026-11-30"))) == booking


@pytest.mark.parametrize(
    "other",
    [
        key_of("another"),
        key_of("c", appointment_type="specialist"),
        key_of("c", days("2026-11-25", "2026-11-26")),
        key_of("c", Window.at(at("2026-11-24T10:30"))),
    ],
)
async def test_another_key_finds_nothing(backend: EmbeddedBackend, other: BookingKey) -> None:
    """Another conversation, type or window is another request."""
    await backend.book(key_of("c"), TEN)

    assert await backend.get(other) is None
    assert await backend.cancel(other) is None


def test_a_key_tells_nobody_who_asked() -> None:
    """What is stored as the key is a digest, a different one for each part that differs."""
    keys = [key_of("c"), key_of("d"), key_of("c", appointment_type="x"), key_of("c", Window.at(TEN.start))]

    assert len({key.digest for key in keys}) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", key.digest) for key in keys)


@pytest.mark.parametrize("shift", [-25, -5, 5, 25])
async def test_appointments_that_overlap_exclude_each_other(backend: EmbeddedBackend, shift: int) -> None:
    """Five minutes in common are enough, whatever grid the two were booked on."""
    await backend.book(key_of("c"), TEN)
    moved = replace(TEN, start=TEN.start + timedelta(minutes=shift), end=TEN.end + timedelta(minutes=shift))

    assert await try_to_book(backend, "another", moved) == "taken"


async def test_neighbours_and_other_resources_do_not_exclude_each_other(backend: EmbeddedBackend) -> None:
    """Back to back is free, and so is another doctor at the same time."""
    slots = [TEN, slot_at("2026-11-24T09:30"), slot_at("2026-11-24T10:30"), replace(TEN, resource="specialist")]

    assert [await try_to_book(backend, f"c{n}", slot) for n, slot in enumerate(slots)] == ["booked"] * 4


async def test_a_taken_slot_is_not_found_any_more(backend: EmbeddedBackend) -> None:
    """An hour is free only if both of its halves are; another resource's bookings do not matter."""
    long = AppointmentType("long", timedelta(hours=1), GENERAL.resource)
    window = Window(at("2026-11-24T09:00"), at("2026-11-24T11:00"))
    await backend.book(key_of("c"), TEN)

    assert [slot.start for slot in await backend.find_slots(long, window)] == [
        at("2026-11-24T09:00"),
        at("2026-11-24T10:30"),
    ]
    assert len(await backend.find_slots(SPECIALIST, window)) == 4


async def test_nothing_is_found_where_the_clinic_is_closed(backend: EmbeddedBackend) -> None:
    """A Sunday has no slots."""
    assert await backend.find_slots(GENERAL, days("2026-11-29", "2026-11-30")) == []


async def test_a_cancelled_time_and_its_key_are_free_again(backend: EmbeddedBackend, database: Path) -> None:
    """Others get the time, the conversation gets a new reference, and the old booking stays on record."""
    booking = await backend.book(key_of("c"), TEN)

    assert await backend.cancel(key_of("c")) == booking
    assert await backend.cancel(key_of("c")) is None
    assert await try_to_book(backend, "another", TEN) == "booked"
    again = await backend.book(key_of("c"), slot_at("2026-11-24T11:00"))
    assert again.reference != booking.reference
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT reference FROM bookings WHERE cancelled").fetchall() == [(booking.reference,)]


async def test_a_slot_outside_of_the_keys_window_is_refused(backend: EmbeddedBackend) -> None:
    """Its booking could not be found again by its key."""
    with pytest.raises(InvalidRequestError):
        await backend.book(key_of("c"), slot_at("2026-11-25T10:00"))


async def test_a_reference_can_be_read_aloud_and_is_never_given_twice(
    backend: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No characters that look alike; if chance repeats itself, another reference is drawn."""
    chance = iter("777777" + "777777" + "4K7WQX")
    first = await backend.book(key_of("first"), slot_at("2026-11-24T09:00"))
    monkeypatch.setattr("actions.scheduling.embedded.secrets.choice", lambda _alphabet: next(chance))
    second = await backend.book(key_of("second"), TEN)
    third = await backend.book(key_of("third"), slot_at("2026-11-24T11:00"))

    assert re.fullmatch(r"APT-[234679ACDEFGHJKMNPQRTWXYZ]{6}", first.reference)
    assert (second.reference, third.reference) == ("APT-777777", "APT-4K7WQX")


async def test_the_unique_index_alone_prevents_a_double_booking(backend: EmbeddedBackend, database: Path) -> None:
    """Even a writer who knows nothing of this code cannot claim a taken cell."""
    await backend.book(key_of("c"), TEN)

    with closing(sqlite3.connect(database)) as connection, pytest.raises(sqlite3.IntegrityError, match=r"claims\.cell"):
        connection.execute("INSERT INTO claims SELECT booking_id, resource, cell FROM claims LIMIT 1")


async def test_bookings_outlive_the_process(database: Path) -> None:
    """Another backend on the same file finds them, in UTC as they were."""
    one = await open_backend(database)
    booking = await one.book(key_of("c"), TEN)
    await one.close()

    two = await open_backend(database)
    assert await two.get(key_of("c")) == booking
    await two.close()


async def test_a_caller_who_goes_away_leaves_a_whole_booking(backend: EmbeddedBackend) -> None:
    """Cancelled at any step, what was begun is finished: the repeat gets its reference, nobody else gets the time."""
    for steps, slot in enumerate(opening_hours().slots(GENERAL, TUESDAY), start=1):
        key = key_of(f"c{steps}", Window.at(slot.start))
        task = asyncio.create_task(backend.book(key, slot))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await backend.book(key, slot) == await backend.get(key)
        assert await try_to_book(backend, "another", slot) == "taken"


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
        with pytest.raises(UnavailableError, match="cannot be opened"):
            await open_backend(path)


async def test_a_file_that_is_no_database_is_unavailable(database: Path) -> None:
    """The foreign error stays attached for the log; ours names no value."""
    await asyncio.to_thread(database.write_bytes, b"not a database, for sure " * 100)

    with pytest.raises(UnavailableError):
        await open_backend(database)


async def test_a_file_that_somebody_else_keeps_locked_is_unavailable(database: Path) -> None:
    """Writing waits for as long as it may, then says so; reading goes on meanwhile, and later all is well."""
    engine = open_engine(database, busy_timeout=0.01)
    await create_schema(engine)
    backend = EmbeddedBackend(engine, opening_hours())
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError):
            await backend.book(key_of("c"), TEN)
        assert await backend.get(key_of("c")) is None
        other.execute("ROLLBACK")

    assert (await backend.book(key_of("c"), TEN)).slot == TEN
    await backend.close()


async def test_a_new_file_that_stays_locked_is_unavailable(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start-up gives up in the end."""
    monkeypatch.setattr("actions.scheduling.database.BUSY_TIMEOUT", 0.1)
    engine = open_engine(database, busy_timeout=0)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError):
            await create_schema(engine)
    await engine.dispose()


async def test_a_full_disk_is_unavailable_and_leaves_nothing_behind(database: Path) -> None:
    """SQLite refuses to grow the file: nothing is booked, and the time is still free."""
    engine = open_engine(database)
    await create_schema(engine)
    await engine.dispose()

    @event.listens_for(engine.sync_engine, "connect")
    def limit(connection: sqlite3.Connection, _entry: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 1")
        cursor.close()

    backend = EmbeddedBackend(engine, opening_hours())
    december = opening_hours().slots(GENERAL, days("2026-12-01", "2026-12-12"))
    answers = [await _book_or_find_still_free(backend, slot) for slot in december]
    await backend.close()
    assert "unavailable" in answers


async def _book_or_find_still_free(backend: EmbeddedBackend, slot: Slot) -> str:
    key = key_of("c" * 500, Window.at(slot.start))
    try:
        await backend.book(key, slot)
    except UnavailableError:
        assert await backend.get(key) is None
        assert list(await backend.find_slots(GENERAL, key.window)) == [slot]
        return "unavailable"
    return "booked"
