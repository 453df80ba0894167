"""The embedded backend between real processes: races, and deaths at the worst moments."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from actions.booking import Booked, BookingRequest, Declined
from tests.actions.booking_process import CUSTOMERS, WISH
from tests.actions.clinic import FixedClock, booking_desk, open_backend

ROOT = Path(__file__).parents[2]
REQUEST = BookingRequest("the conversation", "general", WISH)


@contextmanager
def process(mode: str, database: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "tests.actions.booking_process", mode, str(database)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def say_go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def hear(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def at_once(mode: str, database: Path, count: int) -> list[str]:
    """Let several processes do the same at the same moment; return the last line of each."""
    with ExitStack() as stack:
        children = [stack.enter_context(process(mode, database)) for _ in range(count)]
        assert [hear(child) for child in children] == ["ready"] * count
        for child in children:
            say_go(child)
        answers = [hear(child) for child in children]
        assert [child.wait(60) for child in children] == [0] * count
        return answers


def rows(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        return count


def test_of_fifty_bookings_of_one_time_in_two_processes_one_wins(database: Path) -> None:
    """One is booked, forty-nine hear "taken", and the file holds one booking with its six cells of five minutes."""
    answers = at_once("race", database, 2)

    total = sum((Counter(json.loads(answer)) for answer in answers), Counter[str]())
    assert total == {"booked": 1, "taken": 2 * CUSTOMERS - 1}
    assert (rows(database, "bookings"), rows(database, "claims")) == (1, 6)


def test_processes_that_start_at_once_create_the_schema_together(database: Path) -> None:
    """On a new file nobody fails, and the file ends up in WAL mode with its guard."""
    assert at_once("create", database, 4) == ["created"] * 4

    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        guards = connection.execute("SELECT name FROM pragma_index_list('claims') WHERE \"unique\" = 1").fetchall()
        assert len(guards) == 1
    assert rows(database, "bookings") == 0


@pytest.mark.parametrize("moment", ["stop-before-claims", "stop-before-commit"])
async def test_a_process_killed_inside_of_the_transaction_leaves_no_half_booking(moment: str, database: Path) -> None:
    """Nothing is left; the repeat books, and one more repeat gets the same reference."""
    with process(moment, database) as child:
        assert hear(child) == "standing still"
        child.kill()
        child.wait(60)

    assert (rows(database, "bookings"), rows(database, "claims")) == (0, 0)
    backend = await open_backend(database)
    desk = booking_desk(backend, FixedClock())
    first, second = await desk.book(REQUEST), await desk.book(REQUEST)
    await backend.close()
    assert isinstance(first, Booked)
    assert first == second
    assert (rows(database, "bookings"), rows(database, "claims")) == (1, 6)


async def test_a_process_killed_before_it_could_reply_has_booked(database: Path) -> None:
    """The repeat gets the reference of the booking that the dead process made; everybody else hears "taken"."""
    with process("stop-before-reply", database) as child:
        reference = hear(child)
        assert hear(child) == "standing still"
        child.kill()
        child.wait(60)

    backend = await open_backend(database)
    desk = booking_desk(backend, FixedClock())
    repeat = await desk.book(REQUEST)
    other = await desk.book(BookingRequest("another conversation", "general", WISH))
    await backend.close()
    assert isinstance(repeat, Booked)
    assert repeat.booking.reference == reference
    assert isinstance(other, Declined)
    assert other.reason.value == "taken"
