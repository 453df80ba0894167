from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from action_server.testing import ActionClient
from tests.action_server.testing.guest_project import guest_project


@pytest.fixture
def guests(folder: Path) -> Iterator[ActionClient]:
    """The kit on a small project in a folder of its own."""
    with ActionClient(guest_project(folder)) as client:
        yield client
