"""A drop-in custom action server for Rasa assistants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from action_server.deadlines import time_left
from action_server.errors import ActionServerError, DatabaseError
from action_server.idempotency.rules import idempotent
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call
from action_server.runtime import services
from action_server.runtime.middleware import Next, middleware
from action_server.runtime.options import action_options
from action_server.runtime.registry import Registry
from action_server.runtime.slots import Slots
from action_server.telemetry.logs import CallContext, current_call
from action_server.telemetry.outbound import aiohttp_trace_config
from action_server.telemetry.tracing import outbound_headers

if TYPE_CHECKING:
    from action_server.database import Database

__version__ = "0.1.0"

__all__ = [
    "ActionServerError",
    "Answer",
    "Call",
    "CallContext",
    "Database",
    "DatabaseError",
    "Next",
    "Registry",
    "Slots",
    "action_options",
    "aiohttp_trace_config",
    "current_call",
    "idempotent",
    "middleware",
    "outbound_headers",
    "services",
    "time_left",
]

if not TYPE_CHECKING:  # or every name would be one of this package to mypy

    def __getattr__(name: str) -> object:
        # Looked up when it is asked for: who has no database need not pay for SQLAlchemy.
        if name == "Database":
            from action_server.database import Database

            return Database
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
