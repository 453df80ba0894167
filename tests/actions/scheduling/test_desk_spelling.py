"""People at the desk write times and states as they are used to: what cannot be meant is refused at once, by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from action_server import Database
from actions.database import open_database
from actions.migrations import upgrade
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.models import BookingKey, Window
from tests.actions.clinic import NOW, open_backend
from tests.actions.scheduling.embedded_walks import Connected
from tests.actions.scheduling.scheduling_contract import ELEVEN, HALF_PAST_NINE, TEN, free_starts, key_of, try_to_book

pytest_plugins = ["tests.databases"]


@pytest.fixture
async def backend(database_url: str) -> AsyncIterator[EmbeddedBackend]:
    opened = await open_backend(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def desk(backend: EmbeddedBackend, database_url: str) -> Iterator[Connected]:
    connected = Connected(database_url)
    yield connected
    connected.close()


def at(moment: datetime, spelling: str) -> str:
    """Spell a time (UTC); an offset is that of Berlin in winter."""
    return (moment + timedelta(hours=1 if "+01" in spelling else 0)).strftime(spelling)


SPELLINGS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S+01:00"]


def key_at(start: datetime) -> BookingKey:
    return key_of("c", Window.at(start))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_time_is_that_time_however_it_is_spelled(
    spelling: str, backend: EmbeddedBackend, desk: Connected
) -> None:
    """SQLite keeps and compares whatever text it is given: nobody else gets the time, and its patient finds it."""
    booking = await backend.book(key_at(TEN.start), TEN)
    times = at(ELEVEN.start, spelling), at(ELEVEN.end, spelling)
    desk.write(('UPDATE bookings SET start = :one, "end" = :two, changed = :one', {"one": times[0], "two": times[1]}))

    assert ELEVEN not in await free_starts(backend)
    assert await try_to_book(backend, "another", ELEVEN) == "taken"
    assert list(await backend.upcoming("c", NOW)) == [replace(booking, slot=ELEVEN, moved_from=TEN.start)]
    assert await backend.reschedule(key_at(ELEVEN.start), HALF_PAST_NINE)
    assert await backend.cancel(key_at(HALF_PAST_NINE.start))
    assert await try_to_book(backend, "another", TEN) == "booked"


@pytest.mark.parametrize("written", ["24.11.2026 11:00", "10:00", "tomorrow", "1795510800"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_time_that_cannot_be_read_is_refused(written: str, backend: EmbeddedBackend, desk: Connected) -> None:
    """The booking stays as it was."""
    booking = await backend.book(key_of("c"), TEN)
    with pytest.raises(DBAPIError, match=r"bookings\.start"):
        desk.write(("UPDATE bookings SET start = :written", {"written": written}))

    assert list(await backend.upcoming("c", NOW)) == [booking]


@pytest.mark.parametrize("state", ["canceled", "Cancelled", "CANCELED "])
async def test_a_cancelled_booking_is_cancelled_however_that_is_spelled(
    state: str, backend: EmbeddedBackend, desk: Connected
) -> None:
    """Its patient hears so, and the time is free."""
    booking = await backend.book(key_of("c"), TEN)
    desk.write(("UPDATE bookings SET state = :state", {"state": state}))

    assert await try_to_book(backend, "another", TEN) == "booked"
    assert list(await backend.cancelled_elsewhere("c", NOW)) == [booking]


async def test_a_state_that_there_is_not_is_refused(backend: EmbeddedBackend, desk: Connected) -> None:
    """By a message that names those that there are."""
    booking = await backend.book(key_of("c"), TEN)
    with pytest.raises(DBAPIError, match="state is one of pending, confirmed, cancelling, cancelled"):
        desk.write(("UPDATE bookings SET state = 'no show'", {}))

    assert list(await backend.upcoming("c", NOW)) == [booking]


async def test_a_booking_of_which_only_the_start_was_moved_keeps_its_length(
    backend: EmbeddedBackend, desk: Connected
) -> None:
    """Its end would be before its start; one that ends before it starts for another reason is refused."""
    await backend.book(key_of("c"), TEN)
    desk.write(("UPDATE bookings SET start = :start", {"start": ELEVEN.start}))

    assert ELEVEN not in await free_starts(backend)
    assert await try_to_book(backend, "another", ELEVEN) == "taken"
    assert [one.slot for one in await backend.upcoming("c", NOW)] == [ELEVEN]
    with pytest.raises(DBAPIError, match="end is not after"):
        desk.write(('UPDATE bookings SET "end" = :end', {"end": TEN.start}))


INSERTED = (
    'INSERT INTO bookings (uid, reference, "key", conversation, appointment_type, resource, start, "end", state,'
    " changed) VALUES ('desk', 'APT-DESK', 'desk', 'c', 'general', 'practice', :start, :end, 'Confirmed',"
    " CURRENT_TIMESTAMP)"
)


async def test_a_booking_with_the_databases_own_time_can_be_moved_and_cancelled(
    backend: EmbeddedBackend, desk: Connected
) -> None:
    """SQLite's own time has no fraction, and is a version like any other."""
    desk.write((INSERTED, {"start": TEN.start, "end": TEN.end}))

    assert await try_to_book(backend, "another", TEN) == "taken"
    assert await backend.reschedule(key_of("c"), ELEVEN)
    assert await backend.cancel(key_of("c"))
    assert await try_to_book(backend, "another", TEN) == "booked"


async def test_claims_of_a_row_that_people_deleted_are_nobodys(backend: EmbeddedBackend, desk: Connected) -> None:
    """SQLite gives its id to the next booking, whose patient is not told that the practice has moved it."""
    await backend.book(key_of("c"), TEN)
    # PostgreSQL wants the claims to go first.
    tables = ("bookings",) if desk.is_sqlite else ("claims", "bookings")
    desk.write(*((f"DELETE FROM {table}", {}) for table in tables))  # noqa: S608 (names of the tests)
    other = await backend.book(key_of("d"), ELEVEN)

    assert list(await backend.upcoming("d", NOW)) == [other]
    assert await try_to_book(backend, "c", TEN) == "booked"


async def test_a_cancellation_that_people_took_back_is_not_told(backend: EmbeddedBackend, desk: Connected) -> None:
    """Somebody else had asked for its time meanwhile, so that it was seen."""
    booking = await backend.book(key_of("c"), TEN)
    desk.write(("UPDATE bookings SET state = 'cancelled'", {}))
    assert await try_to_book(backend, "another", TEN) == "booked"
    await backend.cancel(key_of("another"))
    desk.write(("UPDATE bookings SET state = 'confirmed' WHERE conversation = 'c'", {}))

    assert list(await backend.cancelled_elsewhere("c", NOW)) == []
    assert list(await backend.upcoming("c", NOW)) == [booking]
    assert await try_to_book(backend, "another", TEN) == "taken"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_was_written_before_is_spelled_by_the_migration(database_url: str) -> None:
    """What cannot be read stays as it is: nothing keeps a server from starting."""
    until = await Database.open(database_url, lambda connection: upgrade(connection, "0007"))
    insert = INSERTED.replace(":start", "'2026-11-24T09:00'").replace(":end", "'2026-11-24 09:30'")
    unreadable = insert.replace("2026-11-24T09:00", "soon").replace("desk'", "odd'").replace("APT-DESK", "APT-ODD")

    async def write(connection: object) -> None:
        for statement in (insert, unreadable):
            await connection.execute(text(statement))  # type: ignore[attr-defined]

    await until.write(write)
    await until.close()
    database = await open_database(database_url)
    rows = await database.read(lambda connection: connection.execute(text("SELECT start, state FROM bookings")))
    found = [tuple(row) for row in rows]
    await database.close()

    assert found == [("2026-11-24 09:00:00.000000", "confirmed"), ("soon", "Confirmed")]
