"""Sends one webhook request as an engine does, and reads what comes back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from action_server.errors import UnreachableError
from action_server.telemetry.durations import milliseconds_since

if TYPE_CHECKING:
    import aiohttp

# What an engine grants an action, and what connecting may take, in seconds.
_TIMEOUT, _CONNECTING = 300, 10


@dataclass(frozen=True)
class Reply:
    """What came back: the HTTP status, the decoded body (None if it is not JSON) and the time it took."""

    status: int
    body: Any
    milliseconds: float

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a 200, otherwise none."""
        return self._list("events")

    @property
    def responses(self) -> list[dict[str, Any]]:
        """The responses of a 200, otherwise none."""
        return self._list("responses")

    def _list(self, key: str) -> list[dict[str, Any]]:
        return self.body.get(key) or [] if self.status == 200 and isinstance(self.body, dict) else []


def open_session() -> aiohttp.ClientSession:
    """Open a session with the time an engine has for an action; to be closed by the caller."""
    # Here, as a call in this process needs none of it.
    import aiohttp

    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT, connect=_CONNECTING))


async def post_call(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str] | None = None
) -> Reply:
    """Send the body of a webhook request to ``url``, which is used as it is: engines append nothing either.

    ``headers`` are sent along, a credential for example.

    Raises:
        UnreachableError: nothing answers there.
    """
    import aiohttp

    start = time.perf_counter()
    try:
        sent = {"Content-Type": "application/json", **(headers or {})}
        async with session.post(url, data=body, headers=sent) as response:
            text = await response.text()
    except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError) as exc:
        raise UnreachableError(url, " ".join(str(exc).split()) or type(exc).__name__) from exc
    try:
        decoded = json.loads(text)
    except ValueError:
        decoded = None
    return Reply(response.status, decoded, milliseconds_since(start))
