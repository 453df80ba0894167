"""Walk at random over the embedded backend, and count what went wrong::

python -m tests.actions.scheduling.embedded_walks --walks 1000

People at the clinic have no calendar program there: the desk books, lengthens, moves and cancels by statements of its
own, and what there is then is read from the database, past the backend.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from actions.database import open_database
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import Slot
from tests.actions.clinic import FixedClock, opening_hours
from tests.actions.scheduling.walk import TIMES, Kept, Walk
from tests.actions.scheduling.walking import Open, new_database, run_from_the_command_line
from tests.databases import postgresql_server

VARIANTS = ("sqlite", "postgresql")
_DESK = "desk"
_SPELLINGS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M")
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_EMPTY = "TRUNCATE bookings, claims RESTART IDENTITY CASCADE"

T = TypeVar("T")


class Connected:
    """A connection past the backend, whose statements are carried out on a thread of its own."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.drivername == "sqlite"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._engine = create_async_engine(parsed.set(drivername=_DRIVERS[parsed.drivername]))

    def close(self) -> None:
        self._run(self._engine.dispose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def read(self, statement: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a SELECT."""

        async def work() -> Sequence[Sequence[Any]]:
            async with self._engine.connect() as connection:
                return [tuple(row) for row in await connection.execute(text(statement))]

        return self._run(work())

    def write(self, *statements: tuple[str, Mapping[str, object]]) -> None:
        """Carry out statements in one transaction."""

        async def work() -> None:
            async with self._engine.begin() as connection:
                for statement, values in statements:
                    bound = {name: self._bound(value) for name, value in values.items()}
                    await connection.execute(text(statement), bound)

        self._run(work())

    def _bound(self, value: object) -> object:
        if not isinstance(value, datetime):
            return value
        return f"{value:%Y-%m-%d %H:%M:%S.%f}" if self.is_sqlite else value.replace(tzinfo=None)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@dataclass
class Truth:
    """What stands in the file: confirmed bookings, and which cells are claimed for which of them."""

    kept: Sequence[Kept]
    # Which cells are claimed for which booking, and which it needs; not of those whose time people have changed.
    claimed: Set[tuple[datetime, int]]
    needed: Set[tuple[datetime, int]]

    def is_closed(self, slot: Slot) -> bool:
        return any(one.patient == "" and one.overlaps(slot) for one in self.kept)

    def is_free(self, slot: Slot) -> bool:
        return not any(one.overlaps(slot) for one in self.kept)

    def hanging(self) -> Sequence[str]:
        """Return the cells that are kept for nobody, and the bookings that do not have theirs."""
        return [f"the cell {cell:%H:%M} and its booking differ" for cell, _ in sorted(self.claimed ^ self.needed)]


@dataclass
class WalkedDatabase:
    """A `WalkedSystem`: the database, and the desk, which writes into it by statements of its own."""

    database: Connected
    random: Random
    lag: float = 0

    def __post_init__(self) -> None:
        self._numbers = count()
        self._edited: set[int] = set()

    def truth(self) -> Truth:
        rows = self.database.read("SELECT id, start, \"end\", name FROM bookings WHERE state = 'confirmed'")
        claims = self.database.read("SELECT cell, booking_id FROM claims")
        kept = {one: Kept(_instant(start), _instant(end), str(name or "")) for one, start, end, name in rows}
        claimed = {(_instant(cell), booking) for cell, booking in claims if booking not in self._edited}
        needed = {(cell, name) for name, one in kept.items() if name not in self._edited for cell in _cells(one)}
        return Truth([*kept.values()], claimed, needed)

    def settle(self) -> None: ...

    def edits(self) -> Sequence[Callable[[], str]]:
        return [
            self.book_at_the_desk,
            self.correct_a_name,
            self.note_an_address,
            self.make_longer,
            self.make_shorter,
            self.move,
            self.move_with_other_spellings,
            self.change_places,
            self.cancel,
            self.delete,
        ]

    def book_at_the_desk(self) -> str:
        """Another program of the clinic writes a booking and its claims, in one transaction."""
        free = [slot for slot in TIMES if self.truth().is_free(slot)]
        if not free:
            return ""
        slot, name = self.random.choice(free), f"{_DESK}-{next(self._numbers)}"
        values = {"uid": name, "reference": f"APT-D{name[-4:]}", "start": slot.start, "end": slot.end}
        booking = (
            'INSERT INTO bookings (uid, reference, "key", conversation, name, appointment_type, resource, start, "end",'
            " state, changed, confirmed_at) VALUES (:uid, :reference, :uid, :uid, :uid, 'general', 'practice',"
            " :start, :end, 'confirmed', :start, :start)"
        )
        claim = (
            "INSERT INTO claims (booking_id, resource, cell)"
            " SELECT id, 'practice', :cell FROM bookings WHERE uid = :uid ON CONFLICT DO NOTHING"
        )
        cells = [(claim, {"uid": name, "cell": cell}) for cell in _cells(Kept(slot.start, slot.end))]
        self.database.write((booking, values), *cells)
        # Claims may be there that a booking has left which people changed: then it does not have all of its own.
        [(made,)] = self.database.read(f"SELECT id FROM bookings WHERE uid = '{name}'")  # noqa: S608 (a name of ours)
        self._edited.add(made)
        return f"booked {slot.start:%H:%M} at the desk"

    def correct_a_name(self) -> str:
        """A telephone number, say; whose booking it is does not hang on that."""
        self.database.write(("UPDATE bookings SET phone = '030 1' WHERE state = 'confirmed'", {}))
        return "corrected telephone numbers"

    def note_an_address(self) -> str:
        self.database.write(("UPDATE bookings SET email = 'a@example.org'", {}))
        return "noted addresses"

    def make_longer(self) -> str:
        """Somebody writes another end into the table of bookings, and knows nothing of claims."""
        return self._give_time("longer", lambda one: (one.start, one.end + timedelta(minutes=15)))

    def make_shorter(self) -> str:
        return self._give_time("shorter", lambda one: (one.start, one.start + timedelta(minutes=15)))

    def move(self) -> str:
        free = [slot for slot in TIMES if self.truth().is_free(slot)]
        if not free:
            return ""
        slot = self.random.choice(free)
        return self._give_time(f"{slot.start:%H:%M}", lambda one: (slot.start, slot.start + (one.end - one.start)))

    def move_with_other_spellings(self) -> str:
        """Somebody types the new start alone, as they are used to write times; the end would be before it."""
        name, kept = self._any_booking()
        later = [slot for slot in TIMES if self.truth().is_free(slot) and kept and slot.start >= kept.end]
        if kept is None or not later or kept.end - kept.start > later[0].end - later[0].start:
            return ""
        slot, spelled = self.random.choice(later), self.random.choice(_SPELLINGS)
        self._edited.add(name)
        statement = f"UPDATE bookings SET start = '{slot.start:{spelled}}' WHERE id = :id"  # noqa: S608 (a time of ours)
        self.database.write((statement, {"id": name}))
        return f"moved {kept.start:%H:%M} to {slot.start:{spelled}}"

    def change_places(self) -> str:
        """Two patients change places, in one transaction."""
        (one, first), (other, second) = self._any_booking(), self._any_booking()
        if first is None or second is None or one == other or first.end - first.start != second.end - second.start:
            return ""
        self._edited |= {one, other}
        statement = 'UPDATE bookings SET start = :start, "end" = :end WHERE id = :id'
        times = ((one, second), (other, first))
        self.database.write(*((statement, {"id": name, "start": at.start, "end": at.end}) for name, at in times))
        return f"had {first.start:%H:%M} and {second.start:%H:%M} change places"

    def cancel(self) -> str:
        return self._end("cancelled", "UPDATE bookings SET state = ' Canceled' WHERE id = :id")

    def delete(self) -> str:
        """SQLite asks for no claims and gives the id to the next one; PostgreSQL wants the claims to go first."""
        claims = "DELETE FROM claims WHERE booking_id = :id"
        newer = "UPDATE bookings SET replaces = NULL WHERE replaces = :id"
        before = () if self.database.is_sqlite else (claims, newer)
        return self._end("deleted", *before, "DELETE FROM bookings WHERE id = :id")

    def _end(self, done: str, *statements: str) -> str:
        name, kept = self._any_booking()
        if kept is None:
            return ""
        self._edited.add(name)
        self.database.write(*((statement, {"id": name}) for statement in statements))
        return f"{done} {kept.start:%H:%M}"

    def _give_time(self, words: str, change: Callable[[Kept], tuple[datetime, datetime]]) -> str:
        name, kept = self._any_booking()
        if kept is None:
            return ""
        start, end = change(kept)
        others = [one for one in self.truth().kept if one != kept]
        if any(one.overlaps(Kept(start, end)) for one in others):
            return ""
        self._edited.add(name)
        statement = 'UPDATE bookings SET start = :start, "end" = :end WHERE id = :id'
        self.database.write((statement, {"id": name, "start": start, "end": end}))
        return f"made {kept.start:%H:%M} {words}"

    def _any_booking(self) -> tuple[int, Kept | None]:
        rows = self.database.read("SELECT id, start, \"end\", name FROM bookings WHERE state = 'confirmed' ORDER BY id")
        if not rows:
            return 0, None
        name, start, end, patient = self.random.choice(rows)
        return name, Kept(_instant(start), _instant(end), str(patient or ""))


def _cells(kept: Kept) -> Sequence[datetime]:
    five = timedelta(minutes=5)
    return [kept.start + n * five for n in range((kept.end - kept.start) // five)]


def _instant(value: str | datetime) -> datetime:
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).replace(tzinfo=timezone.utc)


@asynccontextmanager
async def walking(database: str | Path, random: Random) -> AsyncIterator[Walk]:
    """Open a walk on an empty database for the length of the block."""
    clock = FixedClock()
    backends = [EmbeddedBackend(Ledger(await open_database(database), clock=clock), opening_hours()) for _ in range(2)]
    desk = Connected(database if isinstance(database, str) else f"sqlite:///{database}")
    try:
        if isinstance(database, str):
            desk.write((_EMPTY, {}))
        yield Walk(WalkedDatabase(desk, random), clock, backends, random)
    finally:
        desk.close()
        for backend in backends:
            await backend.close()


@contextmanager
def embedded_walks(variants: Sequence[str] = VARIANTS) -> Iterator[Open]:
    """Return what opens a walk; a PostgreSQL server runs for the length of the block if it is among the variants."""
    folder = Path(tempfile.mkdtemp(prefix="walks-"))

    @asynccontextmanager
    async def opened(variant: str, kept: Path, random: Random) -> AsyncIterator[Walk]:
        if variant == "sqlite":
            async with new_database(kept, random) as file, walking(file, random) as walked:
                yield walked
        else:
            async with walking(url, random) as walked:
                yield walked

    try:
        if "postgresql" in variants:
            with postgresql_server(folder) as url:
                yield opened
        else:
            yield opened
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Walk as the command line says."""
    with embedded_walks() as opens:
        run_from_the_command_line(opens, VARIANTS, __doc__)


if __name__ == "__main__":
    main()
