"""Fixtures of the tests of answers and events."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from action_server.telemetry.logs import ConsoleFormatter, JsonFormatter
from tests.action_server.protocol.answering import SECRET


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything logged; and no line of it carries a value, in either format."""
    caplog.set_level(logging.DEBUG, logger="action_server")
    yield caplog
    for record in caplog.records:
        assert SECRET not in JsonFormatter().format(record)
        assert SECRET not in ConsoleFormatter().format(record)
