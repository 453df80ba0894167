"""Walks over the variants of a FHIR server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp

from actions.scheduling.synced import SyncedBackend
from actions.transport import open_session
from tests.actions.clinic import FixedClock, open_synced
from tests.actions.scheduling.fhir.fhir_clinic import FIRST, FhirSystem
from tests.actions.scheduling.fhir.fhir_servers import FhirServer
from tests.actions.scheduling.fhir.people import SCHEDULE, People, Truth
from tests.actions.scheduling.fhir.variants import Variant, VariedServer, varied
from tests.actions.scheduling.walk import TIMES, Walk
from tests.actions.scheduling.walking import new_database

_LIMITS = {"breaker_failures": 10_000, "total_timeout": 30}


class WalkClinic(FhirSystem):
    """A clinic with one Schedule."""

    def __post_init__(self) -> None:
        self.server.empty()
        self.server.seed(SCHEDULE, FIRST, len(TIMES))


@dataclass
class WalkedFhir(People):
    """A `WalkedSystem`."""

    @property
    def lag(self) -> float:
        return self.server.variant.lag

    def truth(self) -> Truth:
        return Truth.of(self.server, self.made)

    def settle(self) -> None:
        self.server.settle()


@asynccontextmanager
async def walking(
    variant: Variant, servers: tuple[FhirServer, FhirServer], folder: Path, random: Random
) -> AsyncIterator[Walk]:
    """Open a walk for the length of the block."""
    clock = FixedClock()
    async with (
        new_database(folder, random) as database,
        varied(variant, *servers, clock) as server,
        open_session() as session,
    ):
        backends = [await _open(server, session, clock, database) for _ in range(2)]
        server.settle()
        try:
            yield Walk(WalkedFhir(server, random), clock, backends, random)
        finally:
            for backend in backends:
                await backend.close()


async def _open(
    server: VariedServer, session: aiohttp.ClientSession, clock: FixedClock, database: Path
) -> SyncedBackend:
    clinic = WalkClinic(
        server, session, {"transport": _LIMITS, "schedules": {"practice": SCHEDULE}}, clock, server.base
    )
    return await open_synced(database, clinic.calendar(), clock=clock)
