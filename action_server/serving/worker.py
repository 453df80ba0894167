"""One worker, which is a process: the server around its own actions and services, from start to drain."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import select
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

import uvloop
from rasa_sdk.plugin import plugin_manager
from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.http.constants import HTTP

from action_server.assembly import Assembly, Prepared, assemble, prepare
from action_server.config.settings import Settings
from action_server.jobs.opening import running_jobs
from action_server.runtime import memory
from action_server.runtime.executor import Executor
from action_server.runtime.one_thread import OneThread
from action_server.runtime.patience import open_in_time
from action_server.runtime.threads import Threads
from action_server.serving import forks
from action_server.serving.extension import Extension
from action_server.serving.http.app import SanicApp, create_app
from action_server.serving.http.fast_webhook import fast_protocol
from action_server.serving.http.slow_requests import ImpatientHttpProtocol, ImpatientWebSocketProtocol
from action_server.serving.loops import run_to_end
from action_server.serving.stopping.sockets import listening_sockets
from action_server.serving.stopping.stop_signal import Stop, StopSignal
from action_server.telemetry import hooks, logs

if TYPE_CHECKING:
    from sanic.server.async_server import AsyncioServer

logger = logging.getLogger(__name__)

Extend = Callable[[Assembly, SanicApp], AbstractAsyncContextManager[None]]

# In seconds: how often the drain looks whether connections have become idle, and how long it takes new ones at the end.
_DRAIN_INTERVAL = 0.02
_ACCEPTING = 1.0
_PART_OF_START, _LAST_PART_OF_START = 0.8, 0.9


def run(
    settings: Settings,
    sock: socket.socket | None,
    ready: Callable[[], None],
    stopping: StopSignal,
    shared_directory: Path | None = None,
    extension: Extension | None = None,
) -> None:
    """Serve until told to stop. ``sock`` listens already; ``ready`` is called once the worker takes calls.

    ``extension`` is added to what is served over HTTP.

    Raises:
        StartupError: the worker cannot start.
    """
    logs.configure(settings.logs)
    hooks.install()
    with forks.isolate_children(sock) as sockets:
        prepared = prepare(settings, shared_directory)
        extend = None if extension is None else partial(extension, shared_directory=shared_directory)
        serve = partial(_serve, settings, sock, ready, stopping, shared_directory, sockets, prepared, extend)
        if prepared.on_one_thread:
            _run_beside(serve, stopping, takes_coroutines=prepared.package.lifespan is None)
        else:
            serve_on_loop(serve(None), stopping)


def serve_on_loop(serving: Coroutine[Any, Any, Executor], stopping: StopSignal) -> None:
    """Run what serves until it is told to stop, on an event loop in this thread."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        work = loop.create_task(serving)
        executor = run_to_end(lambda: loop.run_until_complete(work), work.done, stopping)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    end_without_threads(executor.threads)


def end_without_threads(threads: Threads) -> None:
    """End the process at once if code still runs on its threads; to be called when all else is closed.

    Python joins them at exit, and one of an action or a job that never returns would keep the process for ever.
    """
    if threads.running:
        logger.warning("worker.threads_left", extra={"threads": threads.running})
        logging.shutdown()
        os._exit(0)


def _run_beside(
    serve: Callable[[Threads | None], Coroutine[Any, Any, Executor]], stopping: StopSignal, *, takes_coroutines: bool
) -> None:
    """Serve on an event loop in a thread of its own: this one imported the actions, and runs them."""
    # Not uvloop: signals are handled in this thread, and that one does not see them while it waits.
    home = asyncio.new_event_loop()
    asyncio.set_event_loop(home)
    stopping.home = home
    ended: Future[None] = Future()

    def run() -> None:
        try:
            serve_on_loop(serve(OneThread(home, takes_coroutines=takes_coroutines)), stopping)
            ended.set_result(None)
        except BaseException as exc:  # noqa: BLE001 - raised again in the main thread
            ended.set_exception(exc)
        finally:
            home.call_soon_threadsafe(home.stop)

    thread = Thread(target=run, name="action-server", daemon=True)
    thread.start()
    try:
        run_to_end(home.run_forever, ended.done, stopping)
        thread.join()
    finally:
        home.close()
    ended.result()


class HttpServer:
    """Serves HTTP on one listening socket."""

    def __init__(self, assembly: Assembly, app: SanicApp, server: AsyncioServer, sock: socket.socket) -> None:
        self._readiness = assembly.readiness
        self._grace = assembly.settings.grace
        self._disconnects = assembly.executor.disconnects
        self._app = app
        self._server = server
        self._sock = sock
        self._closed: Awaitable[None] | None = None
        self._is_finished = False

    async def announce(self, way: Stop) -> None:
        """Let clients know that this worker stops: from now on each answer says that its connection closes."""
        if way is Stop.RETIRE:
            # Others listen on the same socket, and the server is as ready as it was.
            self._close_socket()
        else:
            self._readiness.state = "draining"
        self._app.config.KEEP_ALIVE = False
        for connection in list(self._server.connections):
            connection.keep_no_longer()

    async def drain(self) -> None:
        """Take no more connections, let running calls finish within the grace, then cut what is left."""
        await self.finish_calls()
        await self._cut()

    async def finish_calls(self) -> None:
        """Take no more connections, and let running calls end within the grace."""
        if self._is_finished:
            return
        self._is_finished = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace
        if self._closed is None:
            await self._accept_waiting(deadline)
            self._close_socket()
        connections = self._server.connections
        while connections and loop.time() < deadline:
            for connection in list(connections):
                connection.close_if_idle()
            await asyncio.sleep(_DRAIN_INTERVAL)
        await self._disconnects.drain(deadline - loop.time())

    async def _cut(self) -> None:
        cut = await self._disconnects.cut()
        for connection in list(self._server.connections):
            if not connection.close_if_idle(math.inf):
                cut += 1
                connection.abort()
        for _ in range(cut):
            logger.warning("call.cut", extra={"problem": f"still running after {self._grace} s of grace"})
        if self._closed is not None:
            await self._closed
        await self._server.before_stop()
        await self._server.after_stop()

    async def _accept_waiting(self, deadline: float) -> None:
        """Take the connections that the kernel has accepted for this socket: closing it would reset them."""
        loop = asyncio.get_running_loop()
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        # A flood of connections must not keep the server from stopping.
        latest = min(deadline, loop.time() + _ACCEPTING)
        while poll.poll(0) and loop.time() < latest:  # noqa: ASYNC110 - the kernel sets no event of asyncio
            await asyncio.sleep(0)

    def _close_socket(self) -> None:
        self._closed = self._server.close()


@asynccontextmanager
async def serve_http(
    assembly: Assembly,
    sock: socket.socket,
    name: str = "action_server",
    *,
    only_one: bool = True,
    pages_only: bool = False,
    extend: Extend | None = None,
) -> AsyncIterator[HttpServer]:
    """Serve HTTP on a listening socket within the block; afterwards running calls get ``settings.grace`` seconds.

    ``name`` is the Sanic app's and must be unique in a process; ``only_one`` and ``pages_only`` as for
    :func:`create_app`. ``extend`` adds to the app, for as long as it serves.
    """
    app = create_app(assembly, name=name, only_one=only_one, pages_only=pages_only)
    try:
        added = nullcontext() if extend is None else extend(assembly, app)
        async with added, _serving_app(assembly, app, sock) as server:
            yield server
    finally:
        Sanic.unregister_app(app)


@asynccontextmanager
async def _serving_app(assembly: Assembly, app: SanicApp, sock: socket.socket) -> AsyncIterator[HttpServer]:
    server = HttpServer(assembly, app, await _start(assembly, app, sock), sock)
    assembly.readiness.state = "ready"
    try:
        yield server
    finally:
        if assembly.readiness.state == "ready":
            await server.announce(Stop.NOW)
        await server.drain()


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
    # Pages alone, beside gRPC or jobs, are Sanic's.
    return fast_protocol(assembly, app, ImpatientHttpProtocol) if app.ctx.takes_calls else ImpatientHttpProtocol


async def _serve(
    settings: Settings,
    sock: socket.socket | None,
    ready: Callable[[], None],
    stopping: StopSignal,
    shared_directory: Path | None,
    sockets: set[int],
    prepared: Prepared,
    extend: Extend | None,
    threads: Threads | None,
) -> Executor:
    left = _time_left(settings, prepared, _LAST_PART_OF_START) if stopping.is_supervised else None
    patience = _time_left(settings, prepared, _PART_OF_START)
    opening = assemble(settings, shared_directory, prepared=prepared, threads=threads, patience=patience)
    async with open_in_time(opening, left) as assembly:
        names = ",".join(sorted(action.name for action in assembly.executor.registry))
        logger.info("worker.loaded", extra={"pid": os.getpid(), "actions": names})
        memory.settle()
        stopping.arm()
        before = listening_sockets() if settings.has_grpc else frozenset[int]()
        executor = assembly.executor
        running = assembly.readiness.services, executor.threads, settings.jobs
        serving = _serving(assembly, sock, shared_directory, extend)
        # Asked at each run: who sees them comes later.
        seen: Any = {"metrics": assembly.metrics, "tracing": executor.tracing, "witnesses": lambda: executor.recorder}
        async with running_jobs(settings.actions, *running, **seen) as claim_no_more, serving as server:
            if settings.has_grpc:
                # gRPC opens its sockets itself.
                sockets |= listening_sockets() - before
            assembly.watch()
            ready()
            way = await stopping.wait()
            logger.info("worker.stopping", extra={"pid": os.getpid()})
            claim_no_more()
            await server.announce(way)
            stopping.confirm()
            # Retired, gRPC ends its connections at once: the kernel gives its own socket new ones while it is open.
            if way is Stop.DRAIN or (way is Stop.RETIRE and sock is not None):
                await stopping.delay(settings.drain_delay)
    return assembly.executor


def _time_left(settings: Settings, prepared: Prepared, part: float) -> float:
    """Return what is left of a part of the time to start.

    Why it is over is the worker's to say, and not that it was killed. One without a supervisor has no end for all of
    it: somebody may look at its code with a debugger.
    """
    return max(0.0, part * settings.start_timeout - prepared.seconds)


class _Server(Protocol):
    """What serves, over HTTP or gRPC."""

    async def announce(self, way: Stop) -> None:
        """Let clients know that this worker stops; when it retires, others have taken over."""

    async def finish_calls(self) -> None:
        """Take no more calls, and let those that run end within the grace."""


class _BothServers:
    """HTTP and gRPC in one process, which end at the same time."""

    def __init__(self, *servers: _Server) -> None:
        self._servers = servers

    async def announce(self, way: Stop) -> None:
        """Let clients of both know."""
        await asyncio.gather(*(server.announce(way) for server in self._servers))

    async def finish_calls(self) -> None:
        """Let the calls of both end, before either cuts what is left."""
        await asyncio.gather(*(server.finish_calls() for server in self._servers))


@asynccontextmanager
async def _serving(
    assembly: Assembly, sock: socket.socket | None, shared_directory: Path | None, extend: Extend | None
) -> AsyncIterator[_Server]:
    """Serve over what the settings say: HTTP on the socket, gRPC on a port of the settings, or both."""
    if not assembly.settings.has_grpc:
        assert sock is not None  # noqa: S101 - there is nothing else to serve on
        async with serve_http(assembly, sock, extend=extend) as http:
            yield http
        return
    # Here, as a server of HTTP need not pay for gRPC: 75 ms and some megabytes.
    from action_server.serving.grpc.server import serve_grpc

    if sock is None:
        async with serve_grpc(assembly, shared_directory=shared_directory) as grpc:
            yield grpc
        return
    port = None if assembly.settings.grpc else assembly.settings.grpc_port
    async with serve_http(assembly, sock, extend=extend) as http, serve_grpc(assembly, port, shared_directory) as grpc:
        both = _BothServers(http, grpc)
        try:
            yield both
        finally:
            await both.finish_calls()
