"""What tests of the outbox start with; `database` needs the plugin `tests.databases`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from action_server import Database
from actions.database import open_database
from tests.actions.crm.memory_crm import MemoryCrm


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The clinic's tables, empty, once in each kind of database."""
    database = await open_database(database_url)
    yield database
    await database.close()


@pytest.fixture
def crm() -> MemoryCrm:
    """A CRM that knows nobody."""
    return MemoryCrm()
