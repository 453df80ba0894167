"""Addresses of MCP servers, and which of them are the project's own action server."""

from __future__ import annotations

from urllib.parse import urlsplit

_LOCAL = ("127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared, not bound

Address = tuple[str, int]


def address_of(url: str) -> Address | None:
    """Return host and port of a URL, one name for all of this machine's; None if it is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    return ("localhost" if host in _LOCAL else host, port) if host else None


def own_addresses(webhook_url: str, port: int) -> frozenset[Address]:
    """Return where the project's action server is: where its webhook is called, and its port on this machine."""
    found = {address_of(webhook_url), ("localhost", port)}
    return frozenset(address for address in found if address is not None)
