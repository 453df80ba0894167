"""Who may come to ``/mcp``: the checks of ``Host`` and ``Origin`` that keep web pages out.

A page of anybody can let its name point to this machine, and the browser then takes the server for the page's own (DNS
rebinding). What it cannot do is change the names in these two headers. With a credential, which no such page has, any
``Host`` is fine: behind a proxy and in a cluster it is some name of theirs.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from action_server.runtime.tool_options import McpSettings
from action_server.security.auth import Headers, is_public

_EVERYBODY = "*"
# How many different values of each header are remembered.
_MOST_VALUES = 128


class Origins:
    """Checks requests. ``is_closed`` tells that a credential is asked for."""

    def __init__(self, settings: McpSettings, *, is_closed: bool) -> None:
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.allowed_origins)
        self._is_closed = is_closed
        self._knows_host = lru_cache(_MOST_VALUES)(self._find_host)
        self._knows_origin = lru_cache(_MOST_VALUES)(self._find_origin)

    def problem_of(self, headers: Headers) -> str | None:
        """Say why a request may not come in; None if it may."""
        hosts, origins = headers.getall("host", []), headers.getall("origin", [])
        if not self._is_closed and not all(self._knows_host(host) for host in hosts):
            return "the Host is not this machine's own; name it in mcp.allowed_hosts, or ask for a credential"
        # Nobody but browsers sends one.
        if not all(self._knows_origin(origin) for origin in origins):
            return "the Origin may not call; name it in mcp.allowed_origins"
        return None

    def _find_host(self, host: str) -> bool:
        name = _name_of(f"//{host}")
        return _EVERYBODY in self._hosts or host.lower() in self._hosts or name in self._hosts or not is_public(name)

    def _find_origin(self, origin: str) -> bool:
        if _EVERYBODY in self._origins or origin.rstrip("/").lower() in self._origins:
            return True
        return origin.lower().startswith(("http://", "https://")) and not is_public(_name_of(origin))


def _name_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
