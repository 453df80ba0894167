"""Real servers for the tests of the transport: one that answers as it is told, one that speaks bytes, certificates."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from actions.transport import Credentials, Transport, TransportSettings


@dataclass(frozen=True)
class Answer:
    """What a server says; `hangs` says nothing until the test ends."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    hangs: bool = False


@dataclass(frozen=True)
class Asked:
    """A request that reached the server."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


OK = Answer()
HANGS = Answer(hangs=True)


def failing(status: int, **headers: str) -> Answer:
    """An answer with this status; underscores in the names of headers stand for hyphens."""
    return Answer(status, b"secret body", {name.replace("_", "-"): value for name, value in headers.items()})


class Remote:
    """A server that gives these answers one after the other, then what `then` says, and remembers what it was asked."""

    def __init__(self, answers: Iterable[Answer], then: Answer | Callable[[Asked], Answer]) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self._answers = list(answers)
        self._then = then
        self._arrived = asyncio.Condition()
        self._end = asyncio.Event()

    @property
    def methods(self) -> list[str]:
        return [asked.method for asked in self.asked]

    async def wait_for(self, requests: int) -> None:
        """Return when so many requests have arrived."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.asked) >= requests)

    def let_go(self) -> None:
        """Answer what hangs with nothing."""
        self._end.set()

    async def handle(self, request: web.Request) -> web.Response:
        asked = Asked(request.method, request.raw_path, dict(request.headers), await request.read())
        async with self._arrived:
            self.asked.append(asked)
            later = self._then(asked) if callable(self._then) else self._then
            answer = self._answers.pop(0) if self._answers else later
            self._arrived.notify_all()
        if answer.hangs:
            await self._end.wait()
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


@asynccontextmanager
async def remote(
    *answers: Answer, then: Answer | Callable[[Asked], Answer] = OK, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Remote]:
    """Serve on a free port within the block."""
    server = Remote(answers, then)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        server.let_go()
        await runner.cleanup()


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def speaking(conversation: Conversation) -> AsyncIterator[str]:
    """Let a function have the conversation on each connection; it is closed when the function returns."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await conversation(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> str:
    """Read a request with a Content-Length, or none; return its first line."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            await reader.readexactly(int(value))
    return head.partition("\r\n")[0]


def closed_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def transport(
    session: aiohttp.ClientSession, url: str, credentials: Credentials | None = None, **settings: object
) -> Transport:
    """Make a transport to a system called crm."""
    return Transport(session, "crm", url, credentials=credentials, settings=TransportSettings.model_validate(settings))


class Authority:
    """A CA for a test, which signs certificates for servers on this machine."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key, 1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, address: str = "127.0.0.1", valid_for_days: int = 1) -> ssl.SSLContext:
        """Return what a server needs that has a certificate for the address; negative days: it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            self._builder(subject, key, valid_for_days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(names, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"{address}-{valid_for_days}.pem"
        file.write_bytes(_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, valid_for_days: int
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=10))
            .not_valid_after(now + dt.timedelta(days=valid_for_days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
