"""One worker: its own actions and services, and the server around them, from start to drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from rasa_sdk.plugin import plugin_manager
from sanic import Sanic

from action_server import __version__
from action_server.config.settings import Settings
from action_server.errors import LifespanError, SettingsError, StartupError
from action_server.protocol.domain_files import DomainFiles
from action_server.runtime import loader, services
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.loader import LoadedPackage
from action_server.runtime.options import OptionsTable
from action_server.runtime.registry import Registry
from action_server.security.auth import Authenticator
from action_server.security.tls import tls_context
from action_server.serving import memory
from action_server.serving.http.app import AppParts, SanicApp, create_app
from action_server.serving.http.fast_webhook import fast_protocol
from action_server.serving.http.slow_requests import ImpatientHttpProtocol, ImpatientWebSocketProtocol
from action_server.source import one_line, place_of, place_of_failure
from action_server.telemetry import logs
from action_server.telemetry.collectors import collectors_of
from action_server.telemetry.masking import Privacy, read_rules
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.outbound import count_with
from action_server.telemetry.tracing import Tracing
from action_server.telemetry.watchdog import LoopWatchdog

if TYPE_CHECKING:
    from sanic.server.async_server import AsyncioServer

    from action_server.idempotency.store import OnceStore

logger = logging.getLogger(__name__)

# How often the drain looks whether connections have become idle, in seconds.
_DRAIN_INTERVAL = 0.02


def run(
    settings: Settings,
    sock: socket.socket | None,
    ready: Callable[[], None],
    stopping: Stopping,
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
        executor = loop.run_until_complete(_serve(settings, sock, ready, stopping, shared_directory))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    if executor.threads.running:
        # Python joins its threads at exit, and one of an action that never returns would keep the process for ever.
        logger.warning("worker.threads_left", extra={"threads": executor.threads.running})
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


@dataclass
class Assembly:
    """The parts of one worker, put together and open."""

    settings: Settings
    executor: Executor
    readiness: Readiness
    metrics: Metrics | None = None
    watchdog: LoopWatchdog | None = None

    def watch(self) -> None:
        """Look after the event loop from now on: starting may keep it busy, and is nobody's mistake."""
        if self.watchdog is not None:
            self.watchdog.start()


@asynccontextmanager
async def assembled(settings: Settings, shared_directory: Path | None = None) -> AsyncIterator[Assembly]:
    """Load the actions, open their services, and close both at the end of the block.

    ``shared_directory`` is where the workers of one supervisor count together and find domains that others were sent;
    None for a worker on its own.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    # First: what actions count with prometheus_client themselves has to go where the other workers' counts go.
    metrics = Metrics(shared_directory, version=__version__, enabled=settings.metrics)
    package = loader.load(settings.actions, strict=settings.strict)
    async with AsyncExitStack() as stack:
        opened = await open_services(stack, package, settings.services)
        metrics.know((action.name for action in package.registry), "grpc" if settings.grpc else "http")
        options = settings.options
        executor = Executor(
            package.registry,
            limits=settings.limits,
            options=options,
            middlewares=package.middlewares,
            services=opened,
            metrics=metrics,
            once=await _once_store(stack, settings, package.registry, options),
            tracing=_tracing(stack, settings),
            privacy=_privacy(settings),
            domain_files=DomainFiles(shared_directory / "domains", settings.max_domains) if shared_directory else None,
        )
        stack.callback(executor.close)
        metrics.threads(0, settings.sync_workers)
        count_with(metrics)
        watchdog = _watchdog(stack, settings, metrics)
        readiness = Readiness(opened, lambda: executor.admission.is_saturated, lambda: _details(executor, watchdog))
        yield Assembly(settings, executor, readiness, metrics if settings.metrics else None, watchdog)


async def open_services(stack: AsyncExitStack, package: LoadedPackage, config: Mapping[str, Any]) -> services.Services:
    """Open what the package's lifespan opens; it is closed with the stack. Raises :class:`StartupError`."""
    try:
        return await stack.enter_async_context(services.open(package.lifespan, config))
    except StartupError:
        raise
    except Exception as exc:
        logger.debug("services.not_opened", exc_info=True)
        raise LifespanError(place_of_failure(exc) or place_of(package.lifespan), one_line(exc)) from exc


@asynccontextmanager
async def serving(
    worker: Assembly, sock: socket.socket, name: str = "action_server", *, only_one: bool = True
) -> AsyncIterator[None]:
    """Serve HTTP on a listening socket within the block; afterwards running calls get ``settings.grace`` seconds.

    ``name`` is the Sanic app's and must be unique in a process; ``only_one`` as for :func:`create_app`.
    """
    settings = worker.settings
    parts = AppParts(
        worker.executor,
        settings.request_limits,
        worker.readiness,
        Authenticator(settings.auth),
        worker.metrics,
        settings.cors,
    )
    app = create_app(parts, name=name, only_one=only_one)
    try:
        plugin_manager().hook.attach_sanic_app_extensions(app=app)
        # Serving starts below: a call that came in before the routes are ready would be answered with an error.
        server = await app.create_server(
            sock=sock,
            ssl=_tls(settings),
            protocol=_protocol(parts, app),
            return_asyncio_server=True,
            asyncio_server_kwargs={"start_serving": False},
        )
        if server is None:
            raise RuntimeError("Sanic made no server")
        await server.startup()
        await server.before_start()
        await server.start_serving()
        await server.after_start()
        worker.readiness.state = "ready"
        try:
            yield
        finally:
            # Probes see it at once; connections that are open, probes' among them, are served during the drain.
            worker.readiness.state = "draining"
            await _drain(server, settings.grace)
            await server.before_stop()
            await server.after_stop()
    finally:
        Sanic.unregister_app(app)


def _protocol(parts: AppParts, app: SanicApp) -> Any:
    if app.websocket_enabled:
        return ImpatientWebSocketProtocol
    return fast_protocol(parts, app, ImpatientHttpProtocol)


async def _once_store(
    stack: AsyncExitStack, settings: Settings, registry: Registry, options: OptionsTable
) -> OnceStore | None:
    """Open the store of actions that run once, if there is such an action."""
    if not any(options.of(action.name, action.run).idempotent for action in registry):
        return None
    # Here, as a server without such actions need not pay for SQLAlchemy.
    from platformdirs import user_data_dir

    from action_server.database import DatabaseError
    from action_server.idempotency.store import OnceStore

    database = settings.database or Path(user_data_dir("action-server", appauthor=False)) / "server.sqlite3"
    try:
        store = await OnceStore.open(database, where="database")
    except DatabaseError as exc:
        raise SettingsError("database", one_line(exc)) from exc
    stack.push_async_callback(store.close)
    return store


def _tracing(stack: AsyncExitStack, settings: Settings) -> Tracing:
    tracing = Tracing.to(collectors_of(settings.blocks.tracing))
    stack.callback(tracing.close)
    tracing.share()
    return tracing


def _privacy(settings: Settings) -> Privacy:
    rules, unknown = read_rules(settings.blocks.privacy)
    for key in unknown:
        logger.warning("privacy.unknown_key", extra={"key": key})
    return Privacy(rules)


def _watchdog(stack: AsyncExitStack, settings: Settings, metrics: Metrics) -> LoopWatchdog | None:
    if not settings.watchdog:
        return None
    watchdog = LoopWatchdog(settings.watchdog, metrics=metrics)
    stack.callback(watchdog.stop)
    return watchdog


def _details(executor: Executor, watchdog: LoopWatchdog | None) -> dict[str, object]:
    blocked = watchdog.recent() if watchdog is not None else []
    return {
        "blocked": [{"action": b.action, "place": b.place, "seconds": round(b.seconds, 3)} for b in blocked],
        "calls": {"running": executor.admission.running, "waiting": executor.admission.waiting},
        "threads": {"running": executor.threads.running, "abandoned": executor.threads.abandoned},
    }


async def _serve(
    settings: Settings,
    sock: socket.socket | None,
    ready: Callable[[], None],
    stopping: Stopping,
    shared_directory: Path | None,
) -> Executor:
    async with assembled(settings, shared_directory) as worker:
        names = ",".join(sorted(action.name for action in worker.executor.registry))
        logger.info("worker.loaded", extra={"pid": os.getpid(), "actions": names})
        memory.settle()
        stopping.arm()
        async with _serving_grpc(worker, settings) if sock is None else serving(worker, sock):
            worker.watch()
            ready()
            await stopping.wait()
            logger.info("worker.stopping", extra={"pid": os.getpid()})
    return worker.executor


def _serving_grpc(worker: Assembly, settings: Settings) -> AbstractAsyncContextManager[None]:
    # Here, as a server of HTTP need not pay for gRPC: 75 ms and some megabytes.
    from action_server.serving.grpc.service import serving_grpc

    return serving_grpc(worker.executor, settings)


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
    return tls_context(settings.ssl_certificate, settings.ssl_keyfile, password, settings.ssl_ca_file)
