"""The clinic's fixtures."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import svcs

from actions.booking import BookingDesk
from actions.scheduling.embedded import EmbeddedBackend
from tests.actions.clinic import FixedClock, booking_desk, open_backend


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "clinic.sqlite3"


@pytest.fixture(scope="session")
def empty_clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and nothing in them: copying it is faster than making them."""

    async def make() -> None:
        await (await open_backend(path)).close()

    path = tmp_path_factory.mktemp("empty") / "clinic.sqlite3"
    asyncio.run(make())
    return path


@pytest.fixture
async def backend(database: Path, empty_clinic: Path, clock: FixedClock) -> AsyncIterator[EmbeddedBackend]:
    shutil.copy(empty_clinic, database)
    backend = await open_backend(database, clock=clock)
    yield backend
    await backend.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def desk(backend: EmbeddedBackend, clock: FixedClock) -> BookingDesk:
    return booking_desk(backend, clock)


@pytest.fixture
def registry(desk: BookingDesk) -> svcs.Registry:
    """What the actions find when a test does `with services.activate(registry)`."""
    registry = svcs.Registry()
    registry.register_value(BookingDesk, desk)
    return registry
