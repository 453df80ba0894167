"""Calls an action the way an engine does: one webhook request over a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import rasa_sdk

from action_server.config.settings import Settings
from action_server.errors import ActionServerError
from action_server.protocol.calls import encode_call
from action_server.security.auth import AuthSettings
from action_server.serving import worker
from action_server.serving.server import listen, url_of
from action_server.telemetry.durations import milliseconds_since

# What an engine grants an action, in seconds.
_TIMEOUT = aiohttp.ClientTimeout(total=300, connect=10)


class UnreachableError(ActionServerError):
    """No action server answers at the address."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"no action server answers at {url}: {problem}")
        self.url = url


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


async def call_action(
    url: str,
    action: str,
    slots: Mapping[str, Any],
    *,
    message: str | None = None,
    sender_id: str = "default",
    domain: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send one webhook request to ``url``, which is used as it is: engines do not append ``/webhook`` either.

    ``headers`` are sent along, a credential for example.

    Raises:
        UnreachableError: nothing answers there.
    """
    body = encode_call(
        action, slots=slots, message=message, sender_id=sender_id, domain=domain, version=rasa_sdk.__version__
    )
    start = time.perf_counter()
    try:
        sent = {"Content-Type": "application/json", **(headers or {})}
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(url, data=body, headers=sent) as response,
        ):
            text = await response.text()
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as exc:
        raise UnreachableError(url, " ".join(str(exc).split()) or type(exc).__name__) from exc
    try:
        decoded = json.loads(text)
    except ValueError:
        decoded = None
    return Reply(response.status, decoded, milliseconds_since(start))


@asynccontextmanager
async def own_server(settings: Settings) -> AsyncIterator[str]:
    """Serve the settings' actions on a free port of this machine within the block; gives the webhook's URL.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    local = settings.model_copy(update={"ssl_certificate": None, "auth": AuthSettings(), "grace": 0.0})
    sock = listen("127.0.0.1", 0)
    url = f"{url_of(local, sock)}/webhook"
    try:
        async with (
            worker.assembled(local) as assembly,
            worker.serving(assembly, sock, f"own_server_{id(sock)}", only_one=False),
        ):
            assembly.watch()
            yield url
    finally:
        sock.close()
