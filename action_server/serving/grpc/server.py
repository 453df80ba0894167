"""Serves gRPC on sockets of its own: options, certificates, and the end without losses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.runtime.disconnects import Disconnects
from action_server.security.secrets import read_bytes
from action_server.security.tls import TlsFiles
from action_server.security.watched_files import WatchedFiles
from action_server.serving.grpc.health import Health
from action_server.serving.grpc.service import ActionService
from action_server.serving.grpc.streams import Streams
from action_server.serving.stopping.sockets import has_connections, listening_sockets, stop_listening
from action_server.serving.stopping.stop_signal import Stop

logger = logging.getLogger(__name__)

# How old a connection may become, by default and where workers are replaced; 10 % more or less, by gRPC's own dice.
_OLDEST_CONNECTION_MS = 2000
_OLDEST_CONNECTION_OF_RELOADS_MS = 1000
# In seconds: how long a worker that stops waits for its connections to go, and how often it looks.
_MOVING = 3.0
_LOOKING = 0.02


class GrpcServer:
    """Serves gRPC on sockets of its own."""

    def __init__(
        self,
        server: grpc.aio.Server,
        health: Health,
        settings: Settings,
        disconnects: Disconnects,
        listening: frozenset[int],
    ) -> None:
        self._server = server
        self._health = health
        self._grace = settings.grace
        # Without a delay connections do not become old.
        self._moving = min(_MOVING, settings.grace) if settings.drain_delay else 0.0
        self._disconnects = disconnects
        self._listening = listening
        self._way = Stop.NOW
        self._stopped: asyncio.Future[None] | None = None
        self._is_finished = False

    async def announce(self, way: Stop) -> None:
        """Let clients know that this worker stops: its health is NOT_SERVING, unless others have taken over."""
        self._way = way
        if way is Stop.RETIRE:
            # They would keep their connections, and this worker, for the whole grace.
            self._health.end_watches()
            await self._let_connections_move(_MOVING)
            self._stopped = asyncio.ensure_future(self._server.stop(self._grace))
            await asyncio.sleep(0)
        else:
            self._health.stop()

    async def _let_connections_move(self, seconds: float) -> None:
        """Take calls until the clients have gone elsewhere.

        Told to stop, gRPC cancels whatever reaches it before the client has read its GOAWAY. The GOAWAY of a connection
        that has become too old is the one that it can send while it still serves.
        """
        # The kernel gives new connections to a socket as long as it listens.
        ports = stop_listening(self._listening)
        loop = asyncio.get_running_loop()
        latest = loop.time() + seconds
        while has_connections(ports) and loop.time() < latest:  # noqa: ASYNC110 - gRPC tells nobody
            await asyncio.sleep(_LOOKING)

    async def drain(self) -> None:
        """Take no more connections, then no more calls; clients get a GOAWAY. Running ones get the grace."""
        await self.finish_calls()
        self._cut(await self._disconnects.cut())

    async def finish_calls(self) -> None:
        """Let running calls end within the grace, also those whose callers have left."""
        if self._is_finished:
            return
        self._is_finished = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace
        self._health.stop()
        self._health.end_watches()
        if self._way is Stop.DRAIN and self._moving:
            await self._let_connections_move(self._moving)
        await (self._stopped or self._server.stop(max(0.0, deadline - loop.time())))
        await self._disconnects.drain(deadline - loop.time())

    def _cut(self, number: int) -> None:
        for _ in range(number):
            logger.warning("call.cut", extra={"problem": f"still running after {self._grace} s of grace"})


@asynccontextmanager
async def serve_grpc(
    assembly: Assembly, port: int | None = None, shared_directory: Path | None = None
) -> AsyncIterator[GrpcServer]:
    """Serve gRPC within the block; afterwards running calls get the settings' ``grace``.

    ``port`` is another one than that of the settings; ``shared_directory`` is where workers find each other.

    Raises:
        SettingsError: the address cannot be had, or a file cannot be read.
    """
    settings, readiness = assembly.settings, assembly.readiness
    health = Health(readiness)
    server = grpc.aio.server(options=_options(settings))
    streams = Streams(shared_directory)
    server.add_generic_rpc_handlers((ActionService(assembly, health, streams),))
    before = listening_sockets()
    _listen(server, settings, settings.port if port is None else port)
    if streams.own_address is not None:
        server.add_insecure_port(streams.own_address)
    await server.start()
    listening = listening_sockets() - before
    serving = GrpcServer(server, health, settings, assembly.executor.disconnects, listening)
    readiness.state = "ready"
    try:
        yield serving
    finally:
        if readiness.state == "ready":
            readiness.state = "draining"
        await serving.drain()


def _options(settings: Settings) -> list[tuple[str, int]]:
    # Alone, it shares its port with nobody: a second server would take half of the calls, and no one would know.
    shares = settings.workers > 1 or settings.auto_reload
    options = [
        ("grpc.max_receive_message_length", settings.max_request_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", int(shares)),
    ]
    if settings.auto_reload or settings.drain_delay:
        # A worker that stops has to lose its connections soon, and gRPC has no other way to send them elsewhere.
        oldest = _OLDEST_CONNECTION_OF_RELOADS_MS if settings.auto_reload else _OLDEST_CONNECTION_MS
        options.append(("grpc.max_connection_age_ms", oldest))
    return options


def _listen(server: grpc.aio.Server, settings: Settings, port: int) -> None:
    address = f"{settings.host}:{port}" if ":" not in settings.host else f"[{settings.host}]:{port}"
    tls = settings.tls
    try:
        if tls is not None:
            server.add_secure_port(address, _credentials(tls))
        else:
            server.add_insecure_port(address)
    except RuntimeError as exc:
        raise SettingsError("--host, --port", f"cannot listen on {address}") from exc


def _credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    """Return credentials that follow the files: gRPC asks for new ones in each handshake, and None is none."""
    watched = WatchedFiles(tls.paths, lambda: _configuration(tls), what="TLS")
    used = first = watched.get()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        before, used = used, watched.get()
        return None if used is before else used

    return grpc.dynamic_ssl_server_credentials(first, fetch, require_client_authentication=tls.client_ca is not None)


def _configuration(tls: TlsFiles) -> grpc.ServerCertificateConfiguration:
    client_ca = read_bytes(tls.client_ca, "--ssl-ca-file") if tls.client_ca is not None else None
    return grpc.ssl_server_certificate_configuration([tls.pem_pair()], client_ca)
