"""The way to a system: whose certificates are trusted, and through which proxy."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from actions.transport.failures import Failure, Kind
from actions.transport.models import TransportSettings

_log = logging.getLogger("actions.transport")


class Route:
    """Finds the way once, at the first request: before that nothing is read."""

    def __init__(self, system: str, url: URL, settings: TransportSettings) -> None:
        self._system = system
        self._url = url
        self._settings = settings
        # True is aiohttp's own context: TLS 1.2 at least, the system's CAs.
        self._tls: ssl.SSLContext | bool | None = None

    async def tls(self) -> ssl.SSLContext | bool:
        """Return what aiohttp takes for `ssl`; raises `Failure` if the file cannot be used."""
        if self._tls is None:
            self._warn()
            ca_file = self._settings.ca_file
            made = await asyncio.to_thread(self._tls_context, ca_file) if ca_file else True
            # One context for all: aiohttp keeps connections of different ones apart.
            if self._tls is None:
                self._tls = made
        return self._tls

    @property
    def proxy(self) -> str | None:
        """The proxy's URL, with its credentials if it has any."""
        if self._settings.proxy or not self._settings.trust_env:
            return self._settings.proxy
        found = getproxies().get(self._url.scheme)
        if not found or proxy_bypass(f"{self._url.host}:{self._url.port}"):
            return None
        return found if "://" in found else f"http://{found}"

    def _warn(self) -> None:
        if self._url.scheme == "http" and not _is_loopback(self._url.host or ""):
            _log.warning("transport.not_encrypted", extra={"system": self._system, "host": self._url.host})

    def _tls_context(self, ca_file: str) -> ssl.SSLContext:
        where = f"the ca_file of {self._system}, {ca_file},"
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except ssl.SSLError:
            raise Failure(Kind.NOT_SENT, f"{where} holds no certificates in PEM") from None
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "no file can have this name"
            raise Failure(Kind.NOT_SENT, f"{where} cannot be read: {reason}") from None
        if not context.get_ca_certs():
            # A server's own certificate loads too, and then no server fits.
            raise Failure(Kind.NOT_SENT, f"{where} holds no certificate of a CA")
        return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
