"""What the running server, the running engine and the opened services say."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rasa_sdk.grpc_py import action_webhook_pb2, action_webhook_pb2_grpc

from action_server.config.settings import Settings
from action_server.doctor import server_rules as rules
from action_server.doctor import tls
from action_server.doctor.endpoint import Endpoint, Target
from action_server.doctor.proxy_probes import Expected, ask_way
from action_server.doctor.server_checks import place_in_code
from action_server.errors import StartupError
from action_server.findings.finding import Finding
from action_server.jobs.keeping import QueuedJobs, kept_here
from action_server.runtime import loader, services
from action_server.runtime.health import Readiness, describe_all
from action_server.runtime.service_settings import ServiceSettings
from action_server.source import Place, place_of, place_of_failure

if TYPE_CHECKING:
    import aiohttp

# How many seconds each request may take.
PATIENCE = 3.0
# A service that says what it understood asks other systems, some of them more than once.
_DESCRIBED_WITHIN = 10.0
_SKEW = 5
_OLDEST, _NEWEST = (3, 6), (3, 21)


@dataclass
class OpenedServices:
    """What is wrong with the services of a package, and what each of them says that it understood, by name.

    ``kept`` is what it keeps in databases of its own: names of jobs, and the files of those that are files.
    """

    findings: list[Finding] = field(default_factory=list)
    descriptions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kept: KeptJobsSeen | None = None


class KeptJobsSeen(NamedTuple):
    """Names of jobs, and the SQLite files that they are in."""

    names: frozenset[str]
    files: frozenset[Path]


async def open_services(settings: Settings, package: loader.LoadedPackage) -> OpenedServices:
    """Open the package's services, and ask each whether it works and what it understood."""
    found = OpenedServices()
    try:
        watched = ServiceSettings(settings.services)
        async with services.open(package.lifespan, watched) as opened:
            _, answer = await Readiness(opened, state="ready").check()
            found.descriptions = await describe_all(opened, _DESCRIBED_WITHIN, _class_of)
            found.kept = _seen(kept_here(opened))
    except Exception as exc:  # noqa: BLE001 - of a lifespan, which may raise anything
        place = place_of_failure(exc) or place_of(package.lifespan)
        is_ours = isinstance(exc, StartupError)
        problem = str(exc) if is_ours else f"the services cannot be opened: {type(exc).__name__}"
        found.findings.append(Finding.of(rules.SERVICES_FAIL, place_in_code(place), problem=problem))
        return found
    for unread in watched.unread():
        setting = str(unread)
        found.findings.append(Finding.of(rules.SETTING_UNREAD, Place(key=setting), setting=setting, hint=unread.hint))
    reasons = answer["reasons"]
    for reason in reasons if isinstance(reasons, list) else ():
        found.findings.append(Finding.of(rules.SERVICES_FAIL, Place(key=settings.actions), problem=reason))
    return found


def _seen(kept: Sequence[QueuedJobs]) -> KeptJobsSeen:
    files = (one.queue.database.file for one in kept)
    names = frozenset(name for one in kept for name in one.jobs)
    return KeptJobsSeen(names, frozenset(file.resolve() for file in files if file is not None))


def _class_of(exc: BaseException) -> str:
    # Its text may hold a secret of an address, and reports are sent around.
    return f"cannot say it: {type(exc).__name__}"


async def ask_http(
    endpoint: Endpoint, target: Target, patience: float, expected: Expected | None = None
) -> AsyncIterator[Finding]:
    """Ask the server for its health and, with what the engine sends, whether it is ready.

    With what is ``expected`` of the way to it, a server that is ready is asked for that as well.
    """
    at, (headers, query) = endpoint.url_place, endpoint.credentials_for(target)
    context = tls.client_context(endpoint) if target.scheme == "https" else None
    async with _session(patience, context) as session:
        try:
            start = time.time()
            async with session.get(target.at("/health")) as answer:
                if answer.status != 200:
                    yield Finding.of(rules.UNREACHABLE, at, reason=f"GET /health is answered with {answer.status}")
                    return
                for seconds in _skew(answer, start):
                    yield Finding.of(rules.CLOCK_SKEW, at, seconds=seconds)
            async with session.get(f"{target.at('/ready')}?{query}", headers=headers) as answer:
                if answer.status in (401, 403):
                    yield Finding.of(rules.SERVER_REFUSES, at)
                elif answer.status == 503:
                    body = await answer.json()
                    yield Finding.of(rules.NOT_READY, at, reason="; ".join(map(str, body["reasons"])))
                elif expected is not None:
                    async for finding in ask_way(session, endpoint, target, expected):
                        yield finding
        except _failures() as exc:
            yield Finding.of(rules.UNREACHABLE, at, reason=reason_of(exc, patience))


async def ask_grpc(endpoint: Endpoint, target: Target, patience: float) -> AsyncIterator[Finding]:
    """Ask the server for its health and, with what the engine sends, for its actions."""
    made = _channel(endpoint, target)
    if made is None:
        # A file of it cannot be used, which is a finding of its own.
        return
    headers, _ = endpoint.credentials_for(target)
    metadata = [(name.lower(), value) for name, value in headers.items() if value.isascii()]
    async with made as channel:
        try:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=patience)
            actions = action_webhook_pb2_grpc.ActionServiceStub(channel).Actions
            await actions(action_webhook_pb2.ActionsRequest(), metadata=metadata, timeout=patience)
        except grpc.aio.AioRpcError as exc:
            if exc.code() == grpc.StatusCode.UNAUTHENTICATED:
                yield Finding.of(rules.SERVER_REFUSES, endpoint.url_place)
            else:
                word = exc.code().name.lower().replace("_", " ")
                yield Finding.of(rules.UNREACHABLE, endpoint.url_place, reason=f"gRPC says {word}")


def _channel(endpoint: Endpoint, target: Target) -> grpc.aio.Channel | None:
    """Open a channel as the engine does; None if a file of it cannot be used."""
    address = target.at("").removeprefix("grpc://")
    files = [endpoint.entries.get(name) for name in ("cafile", "ssl_client_key", "ssl_client_cert")]
    try:
        cafile, *pair = [Path(file).read_bytes() if file else None for file in files]
    except (OSError, ValueError):
        return None
    if cafile is None:
        return grpc.aio.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(cafile, *(pair if all(pair) else ()))
    return grpc.aio.secure_channel(address, credentials)


async def ask_engine(url: str, patience: float) -> AsyncIterator[Finding]:
    """Ask a running engine for its version and, by the answer, its clock."""
    at = Place(key="--engine")
    try:
        start = time.time()
        async with _session(patience) as session, session.get(f"{url.rstrip('/')}/version") as answer:
            for seconds in _skew(answer, start):
                yield Finding.of(rules.CLOCK_SKEW, at, seconds=seconds)
            major, minor = str((await answer.json())["version"]).split(".")[:2]
            if not _OLDEST <= (int(major), int(minor)) <= _NEWEST:
                yield Finding.of(rules.ENGINE_VERSION, at)
    except _failures() as exc:
        yield Finding.of(rules.ENGINE_UNREACHABLE, at, reason=reason_of(exc, patience))


def reason_of(exc: BaseException, patience: float = PATIENCE) -> str:
    """Say in words why there is no answer, without a word of the address."""
    import aiohttp

    if isinstance(exc, (TimeoutError, asyncio.TimeoutError)):
        return f"there is no answer within {patience:g} s"
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return f"TLS fails: {tls.reason_of(exc.certificate_error)}"
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return "the host's name is not known (DNS)"
    cause = exc.os_error if isinstance(exc, aiohttp.ClientConnectorError) else exc
    if isinstance(cause, ssl.SSLError):
        return f"TLS fails: {tls.reason_of(cause)}"
    if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
        return "the connection is refused: nothing listens there"
    return f"what is there does not answer as one ({type(cause).__name__})"


def _failures() -> tuple[type[Exception], ...]:
    """Return what aiohttp lets through: its own errors, and those of an answer that is not what it should be."""
    import aiohttp

    return (aiohttp.ClientError, OSError, ValueError, TimeoutError, asyncio.TimeoutError, KeyError, TypeError)


def _session(patience: float, context: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    # Here, as without --online nobody is asked, and who is not needs no client.
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=patience)
    return aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=context or True))


def _skew(answer: aiohttp.ClientResponse, start: float) -> Iterator[int]:
    """Find how far the answer's `Date`, which has no fractions, is outside of the time the request took."""
    with suppress(KeyError, ValueError):
        date = parsedate_to_datetime(answer.headers["Date"]).timestamp()
        skew = max(start - 1 - date, date - time.time())
        if skew > _SKEW:
            yield round(skew)
