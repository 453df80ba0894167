"""The test kit: runs actions in a test by the server's own road, and says what they did.

With pytest nothing has to be imported: the fixture ``action_client`` is an :class:`ActionClient` for the project.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from action_server.testing.client import ActionClient
    from action_server.testing.conversation import Conversation
    from action_server.testing.requests import make_tracker, webhook_request
    from action_server.testing.result import CallResult
    from action_server.testing.stream import ActionStream

__all__ = ["ActionClient", "ActionStream", "CallResult", "Conversation", "make_tracker", "webhook_request"]

_HOMES = {
    "ActionClient": "client",
    "ActionStream": "stream",
    "CallResult": "result",
    "Conversation": "conversation",
    "make_tracker": "requests",
    "webhook_request": "requests",
}

if not TYPE_CHECKING:  # looked up when it is asked for: pytest imports this package at every start

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found
