"""One worker, which is a process: the server around its own actions and services, from start to drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from rasa_sdk.plugin import plugin_manager
from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.http.constants import HTTP

from action_server.assembly import Assembly, assemble
from action_server.config.settings import Settings
from action_server.runtime.executor import Executor
from action_server.serving import forks, memory
from action_server.serving.http.app import SanicApp, create_app
from action_server.serving.http.fast_webhook import fast_protocol
from action_server.serving.http.slow_requests import ImpatientHttpProtocol, ImpatientWebSocketProtocol
from action_server.telemetry import logs

if TYPE_CHECKING:
    from sanic.server.async_server import AsyncioServer

logger = logging.getLogger(__name__)

# How often the drain looks whether connections have become idle, in seconds.
_DRAIN_INTERVAL = 0.02


def run(
    settings: Settings,
    sock: socket.socket | None,
    ready: Callable[[], None],
    stopping: StopSignal,
    shared_directory: Path | None = None,
) -> None:
    """Serve until told to stop. ``sock`` listens already; ``ready`` is called once the worker takes calls.

    Raises:
        StartupError: the worker cannot start.
    """
    logs.configure(settings.logs)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        with forks.children_apart(sock) as sockets:
            executor = loop.run_until_complete(_serve(settings, sock, ready, stopping, shared_directory, sockets))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    if executor.threads.running:
        # Python joins its threads at exit, and one of an action that never returns would keep the process for ever.
        logger.warning("worker.threads_left", extra={"threads": executor.threads.running})
        logging.shutdown()
        os._exit(0)


class StopSignal:
    """Tells a worker to stop, once to drain. Reacts to the ``signals``.

    A worker on its own ends at once when it is told again during the drain. One that has a ``parent``, the process that
    started it, does not: it gets the signal from its parent and, under systemd for one, from outside as well. It also
    stops when its parent is gone.
    """

    def __init__(self, *signals: signal.Signals, parent: Connection | None = None) -> None:
        self._signals = signals
        self._parent = parent
        self._event = asyncio.Event()
        self._draining = False

    def arm(self) -> None:
        """Listen from now on; to be called on the running event loop."""
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self.stop)
        if self._parent is not None:
            # The parent never sends anything: readable means that it is gone.
            loop.add_reader(self._parent.fileno(), self._parent_gone)

    def stop(self) -> None:
        """Ask for the drain."""
        # Only during the drain: `timeout` and some supervisors send their signal twice at the same moment.
        if self._draining and self._parent is None:
            logger.warning("worker.killed")
            logging.shutdown()
            os._exit(1)
        self._event.set()

    async def wait(self) -> None:
        """Return when asked to stop."""
        await self._event.wait()
        self._draining = True

    def _parent_gone(self) -> None:
        if self._parent is not None:
            asyncio.get_running_loop().remove_reader(self._parent.fileno())
        self.stop()


@asynccontextmanager
async def serve_http(
    assembly: Assembly, sock: socket.socket, name: str = "action_server", *, only_one: bool = True
) -> AsyncIterator[None]:
    """Serve HTTP on a listening socket within the block; afterwards running calls get ``settings.grace`` seconds.

    ``name`` is the Sanic app's and must be unique in a process; ``only_one`` as for :func:`create_app`.
    """
    app = create_app(assembly, name=name, only_one=only_one)
    try:
        server = await _start(assembly, app, sock)
        assembly.readiness.state = "ready"
        try:
            yield
        finally:
            # Probes see it at once; connections that are open, probes' among them, are served during the drain.
            assembly.readiness.state = "draining"
            await _drain(server, assembly.settings.grace)
            await server.before_stop()
            await server.after_stop()
    finally:
        Sanic.unregister_app(app)


async def _start(assembly: Assembly, app: SanicApp, sock: socket.socket) -> AsyncioServer:
    tls = assembly.settings.tls
    plugin_manager().hook.attach_sanic_app_extensions(app=app)
    # Serving starts below: a call that came in before the routes are ready would be answered with an error.
    server = await app.create_server(
        sock=sock,
        ssl=tls.renewed_context() if tls is not None else None,
        protocol=_protocol(assembly, app),
        return_asyncio_server=True,
        asyncio_server_kwargs={"start_serving": False},
    )
    if server is None:
        raise RuntimeError("Sanic made no server")
    # Sanic leaves its empty `alt-svc` header out if it knows that it serves one version of HTTP; only run() says so.
    app.state.server_info.append(ApplicationServerInfo({"version": HTTP.VERSION_1}))
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    return server


def _protocol(assembly: Assembly, app: SanicApp) -> Any:
    if app.websocket_enabled:
        return ImpatientWebSocketProtocol
    return fast_protocol(assembly, app, ImpatientHttpProtocol)


async def _serve(
    settings: Settings,
    sock: socket.socket | None,
    ready: Callable[[], None],
    stopping: StopSignal,
    shared_directory: Path | None,
    sockets: set[int],
) -> Executor:
    async with assemble(settings, shared_directory) as assembly:
        names = ",".join(sorted(action.name for action in assembly.executor.registry))
        logger.info("worker.loaded", extra={"pid": os.getpid(), "actions": names})
        memory.settle()
        stopping.arm()
        before = forks.listening_sockets() if sock is None else frozenset[int]()
        async with _serve_grpc(assembly) if sock is None else serve_http(assembly, sock):
            if sock is None:
                # gRPC opens its sockets itself.
                sockets |= forks.listening_sockets() - before
            assembly.watch()
            ready()
            await stopping.wait()
            logger.info("worker.stopping", extra={"pid": os.getpid()})
    return assembly.executor


def _serve_grpc(assembly: Assembly) -> AbstractAsyncContextManager[None]:
    # Here, as a server of HTTP need not pay for gRPC: 75 ms and some megabytes.
    from action_server.serving.grpc.service import serve_grpc

    return serve_grpc(assembly)


async def _drain(server: AsyncioServer, grace: float) -> None:
    """Take no more connections, let running calls finish within ``grace`` seconds, then cut what is left."""
    loop = asyncio.get_running_loop()
    closed: Awaitable[None] | None = server.close()
    deadline = loop.time() + grace
    while server.connections and loop.time() < deadline:
        for connection in list(server.connections):
            connection.close_if_idle()
        await asyncio.sleep(_DRAIN_INTERVAL)
    for connection in list(server.connections):
        logger.warning("call.cut", extra={"problem": f"still running after {grace} s of grace"})
        connection.abort()
    if closed is not None:
        await closed
