"""The embedded backend's SQLite file: its tables, how it is opened, and what its failures mean."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import (
    URL,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from actions.scheduling.errors import UnavailableError

# How long a writer waits for the other writers, in seconds: well inside the 8 s that a whole booking may take.
BUSY_TIMEOUT = 5.0
_WAL_PAUSE = 0.05
_SQLITE_BUSY = 5  # https://sqlite.org/rescode.html#busy; above the lowest byte are its variants


class UtcDateTime(TypeDecorator[datetime]):
    """Stores an instant as UTC without a zone, which every database can sort, and gives it back with one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant as it is stored."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant as it was."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


metadata = MetaData()

bookings = Table(
    "bookings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(16), nullable=False, unique=True),
    Column("key", String(64), nullable=False),
    Column("conversation", String, nullable=False),
    Column("appointment_type", String, nullable=False),
    Column("resource", String, nullable=False),
    Column("start", UtcDateTime, nullable=False),
    Column("end", UtcDateTime, nullable=False),
    Column("cancelled", Boolean, nullable=False, server_default=false()),
)
# Partial: a cancelled booking stays on record, and its key may be booked again.
Index(
    "one_live_booking_per_key",
    bookings.c.key,
    unique=True,
    sqlite_where=~bookings.c.cancelled,
    postgresql_where=~bookings.c.cancelled,
)
Index("bookings_of_a_conversation", bookings.c.conversation, bookings.c.start)

claims = Table(
    "claims",
    metadata,
    Column("booking_id", ForeignKey(bookings.c.id), nullable=False, index=True),
    Column("resource", String, nullable=False),
    Column("cell", UtcDateTime, nullable=False),
    # The guard against double booking. Everything else in this package is politeness.
    UniqueConstraint("resource", "cell", name="one_claim_per_cell"),
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what SQLAlchemy raises (locked, full, unreadable, gone) into `UnavailableError`."""
    try:
        yield
    except SQLAlchemyError as exc:
        raise UnavailableError("the booking database did not answer") from exc


def open_engine(path: Path, busy_timeout: float = BUSY_TIMEOUT) -> AsyncEngine:
    """Return an engine for the file, made together with its folder if need be, readable by its owner alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite itself would let everybody read it
    except OSError as exc:
        raise UnavailableError(f"the booking database cannot be opened: {exc.strerror}") from exc
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        pool_timeout=busy_timeout,
        hide_parameters=True,  # they are patients' data, and would stand in every error text
    )

    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # or the driver sends a BEGIN of its own
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")  # a reference that was read out survives a power cut
        cursor.close()

    event.listen(engine.sync_engine, "connect", configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # IMMEDIATE takes the write lock first. A transaction that reads first and writes later fails at the write, without
    # any waiting, if somebody else wrote in between.
    begin = connection.get_execution_options().get("begin", "BEGIN")
    if begin is not None:
        connection.exec_driver_sql(begin)


def writing(engine: AsyncEngine) -> AsyncEngine:
    """Return the same engine for transactions that write."""
    return engine.execution_options(begin="BEGIN IMMEDIATE")


async def create_schema(engine: AsyncEngine) -> None:
    """Create what is missing; any number of processes may do so at once."""
    with translated_errors():
        await _switch_to_wal(engine)
        async with writing(engine).begin() as connection:
            await connection.run_sync(metadata.create_all)


async def _switch_to_wal(engine: AsyncEngine) -> None:
    # The mode is stored in the file and cannot be changed inside of a transaction. When processes switch a new file at
    # once, SQLite tells one in nine "locked" at once, without waiting for its busy_timeout: hence the loop.
    give_up = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            async with engine.execution_options(begin=None).connect() as connection:
                await connection.execute(text("PRAGMA journal_mode = WAL"))
            return
        except OperationalError as exc:
            if not _is_busy(exc) or time.monotonic() >= give_up:
                raise
            await asyncio.sleep(_WAL_PAUSE)


def _is_busy(error: OperationalError) -> bool:
    # Before Python 3.11 the driver does not say; trying again until the time is up does no harm then.
    code: int = getattr(error.orig, "sqlite_errorcode", _SQLITE_BUSY)
    return code & 0xFF == _SQLITE_BUSY
