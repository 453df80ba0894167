"""The coming week as each backend understands it, in lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from actions.database import open_database
from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.ledger import Ledger
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import GENERAL, FixedClock, opening_hours
from tests.actions.scheduling.memory_calendar import MemoryCalendar, MemorySystem
from tests.actions.scheduling.scheduling_contract import ELEVEN, TEN, key_of

WEEK = [
    "general (30 min, practice)",
    "  Sun 22 Nov: outside of the opening hours",
    "  Mon 23 Nov: 16 free",
    "  Tue 24 Nov: {}",
    "  Wed 25 Nov: 16 free",
    "  Thu 26 Nov: 16 free",
    "  Fri 27 Nov: 16 free",
    "  Sat 28 Nov: outside of the opening hours",
]


async def ledger(database: Path) -> Ledger:
    return Ledger(await open_database(database), clock=FixedClock())


async def test_the_embedded_backend_tells_what_is_booked(database: Path) -> None:
    """Each day of the next seven, today included."""
    backend = EmbeddedBackend(await ledger(database), opening_hours(), [GENERAL])
    await backend.book(key_of("c"), TEN)

    assert list(await backend.describe()) == [line.format("15 free, 1 taken") for line in WEEK]
    await backend.close()


async def test_a_calendar_elsewhere_counts_as_well(database: Path) -> None:
    """What people write there is taken."""
    system = MemorySystem()
    backend = SyncedBackend(
        await ledger(database), MemoryCalendar(system), opening_hours(), system="calendar", kinds=[GENERAL]
    )
    await backend.book(key_of("c"), TEN)
    await system.occupy(ELEVEN)

    assert list(await backend.describe()) == [line.format("14 free, 2 taken") for line in WEEK]
    await backend.close()


@pytest.mark.parametrize("backend", [EmbeddedBackend])
async def test_without_types_there_is_nothing_to_tell(backend: type[EmbeddedBackend], database: Path) -> None:
    """Who opens a backend by hand need not name them."""
    opened = backend(await ledger(database), opening_hours())

    assert list(await opened.describe()) == []
    await opened.close()
