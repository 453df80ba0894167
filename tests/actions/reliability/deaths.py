"""Deaths of a process at each step of its work, and what they leave."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, event

from action_server import Database
from actions.errors import SlotTakenError
from actions.scheduling.models import BookingKey, Patient, Window
from actions.scheduling.port import SchedulingBackend
from actions.transport import Response, Transport
from tests.actions.reliability.host import HOUR, opened, say, slot_of, sweep
from tests.actions.reliability.systems import Place

WORKS = ("book", "move", "cancel")
READS = ("GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT")
# Half hours after the first time of the day: what is booked, and where it moves to.
FIRST, SECOND = 0, 4


def key_of(conversation: str, day: datetime) -> BookingKey:
    """Return the key of the whole day."""
    return BookingKey(conversation, HOUR.name, Window(day, day + timedelta(hours=12)))


async def do(work: str, backend: SchedulingBackend, day: datetime) -> object:
    """Do the work for the patient of the day."""
    key = key_of(f"patient of {day:%d %B}", day)
    if work == "book":
        return await backend.book(key, slot_of(HOUR, day, FIRST), Patient(key.conversation, "Erika Mustermann"))
    if work == "move":
        return await backend.reschedule(key, slot_of(HOUR, day, SECOND))
    return await backend.cancel(key)


def die(place: Place, day: datetime, work: str, number: int, repeat_first: bool, folder: str) -> None:
    """Do the work in a process that is killed at its step of this number, if it has so many.

    Say at which step it died (None: it came to its end), and what is in the system and in the ledger after the sweeper
    has been and after the call was repeated, in one or the other order.
    """
    ledger = f"{folder}/ledger.sqlite3"
    clinic = place.clinic(ledger)
    if work != "book":
        asyncio.run(_alone("book", clinic, day))
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        watch(number, write)
        asyncio.run(_alone(work, clinic, day))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        steps = pipe.read().split("\n")[:-1]
    status = os.WTERMSIG(os.waitpid(pid, 0)[1])
    first, second = (_repeat, _sweep) if repeat_first else (_sweep, _repeat)
    states = []
    for what in (first, second):
        asyncio.run(what(work, clinic, day))
        # Who repeats a move that is certain already leaves its old time to the sweeper.
        states.append(_state(place, ledger, day, tidy=work != "move" or what is _sweep or not repeat_first))
    another = asyncio.run(_another(place.clinic(f"{folder}/another.sqlite3"), day))
    say({"status": status, "step": steps[-1] if status else None, "states": states, "another": another})


async def _alone(work: str, clinic: dict[str, Any], day: datetime) -> None:
    async with opened(clinic) as backend:
        await do(work, backend, day)


async def _repeat(work: str, clinic: dict[str, Any], day: datetime) -> None:
    await _alone(work, clinic, day)


async def _sweep(_work: str, clinic: dict[str, Any], _day: datetime) -> None:
    async with opened(clinic) as backend:
        await sweep(backend)


async def _another(clinic: dict[str, Any], day: datetime) -> list[str]:
    """Let somebody else, on another host with a ledger of its own, ask for both times; return what they hear."""
    answers = []
    async with opened(clinic) as backend:
        for number in (FIRST, SECOND):
            slot = slot_of(HOUR, day, number)
            key = replace(key_of("somebody else", day), window=Window.at(slot.start))
            is_free = slot in await backend.find_slots(HOUR, key.window)
            try:
                await backend.book(key, slot)
                answers.append("booked" if is_free else "booked, though it was not offered")
            except SlotTakenError:
                answers.append("taken, though it was offered" if is_free else "taken")
    return answers


def _state(place: Place, ledger: str, day: datetime, *, tidy: bool) -> dict[str, list[str]]:
    """Return the times in the system and in the ledger: start and reference."""
    book = Place("sqlite", ledger) if place.is_remote else place
    return {
        "system": [f"{one.start[11:16]} {one.reference}" for one in place.appointments(day, tidy=tidy)],
        "ledger": [f"{one.start[11:16]} {one.reference}" for one in book.appointments(day, tidy=tidy)],
    }


def watch(number: int, pipe: int) -> None:
    """Kill this process at the step: before or after a transaction is committed, or a request that writes is sent."""
    steps = itertools.count(1)

    def step(name: str) -> None:
        os.write(pipe, f"{name}\n".encode())
        if next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch_transactions(step)
    _watch_requests(step)


def _watch_transactions(step: Callable[[str], None]) -> None:
    write, written = Database.write, False

    def execute(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal written
        written = written or statement.startswith(("INSERT", "UPDATE", "DELETE"))

    def commit(_connection: Connection) -> None:
        if written:
            step("before a commit")

    async def stepping(self: Database, work: Callable[..., Awaitable[Any]]) -> Any:
        nonlocal written
        found = await write(self, work)
        if written:
            written = False
            step("after a commit")
        return found

    event.listen(Engine, "before_cursor_execute", execute)
    event.listen(Engine, "commit", commit)
    Database.write = stepping  # type: ignore[method-assign]


def _watch_requests(step: Callable[[str], None]) -> None:
    request = Transport.request

    async def stepping(self: Transport, method: str, path: str, **rest: Any) -> Response:
        if method in READS:
            return await request(self, method, path, **rest)
        step(f"before {method}")
        answer = await request(self, method, path, **rest)
        step(f"after {method}")
        return answer

    Transport.request = stepping  # type: ignore[method-assign]
