"""One worker: its own actions and services, and the server around them, from start to drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import uvloop
from rasa_sdk.plugin import plugin_manager
from sanic import Sanic

from action_server import loader, logs, services
from action_server.app import create_app
from action_server.errors import LifespanError, SettingsError, StartupError
from action_server.executor import Executor
from action_server.places import one_line, place_of, place_of_failure
from action_server.rpc import serve_grpc
from action_server.settings import Settings

if TYPE_CHECKING:
    from sanic.server.async_server import AsyncioServer

logger = logging.getLogger(__name__)

# How often the drain looks whether connections have become idle, in seconds.
_DRAIN_INTERVAL = 0.02


def run(settings: Settings, sock: socket.socket | None, ready: Callable[[], None], stopping: Stopping) -> None:
    """Serve until told to stop. ``sock`` listens already; ``ready`` is called once the worker takes calls.

    Raises:
        StartupError: the worker cannot start.
    """
    logs.configure(settings.logs)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        executor = loop.run_until_complete(_serve(settings, sock, ready, stopping))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    if executor.running_threads:
        # Python joins its threads at exit, and one of an action that never returns would keep the process for ever.
        logger.warning("worker.threads_left", extra={"threads": executor.running_threads})
        logging.shutdown()
        os._exit(0)


class Stopping:
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
async def open_executor(settings: Settings) -> AsyncIterator[Executor]:
    """Load the actions, open their services, and close both at the end of the block.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    package = loader.load(settings.actions, strict=settings.strict)
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(services.open(package.lifespan, settings.services))
        except StartupError:
            raise
        except Exception as exc:
            logger.debug("services.not_opened", exc_info=True)
            raise LifespanError(place_of_failure(exc) or place_of(package.lifespan), one_line(exc)) from exc
        executor = Executor(
            package.registry,
            sync_workers=settings.sync_workers,
            max_domains=settings.max_domains,
            services=opened,
        )
        stack.callback(executor.close)
        yield executor


@asynccontextmanager
async def serving(
    executor: Executor, settings: Settings, sock: socket.socket, name: str = "action_server", *, only_one: bool = True
) -> AsyncIterator[None]:
    """Serve HTTP on a listening socket within the block; afterwards running calls get ``settings.grace`` seconds.

    ``name`` is the Sanic app's and must be unique in a process; ``only_one`` as for :func:`create_app`.
    """
    limit, cors = settings.max_request_bytes, settings.cors
    app = create_app(executor, max_request_bytes=limit, cors_origins=cors, name=name, only_one=only_one)
    try:
        plugin_manager().hook.attach_sanic_app_extensions(app=app)
        # Serving starts below: a call that came in before the routes are ready would be answered with an error.
        server = await app.create_server(
            sock=sock,
            ssl=_tls(settings),
            return_asyncio_server=True,
            asyncio_server_kwargs={"start_serving": False},
        )
        if server is None:
            raise RuntimeError("Sanic made no server")
        await server.startup()
        await server.before_start()
        await server.start_serving()
        await server.after_start()
        try:
            yield
        finally:
            await _drain(server, settings.grace)
            await server.before_stop()
            await server.after_stop()
    finally:
        Sanic.unregister_app(app)


async def _serve(
    settings: Settings, sock: socket.socket | None, ready: Callable[[], None], stopping: Stopping
) -> Executor:
    async with open_executor(settings) as executor:
        facts = {"pid": os.getpid(), "actions": ",".join(sorted(action.name for action in executor.registry))}
        logger.info("worker.loaded", extra=facts)
        if sock is None:
            ready()
            await serve_grpc(executor, settings)
            return executor
        stopping.arm()
        async with serving(executor, settings, sock):
            ready()
            await stopping.wait()
            logger.info("worker.stopping", extra={"pid": os.getpid()})
    return executor


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


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.ssl_certificate is None:
        return None
    password = settings.ssl_password.get_secret_value() if settings.ssl_password else None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # Without a password OpenSSL would ask for one on the terminal and wait.
        context.load_cert_chain(settings.ssl_certificate, settings.ssl_keyfile, password=password or "")
    except (OSError, ssl.SSLError) as exc:
        raise SettingsError("--ssl-certificate, --ssl-keyfile", f"cannot be used: {one_line(exc)}") from exc
    return context
