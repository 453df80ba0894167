"""The FHIR calendar keeps the contract of every calendar on whatever R4 allows a server to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from actions.scheduling.fhir import FhirCalendar
from actions.scheduling.models import Slot
from actions.scheduling.remote import Entry
from actions.transport import open_session
from tests.actions.clinic import FixedClock
from tests.actions.scheduling.calendar_contract import *  # noqa: F403
from tests.actions.scheduling.calendar_contract import System
from tests.actions.scheduling.fhir.fhir_clinic import FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer
from tests.actions.scheduling.fhir.variants import VARIANTS, varied

# Others like these keep the contract for these as well, which takes long.
LIKE_OTHERS = ("plain", "lag 2 s, silent", "silent", "pages of 3 that overlap")


@pytest.fixture(params=[name for name in VARIANTS if name not in LIKE_OTHERS])
async def system(request: pytest.FixtureRequest, servers: tuple[FhirServer, FhirServer]) -> AsyncIterator[System]:
    clock = FixedClock()
    async with varied(VARIANTS[request.param], *servers, clock) as server, open_session() as session:
        limits = {"breaker_failures": 1000, "total_timeout": 30}
        clinic = VariedClinic(server, session, {"transport": limits}, clock, server.base)
        server.settle()
        yield clinic
        clinic.check()


A_MOMENT = timedelta(seconds=3)


class LaterCalendar(FhirCalendar):
    """Asks what is free, or there, a moment later: what others just did is not to be known before."""

    clock: FixedClock

    async def free(self, candidates: Sequence[Slot]) -> Sequence[Slot]:
        self.clock.now += A_MOMENT
        return await super().free(candidates)

    async def find(self, entry: Entry) -> bool:
        self.clock.now += A_MOMENT
        return await super().find(entry)


class VariedClinic(FhirSystem):
    """A clinic on a variant of a server."""

    async def open(self) -> FhirCalendar:
        calendar = self.calendar()
        calendar.__class__ = LaterCalendar
        assert isinstance(calendar, LaterCalendar)
        calendar.clock = self.clock
        return calendar

    async def leave_half(self, entry: Entry) -> None:
        """Leave it a moment ago."""
        await super().leave_half(entry)
        self.clock.now += A_MOMENT
