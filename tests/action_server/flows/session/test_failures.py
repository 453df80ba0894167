"""While conversations are played the log is not on the terminal, and what failed is kept for its turn."""

from __future__ import annotations

import logging

import pytest

from action_server.config.settings import Settings
from action_server.flows.session.failures import FailedCall, FailureLog, capture_failures

logger = logging.getLogger("action_server.test")


def fail() -> None:
    raise ValueError("the till\nis stuck")


def log_failure() -> None:
    try:
        fail()
    except ValueError:
        logger.exception("action.failed", extra={"error_id": "e1"})


def test_what_an_action_raised_is_kept_with_its_id_and_line(capsys: pytest.CaptureFixture[str]) -> None:
    """On one line; other errors are not kept, and nothing is printed."""
    with capture_failures(Settings()) as log:
        log_failure()
        logger.error("something.else")
        [failed] = log.take()

    assert (failed.error_id, failed.problem) == ("e1", "ValueError: the till is stuck")
    assert failed.place.endswith(f"test_failures.py:{fail.__code__.co_firstlineno + 1}")
    assert capsys.readouterr() == ("", "")


def test_failures_are_taken_once() -> None:
    """Each belongs to one turn."""
    with capture_failures(Settings()) as log:
        log_failure()

        assert len(log.take()) == 1
        assert log.take() == []


def test_a_failure_without_an_error_is_a_timeout() -> None:
    """The executor logs none for it."""
    log = FailureLog()
    log.emit(logging.makeLogRecord({"msg": "action.failed", "error_id": "e2"}))

    assert log.take() == [FailedCall("", "e2", "it took longer than it may")]


def test_logging_is_afterwards_as_it_was() -> None:
    """Also if the block raises."""
    before = logging.root.handlers[:], logging.root.level

    with pytest.raises(RuntimeError), capture_failures(Settings()):
        raise RuntimeError

    assert (logging.root.handlers, logging.root.level) == before


def test_a_failed_call_is_written_as_its_line_of_the_log() -> None:
    """So that it can be found there; without a place it has none."""
    line = "log ERROR action.failed action=action_pay error_id=e1: ValueError: no"

    assert str(FailedCall("action_pay", "e1", "ValueError: no", "pay.py:3")) == f"{line} at pay.py:3"
    assert str(FailedCall("action_pay", "e1", "ValueError: no")) == line
