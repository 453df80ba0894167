"""What can be seen, from the engine's side, of a balancer between the engine and this server."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from action_server.config.settings import Settings
from action_server.doctor import proxy_rules as rules
from action_server.doctor.endpoint import Endpoint, Target
from action_server.findings.finding import Finding
from action_server.runtime.loader import LoadedPackage
from action_server.tools.offer import read_offer

if TYPE_CHECKING:
    import aiohttp

_ID = "X-Request-ID"
# Bytes. A long conversation's request; nginx takes 1 MB by default.
_LONG = 5_000_000
_PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()


class Patience(NamedTuple):
    """How long a balancer waits for an answer by default, in seconds, and the setting that says so."""

    proxy: str
    seconds: float
    setting: str


# By what they write into `Server`, or `Via`, of an answer. HAProxy and Traefik write nothing; Caddy waits for ever.
_PATIENCE = {
    "nginx": Patience("nginx", 60, "proxy_read_timeout"),
    "openresty": Patience("OpenResty", 60, "proxy_read_timeout"),
    "apache": Patience("Apache", 60, "ProxyTimeout"),
    "envoy": Patience("Envoy", 15, "the route's timeout"),
    "varnish": Patience("Varnish", 60, "first_byte_timeout"),
    "nghttpx": Patience("nghttpx", 60, "backend-read-timeout"),
    "google": Patience("Google's load balancer", 30, "the backend service's timeout"),
}


@dataclass(frozen=True)
class Expected:
    """What the way to the server has to let through.

    ``body`` is the size of a request in bytes, ``seconds`` the longest that an action may take; ``has_tools`` tells
    whether there are tools at ``/mcp``.
    """

    body: int
    seconds: float
    has_tools: bool


def expected_of(settings: Settings, package: LoadedPackage | None) -> Expected:
    """Return what settings and package expect of the way."""
    registry = package.registry if package else ()
    limits = [settings.options.of(action.name, action.run).timeout or 0.0 for action in registry]
    has_tools = package is not None and bool(
        read_offer(package.registry, settings.mcp, settings.options, settings.domain).tools
    )
    return Expected(min(_LONG, settings.max_request_bytes), max(limits, default=settings.timeout), has_tools)


async def ask_way(
    session: aiohttp.ClientSession, endpoint: Endpoint, target: Target, expected: Expected
) -> AsyncIterator[Finding]:
    """Send what a balancer may refuse, hide or change. No action runs."""
    at, (headers, query) = endpoint.url_place, endpoint.credentials_for(target)
    given = f"doctor-{secrets.token_hex(8)}"
    async with session.get(target.at("/health"), headers={_ID: given}) as answer:
        known = _patience_of(answer)
        problem = _problem_of_id(answer.headers.get(_ID), given)
    if known is not None and expected.seconds > known.seconds:
        facts = {"proxy": known.proxy, "patience": f"{known.seconds:g}", "setting": known.setting}
        yield Finding.of(rules.PROXY_TIMEOUT, at, seconds=f"{expected.seconds:g}", **facts)
    if problem:
        yield Finding.of(rules.PROXY_REQUEST_ID, at, problem=problem)
    refusal = await _refusal_of_size(session, f"{target.at('/webhook')}?{query}", headers, expected.body)
    if refusal:
        yield Finding.of(rules.PROXY_BODY_SIZE, at, size=f"{expected.body:,}", refusal=refusal)
    reason = await _problem_of_tools(session, f"{target.at('/mcp')}?{query}", headers) if expected.has_tools else ""
    if reason:
        yield Finding.of(rules.PROXY_MCP, at, reason=reason)


def _patience_of(answer: aiohttp.ClientResponse) -> Patience | None:
    words = f"{answer.headers.get('Server', '')} {' '.join(answer.headers.getall('Via', []))}".lower()
    return next((patience for name, patience in _PATIENCE.items() if name in words), None)


def _problem_of_id(found: str | None, given: str) -> str:
    if found is None:
        return "has none"
    return "" if found == given else "has another one"


async def _refusal_of_size(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], size: int) -> str:
    """Send a large request that names no action; say who refused it for its size, empty if nobody did."""
    import aiohttp

    body = io.BytesIO(b"{" + b" " * (size - 2) + b"}")
    try:
        async with session.post(url, data=body, headers={**headers, "Content-Type": "application/json"}) as answer:
            if answer.status == 413 and await _is_ours(answer):
                return "by the server itself (413)"
            # Caddy 2.6 says 502 where it stops in the middle of a body.
            return f"on its way ({answer.status})" if answer.status in (413, 502) else ""
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        return "on its way: the connection is closed"


async def _is_ours(answer: aiohttp.ClientResponse) -> bool:
    """Tell an answer of this server from a page of a balancer's."""
    return b'"action_name"' in await answer.read()


async def _problem_of_tools(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> str:
    """Ask the tools' path for a sign of life; say what is wrong, empty if nothing is."""
    sent = {**headers, "Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    async with session.post(url, data=_PING, headers=sent) as answer:
        # The credential of the tools is that of `mcp_servers`, and may be another one than the engine's.
        return "" if answer.status in (200, 401) else f"is answered with {answer.status}"
