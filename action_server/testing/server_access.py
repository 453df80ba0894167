"""How a server at an address is reached: the headers that go along, and whom TLS trusts and who it says is calling."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from action_server.errors import SettingsError

_SECURE = ("https://", "grpcs://")


@dataclass(frozen=True)
class Access:
    """What callers of a server need. The files are PEM: the CA of its certificate, a certificate of one's own, its key.

    Without ``cafile`` the system's CAs are trusted.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    cafile: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def check(self, *urls: str) -> None:
        """Find what cannot be used before anything is sent.

        Raises:
            SettingsError: a file cannot be used, or none of the addresses speaks TLS and would need one.
        """
        if bool(self.certificate) != bool(self.key):
            flag = "--ssl-client-cert" if self.certificate else "--ssl-client-key"
            raise SettingsError(flag, "does nothing alone: --ssl-client-cert and --ssl-client-key go together")
        given = [("--cafile", self.cafile), ("--ssl-client-cert", self.certificate)]
        for flag, file in given:
            if file is not None and not any(url.startswith(_SECURE) for url in urls):
                raise SettingsError(flag, "does nothing without TLS: write https:// or grpcs://")
        if any(file is not None for _, file in given):
            self.context()

    def context(self) -> ssl.SSLContext | None:
        """Return what an HTTP client verifies with; None for its own way.

        Raises:
            SettingsError: a file cannot be used.
        """
        if self.cafile is None and self.certificate is None:
            return None
        flag, file = "--cafile", self.cafile
        try:
            context = ssl.create_default_context(cafile=file)
            if self.certificate is not None and self.key is not None:
                flag, file = "--ssl-client-cert", self.certificate
                # A password would be asked for at the terminal.
                context.load_cert_chain(file, self.key, password="")
        except (OSError, ValueError) as exc:
            # An error of the ssl module is an OSError, too.
            reason = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or "it is not PEM"
            raise SettingsError(flag, f"{file} cannot be used: {str(reason).replace('_', ' ').lower()}") from exc
        return context

    @property
    def metadata(self) -> Sequence[tuple[str, str]]:
        """The headers as gRPC has them."""
        return [(name.lower(), value) for name, value in self.headers.items()]


def is_grpc(url: str) -> bool:
    """Tell whether an address is one of gRPC: ``grpc://host:port``, or ``grpcs://`` with TLS."""
    return url.startswith(("grpc://", "grpcs://"))


@asynccontextmanager
async def open_stub(url: str, access: Access) -> AsyncIterator[Any]:
    """Give rasa-sdk's stub of the server at ``grpc://host:port`` or ``grpcs://host:port``.

    Raises:
        SettingsError: a file of TLS cannot be used.
    """
    # Here, as calls over HTTP need not pay for gRPC.
    import grpc
    from rasa_sdk.grpc_py import action_webhook_pb2_grpc

    target = urlsplit(url).netloc
    if url.startswith("grpcs://"):
        access.context()
        # gRPC brings CAs of its own; those of the system are what HTTPS trusts here.
        trusted = access.cafile or ssl.get_default_verify_paths().cafile
        credentials = grpc.ssl_channel_credentials(*map(_read, (trusted, access.key, access.certificate)))
        opening = grpc.aio.secure_channel(target, credentials)
    else:
        opening = grpc.aio.insecure_channel(target)
    async with opening as channel:
        yield action_webhook_pb2_grpc.ActionServiceStub(channel)


def _read(file: Path | str | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
