"""The calendars of the tests keep the contract of the real ones, or they would prove nothing about their user."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actions.scheduling.calendar_contract import *  # noqa: F403
from tests.actions.scheduling.calendar_contract import System
from tests.actions.scheduling.file_calendar import Folder
from tests.actions.scheduling.memory_calendar import MemorySystem


@pytest.fixture(params=["in memory", "in a folder"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    return MemorySystem() if request.param == "in memory" else Folder(tmp_path)
