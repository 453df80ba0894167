"""Fixtures of the tests of the transport. Use them as a plugin::

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import stamina

from actions.transport import open_session


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Tries follow each other at once; there are as many as the settings say."""
    stamina.set_testing(True, attempts=10, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session
