"""Books: `python -m tests.actions.scheduling.booking_process MODE URL FOLDER`, driven line by line.

With a folder the calendar of `file_calendar` is in it; with `-` there is none.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from actions.booking import BookingRequest, Declined
from actions.database import open_database
from actions.errors import SlotTakenError
from actions.migrations import upgrade
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import BookingKey, Window
from actions.scheduling.port import SchedulingBackend
from actions.scheduling.sweeper import settle
from actions.scheduling.synced import SyncedBackend
from actions.tables import bookings, claims
from tests.actions.clinic import GENERAL, SPECIALIST, FixedClock, booking_desk, days, opening_hours, slot_at
from tests.actions.scheduling.file_calendar import FileCalendar

CUSTOMERS = 50
TIMES = 10
WISH = "2026-11-24T10:00"
TUESDAY = days("2026-11-24", "2026-11-25")
# An hour: the folder needs two steps to write it.
TEN, ELEVEN = (slot_at(f"2026-11-24T{hour}:00", SPECIALIST) for hour in (10, 11))
KEY = BookingKey("the conversation", "specialist", TUESDAY)
LATER = timedelta(minutes=5)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the parent reads it)


def wait_for_the_word() -> None:
    say("ready")
    sys.stdin.readline()


def backend_on(
    database: Database, folder: str, step: Callable[..., Any] = lambda: None
) -> EmbeddedBackend | SyncedBackend:
    ledger = Ledger(database, clock=FixedClock())
    if folder == "-":
        return EmbeddedBackend(ledger, opening_hours())
    return SyncedBackend(ledger, FileCalendar(Path(folder), step), opening_hours(), system="folder")


async def create(url: str, _folder: str) -> None:
    """Create the tables, or bring them up to date."""
    wait_for_the_word()
    database = await open_database(url)
    say(json.dumps("created"))
    await database.close()


async def _open_patiently(url: str) -> Database:
    # How long two hundred writers wait for each other is the machine's affair: here it matters who wins.
    return await Database.open(url, upgrade, patience=60)


async def race_for_one(url: str, folder: str) -> None:
    """Book one time for many conversations at once, as the desk does."""
    backend = backend_on(await _open_patiently(url), folder)
    desk = booking_desk(backend, FixedClock())
    wait_for_the_word()
    outcomes = await asyncio.gather(
        *(desk.book(BookingRequest(f"{os.getpid()}-{n}", "general", WISH)) for n in range(CUSTOMERS // 2))
    )
    say(json.dumps(Counter(o.reason.value if isinstance(o, Declined) else "booked" for o in outcomes)))
    await backend.close()


async def race(url: str, folder: str) -> None:
    """Book ten times for many conversations at once; then make one request many times, aimed at many times."""
    backend = backend_on(await _open_patiently(url), folder)
    slots = opening_hours().slots(GENERAL, TUESDAY)
    key = BookingKey("the conversation", "general", TUESDAY)

    async def attempt(n: int) -> str:
        slot = slots[n % TIMES]
        try:
            booking = await backend.book(BookingKey(f"{os.getpid()}-{n}", "general", Window.at(slot.start)), slot)
        except SlotTakenError:
            return "taken"
        return booking.slot.start.isoformat()

    wait_for_the_word()
    say(json.dumps(await asyncio.gather(*(attempt(n) for n in range(CUSTOMERS)))))
    made = await asyncio.gather(*(backend.book(key, slots[TIMES + n % 4]) for n in range(CUSTOMERS)))
    say(json.dumps(sorted({booking.reference for booking in made})))
    await backend.close()


async def _book(backend: SchedulingBackend) -> object:
    return await backend.book(KEY, TEN)


async def _move(backend: SchedulingBackend) -> object:
    return await backend.reschedule(KEY, ELEVEN)


async def _cancel(backend: SchedulingBackend) -> object:
    return await backend.cancel(KEY)


WORKS: dict[str, Callable[[SchedulingBackend], Awaitable[object]]] = {"book": _book, "move": _move, "cancel": _cancel}


def die_at_each_step(url: str, folder: str) -> None:
    """Do each work in one process after the other: the first is killed before its first step, the second before its
    second, and so on, until one comes to its end. A step is a statement that writes, its commit, what the calendar
    does, or the reply.

    Say for each what it left once the sweeper has been and the call was repeated, in this or in the other order.
    """
    asyncio.run(_create_tables(url))
    for work in WORKS:
        _die_at_each_step(work, url, folder)


def _die_at_each_step(work: str, url: str, folder: str) -> None:
    for number in itertools.count(1):
        asyncio.run(_prepare(work, url, folder))
        for thread in set(threading.enumerate()) - {threading.main_thread()}:
            thread.join()  # a connection's thread outlives it by a moment, and a fork wants none
        pid = os.fork()
        if pid == 0:
            asyncio.run(_die_at(number, work, url, folder))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        left = asyncio.run(_look(number % 2 == 0, work, url, folder))
        say(json.dumps({"work": work, "status": os.WTERMSIG(status), **left}))
        if status == 0:
            return


async def _create_tables(url: str) -> None:
    await (await open_database(url)).close()


async def _prepare(work: str, url: str, folder: str) -> None:
    database = await Database.open(url, _as_it_is)

    async def empty(connection: AsyncConnection) -> None:
        await connection.execute(claims.delete())
        await connection.execute(bookings.delete().where(bookings.c.replaces.is_not(None)))
        await connection.execute(bookings.delete())

    await database.write(empty)
    for file in _files(folder):
        file.unlink()
    if work != "book":
        await backend_on(database, folder).book(KEY, TEN)
    await database.close()


def _as_it_is(_connection: Connection) -> None:
    """The tables are there: only the work itself is to be cut into steps."""


async def _die_at(number: int, work: str, url: str, folder: str) -> None:
    steps, written = itertools.count(1), False

    def step() -> None:
        if next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def execute(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal written
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            written = True
            step()

    def commit(_connection: Connection) -> None:
        nonlocal written
        if written:
            written = False
            step()

    database = await Database.open(url, _as_it_is)
    event.listen(Engine, "before_cursor_execute", execute)
    event.listen(Engine, "commit", commit)
    await WORKS[work](backend_on(database, folder, step))
    step()


async def _look(repeat_first: bool, work: str, url: str, folder: str) -> dict[str, object]:
    """Say what is there when the sweeper has been, and when the call was repeated as well."""
    database = await Database.open(url, _as_it_is)
    backend = backend_on(database, folder)
    if repeat_first:
        await WORKS[work](backend)
    if isinstance(backend, SyncedBackend):
        for _ in range(2):  # what it settles may leave something of its own: the old time of a booking that moved
            await settle(backend, -LATER)
    swept = await _state(database, folder)
    if not repeat_first:
        await WORKS[work](backend)
    repeated = await _state(database, folder)
    await backend.close()
    return {"repeat first": repeat_first, "swept": swept, "repeated": repeated}


async def _state(database: Database, folder: str) -> dict[str, object]:
    async def read(connection: AsyncConnection) -> dict[str, object]:
        live = select(bookings.c.start, bookings.c.uid).where(bookings.c.state == "confirmed")
        found = (await connection.execute(live)).all()
        open_states = bookings.c.state.in_(("pending", "cancelling"))
        unsettled = (await connection.scalars(select(bookings.c.id).where(open_states))).all()
        claimed = (await connection.scalars(select(claims.c.cell).order_by(claims.c.cell))).all()
        return {
            "bookings": [f"{row.start:%H:%M}" for row in found],
            "uids": [row.uid for row in found],
            "unsettled": len(unsettled),
            "claimed": [f"{cell:%H:%M}" for cell in claimed],
        }

    state = await database.read(read)
    files = [file for file in _files(folder) if file.suffix != ".draft"]
    return {
        **state,
        "files": [file.name.rpartition("T")[2] for file in files],
        "entries": [f.read_text() for f in files],
    }


def _files(folder: str) -> list[Path]:
    return sorted(Path(folder).iterdir()) if folder != "-" else []


MODES = {
    "create": create,
    "race-for-one": race_for_one,
    "race": race,
}

if __name__ == "__main__":
    mode, *arguments = sys.argv[1:]
    if mode == "die":
        die_at_each_step(*arguments)
    else:
        asyncio.run(MODES[mode](*arguments))
