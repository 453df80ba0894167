"""A process of its own that books: `python -m tests.actions.booking_process MODE DATABASE`, driven line by line."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from actions.booking import Booked, BookingRequest, Declined
from actions.scheduling.database import create_schema, open_engine
from actions.scheduling.embedded import EmbeddedBackend
from tests.actions.clinic import FixedClock, booking_desk, opening_hours

CUSTOMERS = 25
WISH = "2026-11-24T10:00"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the parent reads it)


def _wait_for_the_word() -> None:
    _say("ready")
    sys.stdin.readline()


def _stand_still() -> None:
    _say("standing still")
    time.sleep(3600)


async def _race(engine: AsyncEngine) -> None:
    """Book one time for many conversations at once."""
    await create_schema(engine)
    desk = booking_desk(EmbeddedBackend(engine, opening_hours()), FixedClock())
    _wait_for_the_word()
    outcomes = await asyncio.gather(
        *(desk.book(BookingRequest(f"{id(desk)}-{n}", "general", WISH)) for n in range(CUSTOMERS))
    )
    taken = Counter(o.reason.value if isinstance(o, Declined) else "booked" for o in outcomes)
    _say(json.dumps(taken))


async def _create(engine: AsyncEngine) -> None:
    """Create the schema."""
    _wait_for_the_word()
    await create_schema(engine)
    _say("created")


async def _book(engine: AsyncEngine) -> None:
    await create_schema(engine)
    desk = booking_desk(EmbeddedBackend(engine, opening_hours()), FixedClock())
    outcome = await desk.book(BookingRequest("the conversation", "general", WISH))
    _say(outcome.booking.reference if isinstance(outcome, Booked) else outcome.reason.value)


async def _stop_before_claims(engine: AsyncEngine) -> None:
    """Stand still with the booking inserted and its claims not."""

    def look(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("INSERT INTO claims"):
            _stand_still()

    event.listen(engine.sync_engine, "before_cursor_execute", look)
    await _book(engine)


async def _stop_before_commit(engine: AsyncEngine) -> None:
    """Stand still with everything inserted and nothing committed."""
    await create_schema(engine)
    event.listen(engine.sync_engine, "commit", lambda _connection: _stand_still())
    await _book(engine)


async def _stop_before_reply(engine: AsyncEngine) -> None:
    """Stand still with everything committed and nobody told."""
    await _book(engine)
    _stand_still()


MODES = {
    "race": _race,
    "create": _create,
    "stop-before-claims": _stop_before_claims,
    "stop-before-commit": _stop_before_commit,
    "stop-before-reply": _stop_before_reply,
}


async def _main(mode: str, database: Path) -> None:
    engine = open_engine(database)
    await MODES[mode](engine)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2])))
