"""The time that all processes of a host agree on, for what a SQLite file holds; it goes on evenly.

Leases and lifetimes are spans. By the host's own clock, a jump ahead (the first synchronisation, a wrong hand) would
end them all at once: runs would look dead and run a second time, and answers would be forgotten before their repeats
come. So the first process after a boot writes down what the time is, and all of them count on from there by the
monotonic clock, which is one for a boot (clock_gettime(2)).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Column, Double, MetaData, String, Table, delete, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.errors import DatabaseError

_metadata = MetaData()
_clocks = Table(
    "action_server_clock",
    _metadata,
    Column("boot", String(100), primary_key=True),
    # What the clock showed when the monotonic one was 0, in seconds since 1970.
    Column("began_at", Double, nullable=False),
)
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# Containers may have a monotonic clock of their own: time_namespaces(7).
_NAMESPACE = Path("/proc/self/ns/time")


async def host_clock(database: Database) -> Callable[[], float] | None:
    """Return the time of a SQLite file's host, in seconds since 1970; None for a database that has its own.

    Where the system does not tell one boot from another, it is the host's clock as it is: anywhere but on Linux.

    Raises:
        DatabaseError: the database does not answer.
    """
    boot = _boot()
    if database.dialect != "sqlite" or boot is None:
        return plain_clock(database)
    return partial(_since, await database.write(partial(_agree, boot)))


def plain_clock(database: Database) -> Callable[[], float] | None:
    """Return the clock as it is of a SQLite file's host; None for a database that has its own."""
    return time.time if database.dialect == "sqlite" else None


async def host_clock_as_agreed(database: Database) -> Callable[[], float] | None:
    """Return what :func:`host_clock` does, and write nothing: where no process has, it is the clock as it is."""
    boot = _boot()
    if database.dialect != "sqlite":
        return None
    try:
        began_at = await database.read(partial(_read, boot)) if boot is not None else None
    except DatabaseError:
        began_at = None  # the table is not there, or whoever asks next hears what is wrong
    return time.time if began_at is None else partial(_since, began_at)


async def _agree(boot: str, connection: AsyncConnection) -> float:
    await connection.run_sync(_metadata.create_all)
    mine = sqlite.insert(_clocks).values(boot=boot, began_at=time.time() - time.monotonic())
    await connection.execute(mine.on_conflict_do_nothing())
    await connection.execute(delete(_clocks).where(_clocks.c.boot != boot))
    began_at = await _read(boot, connection)
    assert began_at is not None  # noqa: S101 - for mypy: it was written in this transaction
    return began_at


async def _read(boot: str, connection: AsyncConnection) -> float | None:
    found: float | None = (
        await connection.execute(select(_clocks.c.began_at).where(_clocks.c.boot == boot))
    ).scalar_one_or_none()
    return found


def _since(began_at: float) -> float:
    return began_at + time.monotonic()


def _boot() -> str | None:
    """Return what names this boot, and this monotonic clock; None where the system does not tell."""
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    try:
        return f"{boot} {os.readlink(_NAMESPACE)}"
    except OSError:
        return boot  # before Linux 5.6
