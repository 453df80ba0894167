"""The engine's call that an action runs for, for parts of the platform which the action itself calls."""

from __future__ import annotations

from contextvars import ContextVar

from action_server.protocol.calls import Call

# Of the running action; whoever sets it resets it.
engine_call: ContextVar[Call | None] = ContextVar("action_server_engine_call", default=None)
