"""The TLS side of the server, over HTTP and gRPC: its certificate, and whose client certificates it accepts."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from action_server.errors import SettingsError
from action_server.extras import packages_for
from action_server.regular_file import read_bytes
from action_server.security.watched_files import WatchedFiles

_CERTIFICATE = "--ssl-certificate, --ssl-keyfile"
_CLIENT_CA = "--ssl-ca-file"
_ENCRYPTED = b"ENCRYPTED"
_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
_CERTIFICATES = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class TlsFiles:
    """What TLS is spoken with: a certificate and its ``key``, which may be in the same file, and the CA of clients.

    To be had from :func:`complete_tls` alone, so that nothing is missing.
    """

    certificate: Path
    key: Path
    password: str | None = field(default=None, repr=False)
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files and return the context of a server. Raises :class:`SettingsError`, as :func:`tls_context`."""
        return tls_context(self.certificate, self.key, self.password, self.client_ca)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, each once."""
        return tuple(dict.fromkeys(path for path in (self.certificate, self.key, self.client_ca) if path is not None))

    def renewed_context(self) -> ssl.SSLContext:
        """Return a context whose new connections are made with the files as they are then.

        Raises:
            SettingsError: a file cannot be used; later ones that cannot are said in the log, and the last ones stay.
        """
        watched = WatchedFiles(self.paths, self.context, what="TLS")
        first = watched.get()

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
            # Asked in each handshake, also where the client names no host. The new context brings certificate and CAs.
            connection.context = watched.get()

        first.sni_callback = choose
        return first

    def pem_pair(self) -> tuple[bytes, bytes]:
        """Return the private key, decrypted, and the certificate chain in PEM, as gRPC takes them.

        Raises:
            SettingsError: a file cannot be used; the verdict and its words are those of :meth:`context`.
        """
        self.context()
        chain = b"\n".join(_CERTIFICATES.findall(read_bytes(self.certificate))) + b"\n"
        found = _PRIVATE_KEY.search(read_bytes(self.key))
        block = found[0] if found else b""
        return (self._decrypt(block) if _ENCRYPTED in block else block + b"\n"), chain

    def _decrypt(self, block: bytes) -> bytes:
        with packages_for("ssl_password"):
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives import serialization as pem

        try:
            key = pem.load_pem_private_key(block, (self.password or "").encode())
            return key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # OpenSSL opened it, with the same password.
            raise SettingsError(_CERTIFICATE, f"{self.key} is encrypted in a way that gRPC cannot use") from None


def complete_tls(
    certificate: Path | None, key: Path | None, password: str | None, client_ca: Path | None
) -> TlsFiles | None:
    """Return what TLS is spoken with, None if it is not wanted: the one decision for HTTP and gRPC.

    Raises:
        SettingsError: there is a part of it without a certificate, which would be plain text; ``where`` is the name of
            that setting.
    """
    if certificate is not None:
        return TlsFiles(certificate, key or certificate, password, client_ca)
    parts = {"ssl_ca_file": client_ca, "ssl_keyfile": key, "ssl_password": password}
    for name, value in parts.items():
        if value is not None:
            raise SettingsError(name, "does nothing without a certificate: set --ssl-certificate too, or leave it out")
    return None


def tls_context(
    certificate: Path, key: Path | None, password: str | None, client_ca: Path | None = None
) -> ssl.SSLContext:
    """Make the context of a server; TLS 1.2 at least. With ``client_ca`` every client must show its certificate.

    ``key`` may stand in the ``certificate`` file; ``password`` is the key's; ``client_ca`` holds the CAs that sign the
    clients' certificates: no others are trusted.

    Raises:
        SettingsError: a file cannot be used; names the flag and the file.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _refuse_without(b"CERTIFICATE-----", certificate, _CERTIFICATE, "holds no certificate in PEM")
    key_file = key or certificate
    encrypted = _ENCRYPTED in _refuse_without(b"PRIVATE KEY-----", key_file, _CERTIFICATE, "holds no private key")
    try:
        # Without a password OpenSSL would ask for one on the terminal and wait.
        context.load_cert_chain(certificate, key, password=password or "")
    except (OSError, ValueError) as exc:
        # A ValueError for a password that is longer than OpenSSL takes.
        reason = _reason(exc)
        problem = (
            "needs its password, --ssl-password"
            if encrypted and not reason
            else f"cannot be used: {reason or 'not PEM'}"
        )
        raise SettingsError(_CERTIFICATE, f"{key_file} {problem}") from None
    if client_ca is not None:
        _require_clients(context, client_ca)
        # A session that is taken up again is not asked for a certificate: it would outlive the CA that signed it.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return context


def _require_clients(context: ssl.SSLContext, client_ca: Path) -> None:
    _refuse_without(b"CERTIFICATE-----", client_ca, _CLIENT_CA, "holds no certificate in PEM")
    try:
        context.load_verify_locations(client_ca)
    except (OSError, ValueError) as exc:
        raise SettingsError(_CLIENT_CA, f"{client_ca} cannot be used: {_reason(exc) or 'not PEM'}") from None
    if not context.get_ca_certs():
        # A client's own certificate loads too, and then no client fits.
        raise SettingsError(_CLIENT_CA, f"{client_ca} holds no certificate of a CA")
    context.verify_mode = ssl.CERT_REQUIRED


def _refuse_without(mark: bytes, file: Path, where: str, problem: str) -> bytes:
    """Return what a file holds, as OpenSSL's own errors do not say which file it was and what it missed there."""
    try:
        content = read_bytes(file)
    except OSError as exc:
        raise SettingsError(where, f"{file} cannot be read: {exc.strerror}") from None
    except ValueError:
        raise SettingsError(where, "cannot be read: no file can have this name") from None
    if mark not in content:
        raise SettingsError(where, f"{file} {problem}")
    return content


def _reason(exc: OSError | ValueError) -> str:
    """Return OpenSSL's reason; "" where it has none, as for a wrong password."""
    return (exc.reason or "").lower().replace("_", " ") if isinstance(exc, ssl.SSLError) else ""
