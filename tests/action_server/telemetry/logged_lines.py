"""Logging set up and read in tests."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from hypothesis import settings

from action_server.telemetry import logs
from action_server.telemetry.logs import (
    CallContext,
    LogSettings,
)

PROPERTY = settings(deadline=None, max_examples=150)
SECRET = "sEcReT"
ANN = CallContext("action_book", "ann")
BOB = CallContext("action_cancel", "bob", "grpc")


def configure(**given: Any) -> None:
    """Configure logging as a process of its own would, where pytest's handlers are not there to be replaced."""
    logging.getLogger().handlers = []
    logs.configure(LogSettings(**given))


def new_logger() -> logging.Logger:
    """A logger nobody configured yet."""
    return logging.getLogger(f"actions.{uuid.uuid4().hex}")


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def record(message: str = "slot.set", **fields: Any) -> logging.LogRecord:
    return logging.getLogger("actions.x").makeRecord(
        "actions.x", logging.INFO, "x.py", 1, message, (), None, extra=fields
    )
