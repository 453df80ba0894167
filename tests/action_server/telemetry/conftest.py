"""Fixtures of the tests of telemetry."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.action_server.telemetry.recorded_spans import Recorded


@pytest.fixture
def recorded() -> Recorded:
    """Tracing that is on, and whose spans can be looked at."""
    return Recorded()


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """After the test every logger is as it was."""
    root = logging.getLogger()
    loggers = [root, *(x for x in logging.Logger.manager.loggerDict.values() if isinstance(x, logging.Logger))]
    before = [(x, x.handlers[:], x.level, x.propagate, x.disabled, x.filters[:]) for x in loggers]
    yield
    for handler in root.handlers:
        if handler not in before[0][1]:
            handler.close()
    logging.captureWarnings(False)
    for logger, handlers, level, propagate, disabled, filters in before:
        logger.handlers, logger.propagate, logger.disabled, logger.filters = handlers, propagate, disabled, filters
        logger.setLevel(level)
