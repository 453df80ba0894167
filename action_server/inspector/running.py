"""Runs calls from the pages, on the executor that runs all others."""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from action_server.assembly import Assembly
from action_server.errors import RequestError
from action_server.inspector.watching import Rerun, rerunning
from action_server.testing.faces import FACES, face_named

# How long it may take to keep what has run, in seconds.
_PATIENCE = 10.0
FACE_NAMES = tuple(FACES)
# What the log calls them.
FACES_BY_TRANSPORT = {"http": "webhook", "grpc": "grpc", "mcp": "mcp"}


@dataclass(frozen=True)
class Runs:
    """Runs calls of one worker."""

    assembly: Assembly

    async def run(self, request: Mapping[str, Any], face: str, of: int | None = None) -> int:
        """Run a call, and return the number under which it is kept; ``of`` is the one that it repeats.

        Raises:
            RequestError: it was refused before it became a call, or it is not kept.
            ActionServerError: there is no such face, or the action cannot be called by it.
        """
        rerun = Rerun(of)
        token = rerunning.set(rerun)
        try:
            async with AsyncExitStack() as stack:
                # Within the block, as gRPC's server calls with the context that it was started in.
                reply = await face_named(face)(self._open_to_us(), stack).send(request)
        finally:
            rerunning.reset(token)
        if not rerun.has_begun:
            said = reply.body.get("error") if isinstance(reply.body, dict) else reply.body
            raise RequestError(f"it was refused ({reply.status}): {said}")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(rerun.kept), _PATIENCE)
        except asyncio.TimeoutError:
            raise RequestError("it ran, and could not be kept in time") from None

    def _open_to_us(self) -> Assembly:
        """Return the same assembly without its door: whoever came here has shown a credential, if there is one."""
        inside = copy.copy(self.assembly)
        inside.authenticator = None
        return inside


def request_of(action: str, slots: Mapping[str, Any], said: str, domain: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the request of an engine that calls an action in a conversation of its own."""
    sender = f"inspector-{secrets.token_hex(3)}"
    tracker: dict[str, Any] = {
        "sender_id": sender,
        "slots": dict(slots),
        "latest_message": {"text": said, "intent": {}, "entities": []},
        "latest_event_time": None,
        "followup_action": None,
        "paused": False,
        "events": [],
        "latest_input_channel": "inspector",
        "active_loop": {},
        "latest_action_name": None,
        "stack": [],
    }
    return {"next_action": action, "sender_id": sender, "tracker": tracker, "domain": dict(domain or {})}
