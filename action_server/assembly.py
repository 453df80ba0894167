"""Puts the parts of a server together, and answers calls with them: a body in, a status and bytes out.

There is one road for a call. HTTP's plain route, the fast protocol, whoever plays flows in this process and tests take
:meth:`CallHandler.answer`; MCP and gRPC, whose calls and answers have forms of their own, take :meth:`CallHandler.run`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server import __version__
from action_server.config import unread
from action_server.config.settings import Settings
from action_server.delivery.opening import open_delivery
from action_server.errors import CallError, InternalError, LifespanError, RequestError, SettingsError, StartupError
from action_server.jobs.opening import open_queue
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call, encode_error, encode_plain_reply, encode_reply
from action_server.protocol.domain_files import DomainFiles
from action_server.protocol.domains import Domains
from action_server.protocol.exchanges import encode_outcome, encode_request
from action_server.protocol.lazy import read_call
from action_server.runtime import loader, services
from action_server.runtime.dispatcher import Dispatcher
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness, details_of
from action_server.runtime.idempotency_store import open_store, runs_once
from action_server.runtime.loader import NO_ACTIONS, LoadedPackage
from action_server.runtime.one_thread import OneThread
from action_server.runtime.patience import Patience
from action_server.runtime.registry import Registry
from action_server.runtime.service_settings import ServiceSettings
from action_server.runtime.threads import Threads
from action_server.runtime.tool_options import mark_of
from action_server.security.auth import Authenticator
from action_server.source import one_line, place_of, place_of_failure
from action_server.telemetry.call_notes import Witness
from action_server.telemetry.calls import facts, note_refusal
from action_server.telemetry.collectors import collectors_of
from action_server.telemetry.masking import Privacy, read_rules
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.outbound import count_with
from action_server.telemetry.recorder import open_recorder
from action_server.telemetry.tracing import Tracing
from action_server.telemetry.watchdog import LoopWatchdog
from action_server.tools.domain import read_domain

if TYPE_CHECKING:
    from action_server.idempotency.store import IdempotencyStore
    from action_server.jobs.queue import JobQueue
    from action_server.tools.calling import ToolCaller

logger = logging.getLogger(__name__)

# A body, or what gives one: then waiting for it is part of the call's span.
Body = bytes | memoryview | Awaitable[bytes]  # a view is one of the end of bytes
Decompress = Callable[[bytes], Awaitable[bytes]]  # undoes the encoding a body travelled in; raises RequestError


class CallHandler:
    """Answers the bodies of calls. ``max_json_depth`` is how deeply they may be nested."""

    def __init__(self, executor: Executor, *, max_json_depth: int = 100, metrics: Metrics | None = None) -> None:
        self.executor = executor
        self._max_json_depth = max_json_depth
        self._metrics = metrics
        # A middleware may answer with values that are not JSON yet.
        self._encode = encode_reply if executor.has_middlewares else encode_plain_reply

    async def answer(
        self,
        body: Body,
        *,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
        client: str = "",
        engine: str = "",
        decompress: Decompress | None = None,
    ) -> tuple[int, bytes, CallError | None]:
        """Run the call and return the answer: its status, its body, and the error it tells of unless it is a 200.

        ``headers`` may hold the caller's trace; the log has ``request_id`` and ``client``, the caller's address;
        ``engine`` is its name, or "". Raises no ``Exception``: what goes wrong is answered. A cancellation passes.
        """
        executor = self.executor
        seen = executor.recorder.begin("http", request_id) if executor.recorder is not None else None
        answered: tuple[int, bytes, CallError | None]
        try:
            if executor.tracing.is_on:
                caller: Any = {"request_id": request_id, "client": client, "engine": engine}
                answered = 200, await self._answer_traced(body, decompress, headers, seen, **caller), None
            else:
                raw = body if isinstance(body, (bytes, memoryview)) else await body
                plain = raw if decompress is None else await decompress(bytes(raw))
                if seen is not None:
                    seen.take(plain)
                call = read_call(plain, self._max_json_depth)
                answer = await executor.run(call, request_id=request_id, size=len(raw), client=client, engine=engine)
                answered = 200, self._encode(answer.events, answer.responses), None
        except Exception as exc:  # noqa: BLE001 - logged with its traceback, answered without it
            error = self.note_error(exc, request_id, client)
            answered = error.status, encode_error(error), error
        except BaseException:
            if seen is not None:
                seen.leave()
            raise
        if seen is not None:
            seen.end(answered[0], answered[1])
        return answered

    async def run(
        self,
        call: Call,
        *,
        transport: str,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
        client: str = "",
        engine: str = "",
        size: int = 0,
        patience: float | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> tuple[Answer | None, CallError | None]:
        """Run a call that came in another form than the webhook's; the rest is as for :meth:`answer`.

        Returns the answer, or the error there is instead. The caller waits ``patience`` seconds; what streams brings a
        ``dispatcher`` of its own.
        """
        executor, recorder = self.executor, self.executor.recorder
        seen = recorder.begin(transport, request_id) if recorder is not None else None
        if seen is not None:
            # Now: the action may change what it gets. What it cannot be read as is said to the action that reads it.
            with suppress(RequestError):
                seen.take(encode_request(call))
        answered: tuple[Answer | None, CallError | None]
        try:
            with executor.tracing.call(headers) as span:
                span.about(call)
                how: Any = {"transport": transport, "engine": engine, "patience": patience, "dispatcher": dispatcher}
                answered = await executor.run(call, request_id=request_id, size=size, client=client, **how), None
        except Exception as exc:  # noqa: BLE001 - logged with its traceback, answered without it
            answered = None, self.note_error(exc, request_id, client)
        except BaseException:
            if seen is not None:
                seen.leave()
            raise
        if seen is not None:
            seen.end(*encode_outcome(*answered))
        return answered

    def note_error(self, exception: BaseException, request_id: str = "", client: str = "") -> CallError:
        """Return the error that an exception is answered with, and tell the log and the metrics of it."""
        if isinstance(exception, CallError):
            note_refusal(exception, self._metrics, request_id, client)
            return exception
        error = InternalError(secrets.token_hex(6))
        found = facts(error_id=error.error_id, request_id=request_id, client=client)
        logger.error("server.failed", extra=found, exc_info=exception)
        return error

    async def _answer_traced(
        self, body: Body, decompress: Decompress | None, headers: Any, seen: Witness | None, **caller: Any
    ) -> bytes:
        tracing = self.executor.tracing
        with tracing.call(headers) as span:
            raw = body if isinstance(body, (bytes, memoryview)) else await body
            with tracing.step("decode"):
                plain = raw if decompress is None else await decompress(bytes(raw))
                if seen is not None:
                    seen.take(plain)
                call = read_call(plain, self._max_json_depth)
            span.about(call)
            answer = await self.executor.run(call, size=len(raw), **caller)
        return self._encode(answer.events, answer.responses)


@dataclass
class Assembly:
    """The parts of one server, put together and open."""

    settings: Settings
    executor: Executor
    readiness: Readiness
    metrics: Metrics | None = None
    watchdog: LoopWatchdog | None = None
    # None if no action is offered as a tool.
    tools: ToolCaller | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        depth = self.settings.request_limits.max_json_depth
        self.calls = CallHandler(self.executor, max_json_depth=depth, metrics=self.metrics)
        authenticator = Authenticator(self.settings.auth)
        # None if everybody may call.
        self.authenticator = authenticator if authenticator.enabled else None
        unread.say(unread.unread_options(self.settings, {a.name: a.run for a in self.executor.registry}))
        self.tools = _make_tools(self.settings, self.executor.registry, self.calls)

    def watch(self) -> None:
        """Look after the event loop from now on: starting may keep it busy, and is nobody's mistake."""
        if self.watchdog is not None:
            self.watchdog.start()


def _make_tools(settings: Settings, registry: Registry, calls: CallHandler) -> ToolCaller | None:
    """Make the tools of the actions that are offered. Raises :class:`StartupError` if one can be none."""
    if not (settings.mcp.actions or settings.mcp.tools) and all(mark_of(action.run) is None for action in registry):
        unread.say(unread.unread_without_tools(settings))
        return None
    if settings.grpc:
        logger.warning("mcp.not_served", extra={"problem": "tools are served over HTTP, and this server speaks gRPC"})
        return None
    # Here, as a server without tools need not pay for what reads code and schemas.
    from action_server.tools.calling import ToolCaller
    from action_server.tools.offer import read_offer

    offer = read_offer(registry, settings.mcp, settings.options, settings.domain)
    return ToolCaller(offer, calls.run, settings.mcp.conversation)


@dataclass(frozen=True)
class Prepared:
    """What is loaded on the thread that imports, before anything is opened."""

    metrics: Metrics
    package: LoadedPackage
    # Whether that thread is to run the synchronous code, too; and how long it took to load.
    on_one_thread: bool
    seconds: float


def prepare(settings: Settings, shared_directory: Path | None = None, loaded: LoadedPackage | None = None) -> Prepared:
    """Load the actions, or make those of ``loaded`` anew; may raise :class:`StartupError`. See :func:`assemble`."""
    begun = time.monotonic()
    # First: what actions count with prometheus_client themselves has to go where the other workers' counts go.
    metrics = Metrics(shared_directory, version=__version__, enabled=settings.metrics)
    package = loader.load(settings.actions, strict=settings.strict) if loaded is None else loader.renew(loaded)
    return Prepared(metrics, package, _is_on_one_thread(settings, package), time.monotonic() - begun)


def _is_on_one_thread(settings: Settings, package: LoadedPackage) -> bool:
    if settings.sync_thread != "auto":
        return settings.sync_thread == "import"
    if package.thread_bound:
        # Not by itself where there are services: who wrote them writes for this server, and counts on its threads.
        is_safe = package.lifespan is None
        facts = {"objects": ", ".join(package.thread_bound), "sync_thread": "import" if is_safe else "pool"}
        logger.log(logging.INFO if is_safe else logging.WARNING, "actions.thread_bound", extra=facts)
        return is_safe or settings.sync_workers == 1
    return settings.sync_workers == 1


def _threads_here(prepared: Prepared) -> Threads | None:
    """Return this thread for calls within a tool: it imported the actions, and may wait for them."""
    # Services are asked for from other threads than that of their loop.
    is_safe = prepared.on_one_thread and prepared.package.lifespan is None
    return OneThread(asyncio.get_running_loop()) if is_safe else None


@asynccontextmanager
async def assemble(
    settings: Settings,
    shared_directory: Path | None = None,
    *,
    prepared: Prepared | None = None,
    threads: Threads | None = None,
    patience: float = 0.0,
) -> AsyncIterator[Assembly]:
    """Load the actions, open their services, and close both at the end of the block.

    A database that is down is waited for, ``patience`` seconds altogether. ``shared_directory`` is where workers count
    together and find each other's domains. ``prepared`` is what is loaded already, ``threads`` those it is to run on.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    prepared = prepared or prepare(settings, shared_directory)
    metrics, package = prepared.metrics, prepared.package
    async with AsyncExitStack() as stack:
        stack.callback(metrics.fold)
        databases = Patience(patience)
        opened = await databases.wait_for(partial(_open_given_services, stack, package, settings))
        store = await databases.wait_for(partial(_open_store, stack, settings, package.registry))
        opened.jobs = await databases.wait_for(partial(_open_jobs, stack, settings, metrics, opened))
        executor = Executor(
            package.registry,
            limits=settings.limits,
            options=settings.options,
            middlewares=package.middlewares,
            services=opened,
            metrics=metrics,
            store=store,
            tracing=_open_tracing(stack, settings),
            privacy=_read_privacy(settings),
            domains=_domains(settings, shared_directory),
            threads=threads or _threads_here(prepared),
            joins_chunks=settings.join_chunks,
        )
        _start_counting(stack, metrics, executor, settings)
        yield _put_together(stack, prepared, settings, executor, opened, store)


def _start_counting(stack: AsyncExitStack, metrics: Metrics, executor: Executor, settings: Settings) -> None:
    stack.callback(executor.close)
    metrics.know((action.name for action in executor.registry), settings.transports)
    count_with(metrics)


def _put_together(
    stack: AsyncExitStack,
    prepared: Prepared,
    settings: Settings,
    executor: Executor,
    opened: services.Services,
    store: IdempotencyStore | None,
) -> Assembly:
    executor.recorder = open_recorder(stack, settings.recording, settings.blocks.privacy, prepared.metrics.recorded)
    watchdog = _make_watchdog(stack, settings, prepared.metrics)
    ping, details = None if store is None else store.ping, partial(details_of, executor, watchdog)
    readiness = Readiness(opened, lambda: executor.admission.is_saturated, details, ping_store=ping)
    return Assembly(settings, executor, readiness, prepared.metrics if settings.metrics else None, watchdog)


def _domains(settings: Settings, shared_directory: Path | None) -> Domains:
    """Return the store of domains; where gRPC is served, whose requests lose parts, it knows the assistant's own."""
    files = DomainFiles(shared_directory / "domains", settings.max_domains) if shared_directory else None
    told = settings.domain if settings.has_grpc else None
    return Domains(settings.max_domains, files, None if told is None else read_domain(told, "domain"))


async def _open_given_services(stack: AsyncExitStack, package: LoadedPackage, settings: Settings) -> services.Services:
    opened = await open_services(stack, package, settings.services, settings.given_services)
    if not len(package.registry):
        logger.warning("actions.none", extra={"package": settings.actions, "why": NO_ACTIONS})
    return opened


async def open_services(
    stack: AsyncExitStack, package: LoadedPackage, config: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> services.Services:
    """Open what the package's lifespan opens; it is closed with the stack. ``given`` are the settings of a flag.

    Raises:
        StartupError: that cannot be done, or nobody read a setting of a flag. One of a file or a variable is only said.
    """
    watched = ServiceSettings(config)
    try:
        opened = await stack.enter_async_context(services.open(package.lifespan, watched))
    except StartupError:
        raise
    except Exception as exc:
        logger.debug("services.not_opened", exc_info=True)
        raise LifespanError(place_of_failure(exc) or place_of(package.lifespan), one_line(exc)) from exc
    for one in watched.unread():
        if one.is_in(given or {}):
            raise SettingsError(f"--set {one}", f"no service reads it{one.hint}")
        logger.warning("services.setting_unread", extra={"setting": str(one), "problem": f"nobody reads it{one.hint}"})
    return opened


async def _open_store(stack: AsyncExitStack, settings: Settings, registry: Registry) -> IdempotencyStore | None:
    """Open the store of actions that run once, if there is such an action."""
    if not runs_once(registry, settings.options):
        return None
    return await open_store(stack, settings.find_store(), settings.password_reader)


async def _open_jobs(stack: AsyncExitStack, settings: Settings, metrics: Metrics, opened: Any) -> JobQueue | None:
    queue = await open_queue(stack, settings.actions, opened, settings.find_store, settings.password_reader)
    await open_delivery(stack, opened, queue, settings.delivery, metrics)
    return queue


def _open_tracing(stack: AsyncExitStack, settings: Settings) -> Tracing:
    tracing = Tracing.to(collectors_of(settings.blocks.tracing))
    stack.callback(tracing.close)
    tracing.share()
    return tracing


def _read_privacy(settings: Settings) -> Privacy:
    rules, unknown = read_rules(settings.blocks.privacy)
    for key in unknown:
        logger.warning("privacy.unknown_key", extra={"key": key})
    return Privacy(rules)


def _make_watchdog(stack: AsyncExitStack, settings: Settings, metrics: Metrics) -> LoopWatchdog | None:
    watchdog = LoopWatchdog(settings.watchdog, metrics=metrics) if settings.watchdog else None
    if watchdog is not None:
        stack.callback(watchdog.stop)
    return watchdog
