"""Puts the parts of a server together, and answers calls with them: a body in, a status and bytes out.

There is one road for a call. HTTP's plain route, the fast protocol, whoever plays flows in this process and tests take
:meth:`CallHandler.answer`; gRPC, whose calls are protobuf and whose answers stream, takes the executor below it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server import __version__
from action_server.config.settings import Settings
from action_server.errors import CallError, DatabaseError, InternalError, LifespanError, SettingsError, StartupError
from action_server.protocol.calls import encode_error, encode_reply
from action_server.protocol.domain_files import DomainFiles
from action_server.protocol.lazy import read_call
from action_server.runtime import loader, services
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.loader import LoadedPackage
from action_server.runtime.options import OptionsTable
from action_server.runtime.registry import Registry
from action_server.security.auth import Authenticator
from action_server.source import one_line, place_of, place_of_failure
from action_server.telemetry.calls import note_refusal
from action_server.telemetry.collectors import collectors_of
from action_server.telemetry.masking import Privacy, read_rules
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.outbound import count_with
from action_server.telemetry.tracing import Tracing
from action_server.telemetry.watchdog import LoopWatchdog

if TYPE_CHECKING:
    from action_server.idempotency.store import IdempotencyStore

logger = logging.getLogger(__name__)

# A body, or what gives one: then waiting for it is part of the call's span.
Body = bytes | memoryview | Awaitable[bytes]
# Undoes the encoding a body travelled in; raises RequestError.
Decompress = Callable[[bytes], bytes]


class CallHandler:
    """Answers the bodies of calls. ``max_json_depth`` is how deeply they may be nested."""

    def __init__(self, executor: Executor, *, max_json_depth: int = 100, metrics: Metrics | None = None) -> None:
        self.executor = executor
        self._max_json_depth = max_json_depth
        self._metrics = metrics

    async def answer(
        self,
        body: Body,
        *,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
        decompress: Decompress | None = None,
    ) -> tuple[int, bytes, CallError | None]:
        """Run the call and return the answer: its status, its body, and the error it tells of unless it is a 200.

        ``headers`` may hold the caller's trace; the log has ``request_id``. Raises no ``Exception``: what goes wrong is
        answered. A cancellation passes, as nobody waits for an answer then.
        """
        executor = self.executor
        try:
            if executor.tracing.is_on:
                return 200, await self._answer_traced(body, headers, request_id, decompress), None
            raw = body if isinstance(body, (bytes, memoryview)) else await body
            call = read_call(raw if decompress is None else decompress(bytes(raw)), self._max_json_depth)
            answer = await executor.run(call, request_id=request_id, size=len(raw))
            return 200, encode_reply(answer.events, answer.responses), None
        except Exception as exc:  # noqa: BLE001 - logged with its traceback, answered without it
            error = self.note_error(exc)
            return error.status, encode_error(error), error

    def note_error(self, exception: BaseException) -> CallError:
        """Return the error that an exception is answered with, and tell the log and the metrics of it."""
        if isinstance(exception, CallError):
            note_refusal(exception, self._metrics)
            return exception
        error = InternalError(secrets.token_hex(6))
        logger.error("server.failed", extra={"error_id": error.error_id}, exc_info=exception)
        return error

    async def _answer_traced(
        self, body: Body, headers: Mapping[str, str] | None, request_id: str, decompress: Decompress | None
    ) -> bytes:
        tracing = self.executor.tracing
        with tracing.call(headers) as span:
            raw = body if isinstance(body, (bytes, memoryview)) else await body
            with tracing.step("decode"):
                call = read_call(raw if decompress is None else decompress(bytes(raw)), self._max_json_depth)
            span.about(call)
            answer = await self.executor.run(call, request_id=request_id, size=len(raw))
        return encode_reply(answer.events, answer.responses)


@dataclass
class Assembly:
    """The parts of one server, put together and open."""

    settings: Settings
    executor: Executor
    readiness: Readiness
    metrics: Metrics | None = None
    watchdog: LoopWatchdog | None = None

    def __post_init__(self) -> None:
        depth = self.settings.request_limits.max_json_depth
        self.calls = CallHandler(self.executor, max_json_depth=depth, metrics=self.metrics)
        authenticator = Authenticator(self.settings.auth)
        # None if everybody may call.
        self.authenticator = authenticator if authenticator.enabled else None

    def watch(self) -> None:
        """Look after the event loop from now on: starting may keep it busy, and is nobody's mistake."""
        if self.watchdog is not None:
            self.watchdog.start()


@asynccontextmanager
async def assemble(settings: Settings, shared_directory: Path | None = None) -> AsyncIterator[Assembly]:
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
        stack.callback(metrics.fold)
        opened = await open_services(stack, package, settings.services)
        metrics.know((action.name for action in package.registry), "grpc" if settings.grpc else "http")
        options = settings.options
        store = await _open_store(stack, settings, package.registry, options)
        executor = Executor(
            package.registry,
            limits=settings.limits,
            options=options,
            middlewares=package.middlewares,
            services=opened,
            metrics=metrics,
            store=store,
            tracing=_open_tracing(stack, settings),
            privacy=_read_privacy(settings),
            domain_files=DomainFiles(shared_directory / "domains", settings.max_domains) if shared_directory else None,
        )
        stack.callback(executor.close)
        metrics.threads(0, settings.sync_workers)
        count_with(metrics)
        watchdog = _make_watchdog(stack, settings, metrics)
        ping = None if store is None else store.ping
        details = partial(_details, executor, watchdog)
        readiness = Readiness(opened, lambda: executor.admission.is_saturated, details, ping_store=ping)
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


async def _open_store(
    stack: AsyncExitStack, settings: Settings, registry: Registry, options: OptionsTable
) -> IdempotencyStore | None:
    """Open the store of actions that run once, if there is such an action."""
    if not any(options.of(action.name, action.run).idempotent for action in registry):
        return None
    # Here, as a server without such actions need not pay for SQLAlchemy.
    from platformdirs import user_data_dir

    from action_server.idempotency.store import IdempotencyStore

    database = settings.database or Path(user_data_dir("action-server", appauthor=False)) / "server.sqlite3"
    try:
        store = await IdempotencyStore.open(database, where="database")
    except DatabaseError as exc:
        raise SettingsError("database", one_line(exc)) from exc
    stack.push_async_callback(store.close)
    return store


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
