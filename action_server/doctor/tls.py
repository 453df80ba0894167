"""Whether engine and server understand each other: HTTP or gRPC, with TLS or without, and by which certificates."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from action_server.config.settings import Settings
from action_server.doctor import tls_rules as rules
from action_server.doctor.endpoint import Endpoint, Target
from action_server.findings.finding import Finding

# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_HOST = (62, 64)


def check_transport(
    endpoint: Endpoint, target: Target, settings: Settings, server: ssl.SSLContext | None
) -> Iterator[Finding]:
    """Compare how the two speak; elsewhere and under another port a proxy may stand between them and end TLS."""
    at, cafile = endpoint.url_place, endpoint.entries.get("cafile")
    yield from check_files(endpoint)
    if target.is_grpc and cafile is None:
        yield Finding.of(rules.GRPC_PLAINTEXT, at)
    port = settings.port_of(grpc=target.is_grpc)
    if port is None:
        yield Finding.of(rules.GRPC_TO_HTTP if target.is_grpc else rules.HTTP_TO_GRPC, at)
    elif not target.is_local and target.port != port:
        return
    elif target.is_grpc and (server is None) == (cafile is not None):
        yield Finding.of(rules.TLS_TO_GRPC if cafile else rules.GRPC_TO_TLS, at)
    elif target.scheme == "https" and server is None:
        yield Finding.of(rules.HTTPS_TO_HTTP, at)
    elif target.scheme == "http" and server is not None:
        yield Finding.of(rules.HTTP_TO_HTTPS, at)
    elif server and not target.is_grpc and settings.ssl_ca_file:
        yield Finding.of(rules.HTTP_CLIENT_CERTIFICATE, endpoint.file.setting("ssl_ca_file"))
    elif server and (client := client_context(endpoint)):
        reason = shake_hands(server, client, target.host)
        if reason:
            yield Finding.of(rules.TLS_HANDSHAKE if cafile else rules.HTTPS_UNTRUSTED, at, reason=reason)


def check_files(endpoint: Endpoint) -> Iterator[Finding]:
    """Check that the files the endpoint names can be used."""
    entries = endpoint.entries
    for name in ("cafile", "ssl_client_cert", "ssl_client_key"):
        reason = _why_unusable(Path(entries[name]), is_ca=name == "cafile") if name in entries else None
        if reason:
            yield Finding.of(rules.FILE_UNUSABLE, endpoint.at(name), reason=reason)
    if "cafile" in entries and endpoint.target is not None and endpoint.target.scheme == "http":
        yield Finding.of(rules.CAFILE_PLAINTEXT, endpoint.at("cafile"))
    halves = [name for name in ("ssl_client_cert", "ssl_client_key") if name in entries]
    if len(halves) == 1:
        yield Finding.of(rules.CLIENT_CERTIFICATE_HALF, endpoint.at(halves[0]))


def _why_unusable(path: Path, *, is_ca: bool) -> str | None:
    try:
        content = path.read_bytes()
        if is_ca:
            ssl.create_default_context(cadata=content.decode("ascii", "ignore"))
    except ssl.SSLError:
        return "it holds no certificate in PEM"
    except OSError as exc:
        return (exc.strerror or "it cannot be read").lower()
    except ValueError:
        return "no file can have this name"
    return None if b"-----BEGIN" in content else "it is not PEM"


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """Return this server's side of TLS; None if it speaks without.

    Raises:
        SettingsError: the server would not start with these files.
    """
    return settings.tls.context() if settings.tls is not None else None


def client_context(endpoint: Endpoint) -> ssl.SSLContext | None:
    """Return the engine's side of TLS; None if a file of it cannot be used, which is a finding of its own."""
    pair = [endpoint.entries.get(name) for name in ("ssl_client_cert", "ssl_client_key")]
    try:
        context = ssl.create_default_context(cafile=endpoint.entries.get("cafile"))
        if all(pair) and endpoint.target and endpoint.target.is_grpc:
            context.load_cert_chain(str(pair[0]), str(pair[1]), password="")
    except (OSError, ValueError):
        return None
    return context


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> str | None:
    """Let the two shake hands in memory; return why they cannot, None if they can."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        sides = (
            client.wrap_bio(to_client, to_server, server_hostname=host),
            server.wrap_bio(to_server, to_client, server_side=True),
        )
        for side in sides * 4:
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except (ssl.SSLError, ValueError) as exc:
        return reason_of(exc)
    return None


def reason_of(exc: BaseException) -> str:
    """Say in words why TLS failed, without the host: OpenSSL's own words of another host have both in them."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        is_other_host = exc.verify_code in _OTHER_HOST
        return "the certificate is for another host" if is_other_host else f"certificate: {exc.verify_message}"
    return (getattr(exc, "reason", None) or type(exc).__name__).lower().replace("_", " ")
