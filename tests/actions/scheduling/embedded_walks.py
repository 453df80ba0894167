"""Walk at random over the embedded backend, and count what went wrong::

python -m tests.actions.scheduling.embedded_walks --walks 1000

People at the clinic have no calendar program there: the desk books, moves and cancels in a process of its own, and what
there is then is read from the file, past the backend.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from random import Random

from actions.database import open_database
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import Slot
from tests.actions.clinic import FixedClock, opening_hours
from tests.actions.scheduling.walk import TIMES, Kept, Walk
from tests.actions.scheduling.walking import Open, new_database, run_from_the_command_line

VARIANTS = ("sqlite",)
_DESK = "desk"


@dataclass
class Truth:
    """What stands in the file: confirmed bookings, and which cells are claimed for which of them."""

    kept: Sequence[Kept]
    claimed: Sequence[tuple[datetime, str]]

    def is_closed(self, slot: Slot) -> bool:
        return any(one.patient == "" and one.overlaps(slot) for one in self.kept)

    def is_free(self, slot: Slot) -> bool:
        return not any(one.overlaps(slot) for one in self.kept)

    def hanging(self) -> Sequence[str]:
        """Return the cells that are kept for nobody, and the bookings that do not have theirs."""
        five = timedelta(minutes=5)
        there = {cell for cell, _ in self.claimed}
        needed = {one.start + n * five for one in self.kept for n in range((one.end - one.start) // five)}
        return [f"the cell {cell:%H:%M} and its booking differ" for cell in sorted(there ^ needed)]


@dataclass
class WalkedFile:
    """A `WalkedSystem`: the file, and the desk, which writes into it by statements of its own."""

    file: Path
    random: Random
    lag: float = 0

    def __post_init__(self) -> None:
        self._numbers = count()

    def truth(self) -> Truth:
        rows = self._read("SELECT start, \"end\", name, conversation FROM bookings WHERE state = 'confirmed'")
        claims = self._read("SELECT cell, booking_id FROM claims")
        kept = [Kept(_instant(start), _instant(end), str(name or "")) for start, end, name, _ in rows]
        return Truth(kept, [(_instant(cell), str(booking)) for cell, booking in claims])

    def settle(self) -> None: ...

    def edits(self) -> Sequence[Callable[[], str]]:
        return [self.book_at_the_desk, self.correct_a_name, self.note_an_address]

    def book_at_the_desk(self) -> str:
        """Another program of the clinic writes a booking and its claims, in one transaction."""
        free = [slot for slot in TIMES if self.truth().is_free(slot)]
        if not free:
            return ""
        slot, name = self.random.choice(free), f"{_DESK}-{next(self._numbers)}"
        values = (name, f"APT-D{name[-4:]}", name, name, "general", "practice", _text(slot.start), _text(slot.end))
        columns = 'uid, reference, "key", conversation, appointment_type, resource, start, "end"'
        with self._connected() as connection, connection:
            row = connection.execute(
                f"INSERT INTO bookings ({columns}, state, changed, confirmed_at)"  # noqa: S608 (our own words)
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'confirmed', ?, ?)",
                (*values, _text(slot.start), _text(slot.start)),
            )
            cells = [(row.lastrowid, _text(slot.start + n * timedelta(minutes=5))) for n in range(6)]
            connection.executemany("INSERT INTO claims VALUES (?, 'practice', ?)", cells)
        return f"booked {slot.start:%H:%M} at the desk"

    def correct_a_name(self) -> str:
        """A telephone number, say; whose booking it is does not hang on that."""
        with self._connected() as connection, connection:
            connection.execute("UPDATE bookings SET phone = '030 1' WHERE state = 'confirmed'")
        return "corrected telephone numbers"

    def note_an_address(self) -> str:
        with self._connected() as connection, connection:
            connection.execute("UPDATE bookings SET email = 'a@example.org'")
        return "noted addresses"

    def _read(self, statement: str) -> list[tuple[str, ...]]:
        with self._connected() as connection:
            return connection.execute(statement).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.file, timeout=10)) as connection:
            yield connection


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S.%f}"


@asynccontextmanager
async def walking(folder: Path, random: Random) -> AsyncIterator[Walk]:
    """Open a walk for the length of the block."""
    clock = FixedClock()
    async with new_database(folder, random) as file:
        backends = [EmbeddedBackend(Ledger(await open_database(file), clock=clock), opening_hours()) for _ in range(2)]
        try:
            yield Walk(WalkedFile(file, random), clock, backends, random)
        finally:
            for backend in backends:
                await backend.close()


@contextmanager
def embedded_walks() -> Iterator[Open]:
    """Return what opens a walk; nothing has to run for it."""
    yield lambda _, folder, random: walking(folder, random)


def main() -> None:
    """Walk as the command line says."""
    with embedded_walks() as opens:
        run_from_the_command_line(opens, VARIANTS, __doc__)


if __name__ == "__main__":
    main()
