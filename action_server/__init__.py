"""A drop-in custom action server for Rasa assistants."""

from __future__ import annotations

from action_server import services
from action_server.errors import ActionServerError
from action_server.logs import CallContext, current_call
from action_server.registry import Registry

__version__ = "0.1.0"

__all__ = ["ActionServerError", "CallContext", "Registry", "current_call", "services"]
