"""The worker's one HTTP session, and what is known about each host: shared by everything that calls other systems."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from weakref import WeakKeyDictionary

import aiohttp

from action_server import aiohttp_trace_config
from actions.transport.breaker import Breaker

# By session, since a host that one worker's requests fail at is not asked by any transport of that worker.
_breakers: WeakKeyDictionary[aiohttp.ClientSession, dict[str, Breaker]] = WeakKeyDictionary()


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open the session for the length of the block. It keeps no cookies and reads no environment."""
    async with aiohttp.ClientSession(
        # The server bounds calls already; a queue for connections would look like a slow host.
        connector=aiohttp.TCPConnector(limit=0),
        trace_configs=[aiohttp_trace_config(), _progress_hooks()],
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=True,
        headers={"User-Agent": "action-server"},
    ) as session:
        yield session


@dataclass
class Progress:
    """How far one try came; a session of somebody else's does not tell."""

    may_be_sent: bool = True


def _progress_hooks() -> aiohttp.TraceConfig:
    """Make the hooks that keep the `Progress` of each request, which is its `trace_request_ctx`."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_on_start)
    config.on_request_headers_sent.append(_on_headers_sent)
    return config


async def _on_start(_: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestStartParams) -> None:
    if isinstance(context.trace_request_ctx, Progress):
        context.trace_request_ctx.may_be_sent = False


async def _on_headers_sent(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams
) -> None:
    if isinstance(context.trace_request_ctx, Progress):
        context.trace_request_ctx.may_be_sent = True


def breaker_of(session: aiohttp.ClientSession, origin: str, part: str = "") -> Breaker:
    """Return the breaker of a host or of a part of it, the same for everybody who uses the session."""
    known = _breakers.setdefault(session, {})
    return known.setdefault(f"{origin} {part}", Breaker(origin))
