"""A drop-in custom action server for Rasa assistants."""

from __future__ import annotations

from action_server import services
from action_server.answers import Answer
from action_server.deadlines import time_left
from action_server.errors import ActionServerError
from action_server.idempotency import idempotent
from action_server.logs import CallContext, current_call
from action_server.middleware import Next, middleware
from action_server.options import action_options
from action_server.outbound import aiohttp_trace_config
from action_server.registry import Registry
from action_server.tracing import outbound_headers
from action_server.wire import Call

__version__ = "0.1.0"

__all__ = [
    "ActionServerError",
    "Answer",
    "Call",
    "CallContext",
    "Next",
    "Registry",
    "action_options",
    "aiohttp_trace_config",
    "current_call",
    "idempotent",
    "middleware",
    "outbound_headers",
    "services",
    "time_left",
]
