"""What a face is: one way by which a call reaches an action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from action_server.webhook_client import Reply


@dataclass(frozen=True)
class FaceReply(Reply):
    """A reply, with the error it tells of where the face knows it: its cause is what the action raised."""

    error: BaseException | None = None


class Face(Protocol):
    """One way in."""

    async def send(self, call: Mapping[str, Any]) -> FaceReply:
        """Send a request of an engine and return what came back; never raises for what the action does."""
        ...
