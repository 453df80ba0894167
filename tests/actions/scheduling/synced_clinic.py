"""A clinic whose appointments are kept in a calendar as well, and what its tests look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from actions.errors import AuthFailedError, InvalidRequestError, RateLimitedError, UnavailableError
from actions.scheduling.models import BookingChange, Patient
from actions.scheduling.sweeper import Sweep, settle
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import FixedClock, open_synced
from tests.actions.scheduling.memory_calendar import MemoryCalendar, MemorySystem
from tests.actions.scheduling.scheduling_contract import TEN, free_starts, key_of

KEY = key_of("c")
ERIKA = Patient("c", "Erika Mustermann", "erika@example.org", "+49 30 5550123")
LATER = timedelta(minutes=1)
REFUSALS = [
    UnavailableError("the calendar cannot be reached"),
    RateLimitedError("the calendar has had too many requests", 2.0),
    AuthFailedError("the calendar refused the credentials"),
    InvalidRequestError("the calendar did not understand"),
]
refusals = pytest.mark.parametrize("error", REFUSALS, ids=[type(error).__name__ for error in REFUSALS])


@dataclass
class Clinic:
    """A backend, the calendar that it writes to, and everything that was said to be final."""

    database: Path
    clock: FixedClock = field(default_factory=FixedClock)
    system: MemorySystem = field(default_factory=MemorySystem)
    changes: list[BookingChange] = field(default_factory=list)
    opened: list[SyncedBackend] = field(default_factory=list)
    calendar: MemoryCalendar = field(init=False)
    backend: SyncedBackend = field(init=False)

    async def open(self, calendar: MemoryCalendar | None = None) -> SyncedBackend:
        """Open one more backend, as another process has one."""
        calendar = calendar or MemoryCalendar(self.system)
        backend = await open_synced(self.database, calendar, clock=self.clock, on_change=self._note)
        self.opened.append(backend)
        return backend

    async def _note(self, _connection: AsyncConnection, change: BookingChange) -> None:
        self.changes.append(change)

    def told(self) -> list[tuple[str, str]]:
        """What was said to be final: the change and the time."""
        return [(change.change.value, f"{change.booking.slot.start:%H:%M}") for change in self.changes]

    async def left(self) -> list[str]:
        """The states of what is unsettled."""
        return [record.state.value for record in await self.backend.list_unsettled(-LATER)]

    async def sweep_later(self) -> Sweep:
        """Let a minute go by, and the sweeper with it."""
        self.clock.now += LATER
        return await settle(self.backend)

    async def is_free(self) -> bool:
        """Is ten o'clock free, here and in the calendar?"""
        return TEN in await free_starts(self.backend) and not await self.system.holders(TEN)


@asynccontextmanager
async def open_clinic(database: Path) -> AsyncIterator[Clinic]:
    """Open it for the length of the block, with all backends that are opened meanwhile."""
    clinic = Clinic(database)
    clinic.calendar = MemoryCalendar(clinic.system)
    clinic.backend = await clinic.open(clinic.calendar)
    yield clinic
    for backend in clinic.opened:
        await backend.close()
