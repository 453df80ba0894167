"""Sends one webhook request as an engine does, and reads what comes back."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

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


def open_session(tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """Open a session with the time an engine has for an action; to be closed by the caller.

    ``tls`` is what verifies a server; without one the system's CAs do.
    """
    # Here, as a call in this process needs none of it.
    import aiohttp

    # Within a running loop, where connectors have to be made.
    connector = None if tls is None else aiohttp.TCPConnector(ssl=tls)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT, connect=_CONNECTING)
    return aiohttp.ClientSession(timeout=timeout, connector=connector)


async def post_call(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str] | None = None
) -> Reply:
    """Send the body of a webhook request to ``url``, which is used as it is: engines append nothing either.

    ``headers`` are sent along, a credential for example.

    Raises:
        UnreachableError: nothing answers there; says so where one side speaks TLS and the other does not.
    """
    import aiohttp

    start = time.perf_counter()
    try:
        sent = {"Content-Type": "application/json", **(headers or {})}
        async with session.post(url, data=body, headers=sent) as response:
            text = await response.text()
    except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError) as exc:
        raise UnreachableError(url, await _problem(url, exc)) from exc
    try:
        decoded = json.loads(text)
    except ValueError:
        decoded = None
    return Reply(response.status, decoded, milliseconds_since(start))


async def _problem(url: str, exc: Exception) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" and await _is_not_tls(parts, exc):
        return f"TLS fails there; if it serves plain HTTP, the URL is {parts._replace(scheme='http').geturl()}"
    if parts.scheme == "http" and await _is_tls(parts, exc):
        return f"it does not speak plain HTTP; if it serves TLS, the URL is {parts._replace(scheme='https').geturl()}"
    return " ".join(str(exc).split()) or type(exc).__name__


async def _is_not_tls(parts: SplitResult, exc: Exception) -> bool:
    """Tell whether somebody takes connections there who does not answer a TLS handshake."""
    import aiohttp

    # A certificate or a version that is refused has words of its own.
    reason = str(getattr(getattr(exc, "os_error", None), "reason", ""))
    if "VERSION_NUMBER" in reason or "RECORD_LAYER" in reason or "EOF" in reason:
        return True
    silent = (asyncio.TimeoutError, aiohttp.ServerDisconnectedError, ConnectionError, aiohttp.ClientConnectorError)
    if not isinstance(exc, silent) or isinstance(exc, aiohttp.ClientSSLError):
        return False
    return await _connects(parts, 443)


async def _is_tls(parts: SplitResult, exc: Exception) -> bool:
    """Tell whether somebody answers a TLS handshake there who does not answer a plain request."""
    import aiohttp

    if not isinstance(exc, (aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError, ConnectionError)):
        return False
    # Nothing is sent: whose certificate it is does not matter.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await _connects(parts, 80, context)


async def _connects(parts: SplitResult, port: int, context: ssl.SSLContext | None = None) -> bool:
    try:
        connecting = asyncio.open_connection(parts.hostname, parts.port or port, ssl=context)
        _, writer = await asyncio.wait_for(connecting, _CONNECTING)
    except (OSError, asyncio.TimeoutError):
        return False
    writer.close()
    return True
