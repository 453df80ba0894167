"""The FHIR calendar keeps the contract of every calendar, on a real server, with and without authorization."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from actions.transport import open_session
from tests.actions.scheduling.calendar_contract import *  # noqa: F403
from tests.actions.scheduling.calendar_contract import System
from tests.actions.scheduling.fhir.fhir_clinic import FhirSystem
from tests.actions.scheduling.fhir.fhir_keys import known_clients, smart
from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip

AUTH = {"none": {"type": "none"}, "smart": smart()}


@pytest.fixture(scope="module", params=list(AUTH))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(kind: str) -> Iterator[FhirServer]:
    with fhir_server_or_skip(page=3, auth=known_clients() if kind == "smart" else None) as running:
        yield running


@pytest.fixture
async def system(server: FhirServer, kind: str) -> AsyncIterator[System]:
    async with open_session() as session:
        clinic = FhirSystem(server, session, {"auth": AUTH[kind]})
        yield clinic
        clinic.check()
