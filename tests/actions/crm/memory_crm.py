"""A CRM in memory for tests of the outbox, and what they have in common."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from actions.crm.models import Activity, Contact
from actions.scheduling.models import Booking, BookingChange, Change, Patient
from tests.actions.clinic import NOW, slot_at

ERIKA = Patient("+49 170 5550123", "Erika Geheim", "erika.geheim@example.org", "+49 30 5550123")
TEN = slot_at("2026-11-24T10:00")
PATIENCE = 30


@dataclass
class MemoryCrm:
    """A CRM that remembers what it was told, and fails as it is told to: by contact, the next time or always."""

    told: list[tuple[str, str]] = field(default_factory=list)
    contacts: dict[str, Contact] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    failing: Callable[[Activity], BaseException | None] = lambda _: None
    hold: asyncio.Event | None = None
    # How many are in `log_activity` now, and how many there were at most.
    inside: int = 0
    most_inside: int = 0
    busy: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def upsert_contact(self, contact: Contact) -> str:
        self.contacts[contact.key] = contact
        return contact.key

    async def log_activity(self, contact_id: str, activity: Activity) -> None:
        self.busy[contact_id] += 1
        assert self.busy[contact_id] == 1, "two deliver for one contact at the same time"
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await asyncio.sleep(0)
            if self.hold is not None:
                await self.hold.wait()
            error = self.failing(activity)
            if error is not None:
                raise error
            self.told.append((contact_id, activity.id))
            self.activities[activity.id] = activity
        finally:
            self.busy[contact_id] -= 1
            self.inside -= 1
            self.news.set()

    async def ping(self) -> None:
        return

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until something is true, looking whenever somebody was told something."""

        async def look() -> None:
            while not is_true():
                self.news.clear()
                await self.news.wait()

        await asyncio.wait_for(look(), PATIENCE)


def change(number: int = 1, patient: Patient = ERIKA, **more: Any) -> BookingChange:
    booking = Booking(f"APT-{number}", "oncology", TEN)
    return replace(BookingChange(f"change-{number}", Change.BOOKED, booking, patient, NOW), **more)


async def eventually(look: Callable[[], Awaitable[object]]) -> None:
    """Look until it is there: nobody tells this process of rows that another transaction writes."""
    for _ in range(PATIENCE * 100):
        if await look():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == name]
