"""Who may look: browsers of this machine in development, elsewhere whoever has a credential; never another web page."""

from __future__ import annotations

from urllib.parse import urlsplit

from sanic import Request
from sanic.exceptions import Forbidden

from action_server.security.auth import is_public
from action_server.serving.http.client_addresses import peer_of

# No script and no style but files of ours, and nobody may put the pages into a frame.
_POLICY = "; ".join(
    [
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    ]
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not "no-referrer": with it browsers send forms from nowhere, `Origin: null`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# Links of a browser's own and of other programs; and of pages from elsewhere nothing but following a link.
_OWN_SITES = ("same-origin", "none")
# What a proxy adds: behind one, loopback is not who asks.
_FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class Guard:
    """Checks requests. ``local`` lets in this machine alone; otherwise the server has asked for a credential."""

    def __init__(self, *, local: bool) -> None:
        self._local = local

    def check(self, request: Request) -> None:
        """Let a request in. Raises :class:`Forbidden` if it may not come."""
        headers = request.headers
        host = headers.getall("host", [])
        if self._local:
            if is_public(peer_of(request.transport)) or any(name in headers for name in _FORWARDING):
                raise Forbidden("with --dev, /inspector is for browsers on this machine: it listens to loopback")
            if len(host) != 1 or is_public(_name_of(f"//{host[0]}")):
                # A page of anybody can let its name point to this machine.
                raise Forbidden("the Host is not this machine's own: open /inspector at 127.0.0.1 or localhost")
        site = headers.get("sec-fetch-site", "none")
        is_link = headers.get("sec-fetch-mode") == "navigate" and request.method == "GET"
        if site not in _OWN_SITES and not is_link:
            raise Forbidden("another site may not ask for this")
        for origin in headers.getall("origin", []):
            if len(host) != 1 or urlsplit(origin).netloc.lower() != host[0].lower():
                raise Forbidden("the Origin is another site, which may not ask for this")


def _name_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
