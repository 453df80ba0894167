"""An action server at an address, asked as an engine asks it, and as a stranger may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from action_server.errors import UnreachableError
from action_server.testing.strict_json import read_strictly

# What one request may take here, in seconds: more than an action's usual limit.
_PATIENCE = 60


@dataclass(frozen=True)
class HttpReply:
    """A reply of HTTP. ``is_json`` tells JSON by the standard; then ``body`` is what it says, otherwise None."""

    status: int
    content_type: str
    body: Any
    is_json: bool
    seconds: float


def webhook_url(url: str) -> str:
    """Return the address of the webhook: one that has no path gets the usual one."""
    return urljoin(url, "/webhook") if urlsplit(url).path in ("", "/") else url


class Server:
    """One server, by its webhook's address. ``headers`` go along with everything but health."""

    def __init__(self, url: str, session: aiohttp.ClientSession, headers: Mapping[str, str]) -> None:
        self.url = url
        self._session = session
        self._headers = dict(headers)

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> HttpReply:
        """Send a body to the webhook. Raises :class:`UnreachableError` if nothing answers."""
        sent = {"Content-Type": "application/json", **self._headers, **(headers or {})}
        return await self._ask("POST", self.url, sent, body)

    async def get(self, path: str, *, with_headers: bool = True) -> HttpReply:
        """Ask for a page beside the webhook. Raises :class:`UnreachableError` if nothing answers."""
        return await self._ask("GET", urljoin(self.url, path), self._headers if with_headers else {})

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> HttpReply:
        start = time.perf_counter()
        try:
            timeout = aiohttp.ClientTimeout(total=_PATIENCE)
            async with self._session.request(method, url, data=body, headers=headers, timeout=timeout) as response:
                raw = await response.read()
                seconds = time.perf_counter() - start
                is_json, decoded = read_strictly(raw)
                return HttpReply(response.status, response.content_type, decoded, is_json, seconds)
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError) as exc:
            raise UnreachableError(url, " ".join(str(exc).split()) or type(exc).__name__) from exc
