"""gRPC: rasa-sdk's own service over our executor."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from multidict import CIMultiDict
from rasa_sdk import ActionExecutionRejection
from rasa_sdk.executor import ActionExecutorRunResult, ActionName, CollectingDispatcher
from rasa_sdk.grpc_py import action_webhook_pb2_grpc
from rasa_sdk.grpc_server import GRPC_ACTION_SERVER_NAME, GRPCActionServerWebhook
from rasa_sdk.interfaces import ActionMissingDomainException, ActionNotFoundException

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.errors import (
    ActionNotFoundError,
    ActionRejectedError,
    CallError,
    MissingDomainError,
    SettingsError,
    UnauthorizedError,
)
from action_server.protocol.calls import call_from, encode_error, encode_reply
from action_server.runtime.disconnects import Disconnects
from action_server.runtime.executor import Executor
from action_server.security.auth import Authenticator
from action_server.security.secrets import read_bytes
from action_server.security.tls import TlsFiles
from action_server.security.watched_files import WatchedFiles
from action_server.serving.http.client_addresses import ClientAddresses
from action_server.serving.http.refusals import client_gone_error
from action_server.serving.stopping.sockets import has_connections, listening_sockets, stop_listening
from action_server.serving.stopping.stop_signal import Stop

logger = logging.getLogger(__name__)

# How old a connection may become, by default and where workers are replaced; 10 % more or less, by gRPC's own dice.
_OLDEST_CONNECTION_MS = 2000
_OLDEST_CONNECTION_OF_RELOADS_MS = 1000
# In seconds: how long a worker that stops waits for its connections to go, and how often it looks.
_MOVING = 3.0
_LOOKING = 0.02
_OPEN_SERVICE = "/grpc.health."

# What rasa-sdk's service answers with a status of its own; any other error is INTERNAL there.
_SDK_EXCEPTIONS: dict[type, Callable[[str, str], Exception]] = {
    ActionRejectedError: ActionExecutionRejection,
    ActionNotFoundError: ActionNotFoundException,
    MissingDomainError: ActionMissingDomainException,
}

Sink = asyncio.Queue[dict[str, Any]]

# The address of who called, of the RPC that runs here: rasa-sdk's service does not hand it on.
_client: ContextVar[str] = ContextVar("action_server_grpc_client", default="")


class SdkExecutor:
    """What rasa-sdk's gRPC service takes for its ``ActionExecutor``: the same methods, run by ours.

    Errors leave it as rasa-sdk's exceptions, which that service knows how to answer. Any other is ours and holds no
    values, so that its text may travel.
    """

    def __init__(self, executor: Executor, note_error: Callable[..., object] | None = None) -> None:
        self._executor = executor
        # Tells the log of callers that have left.
        self._note_error = note_error

    async def run(
        self,
        action_call: dict[str, Any],
        sink: Sink | None = None,
        dispatcher: CollectingDispatcher | None = None,
    ) -> ActionExecutorRunResult | None:
        """Run an action; ``None`` if the call names none. With a ``sink`` its chunks and its end go there too."""
        if not action_call.get("next_action"):
            logger.warning("call.without_action")
            return None
        # A task of its own: gRPC cancels the one it called this from when the caller leaves.
        task = asyncio.ensure_future(self._run(action_call, sink, dispatcher or CollectingDispatcher()))
        try:
            result = await asyncio.shield(task)
        except asyncio.CancelledError:
            if dispatcher is not None and dispatcher.is_streaming_cancelled:
                # The user interrupted it, and it streams on for too long: nobody has left.
                task.cancel()
            elif not task.done():
                self._executor.disconnects.leave(task)
                task.add_done_callback(partial(self._note_unheard, client=_client.get()))
            raise
        except Exception as exc:
            if sink is not None:
                await sink.put({"event": "stream_error", "exception": exc})
            raise
        if sink is not None:
            await sink.put({"event": "stream_done", "result": result})
        return result

    async def _run(
        self, action_call: dict[str, Any], sink: Sink | None, dispatcher: CollectingDispatcher
    ) -> ActionExecutorRunResult:
        recorder = self._executor.recorder
        seen = recorder.begin("grpc") if recorder is not None else None
        if seen is None:
            return await self._run_call(action_call, sink, dispatcher)
        # Now: the action may change what it gets.
        seen.body = json.dumps(action_call).encode()
        try:
            result = await self._run_call(action_call, sink, dispatcher)
        except Exception as exc:
            seen.end(*_reply_of(exc))
            raise
        seen.end(200, encode_reply(result.events, result.responses))
        return result

    async def _run_call(
        self, action_call: dict[str, Any], sink: Sink | None, dispatcher: CollectingDispatcher
    ) -> ActionExecutorRunResult:
        if sink is not None:
            dispatcher._stream_sink = sink.put
        try:
            with self._executor.tracing.call() as span:
                call = call_from(action_call)
                span.about(call)
                answer = await self._executor.run(call, transport="grpc", dispatcher=dispatcher, client=_client.get())
        except CallError as exc:
            known = next((_SDK_EXCEPTIONS[cls] for cls in type(exc).__mro__ if cls in _SDK_EXCEPTIONS), None)
            if known is None:
                raise
            raise known(exc.action, exc.message) from exc
        return ActionExecutorRunResult(events=answer.events, responses=answer.responses)

    def _note_unheard(self, _: object, client: str) -> None:
        if self._note_error is not None:
            self._note_error(client_gone_error(), client=client)

    def list_actions(self) -> list[ActionName]:
        """List the registered actions."""
        return [ActionName(name=action.name) for action in self._executor.registry]


def _reply_of(exc: Exception) -> tuple[int, bytes]:
    """Return what HTTP would have answered: recordings are of one form for both."""
    cause = exc if isinstance(exc, CallError) else exc.__cause__
    return (cause.status, encode_error(cause)) if isinstance(cause, CallError) else (500, b"")


class _Caller(Protocol):
    """What an RPC's context tells of who called."""

    def peer(self) -> str:
        """Return the address in gRPC's words: family, address, port."""
        ...

    def invocation_metadata(self) -> Any:
        """Return names and values."""
        ...


class ActionService(GRPCActionServerWebhook):
    """rasa-sdk's service over an assembly's executor, which also knows who calls."""

    def __init__(self, assembly: Assembly) -> None:
        super().__init__(
            SdkExecutor(assembly.executor, assembly.calls.note_error), False, assembly.executor.tracing.provider
        )
        self._addresses = ClientAddresses(assembly.settings.trusted_proxies)

    async def Webhook(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802 - the protocol's name
        """Run an action."""
        # Each RPC has a context of its own.
        _client.set(caller_of(context, self._addresses))
        return await super().Webhook(request, context)

    async def WebhookStream(self, request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:  # noqa: N802
        """Run an action, and send its chunks as they come."""
        _client.set(caller_of(context, self._addresses))
        async with aclosing(super().WebhookStream(request, context)) as events:
            async for event in events:
                yield event


def caller_of(context: _Caller, addresses: ClientAddresses) -> str:
    """Return the address an RPC came from: the connection's, or what a trusted proxy says of it in the metadata."""
    family, _, address = unquote(context.peer() or "").partition(":")
    if family not in ("ipv4", "ipv6"):
        return ""
    peer = address.rpartition(":")[0].strip("[]")
    if not addresses.is_proxy(peer):
        return peer
    told: CIMultiDict[Any] = CIMultiDict(context.invocation_metadata() or ())
    names = ("forwarded", "x-forwarded-for")
    return addresses.client(peer, {name: ", ".join(map(str, told.getall(name, []))) for name in names})


class _Authentication(grpc.aio.ServerInterceptor):
    """Lets nobody in without a credential, except for health checks."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """Pass the call on, or answer UNAUTHENTICATED."""
        if not details.method.startswith(_OPEN_SERVICE):
            headers: CIMultiDict[Any] = CIMultiDict(details.invocation_metadata)
            try:
                self._authenticator.check(headers)
            except UnauthorizedError as exc:
                logger.warning("call.refused", extra={"transport": "grpc", "problem": "no valid credential"})
                return _refusal(await continuation(details), exc.message)
        return await continuation(details)


def _refusal(handler: grpc.RpcMethodHandler, message: str) -> grpc.RpcMethodHandler:
    """Return a handler of the same shape that only says no."""

    async def refuse(_: Any, context: grpc.aio.ServicerContext) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, message)

    async def refuse_stream(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        await refuse(request, context)
        yield

    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(
            refuse_stream, handler.request_deserializer, handler.response_serializer
        )
    return grpc.unary_unary_rpc_method_handler(refuse, handler.request_deserializer, handler.response_serializer)


class GrpcServer:
    """Serves gRPC on sockets of its own."""

    def __init__(
        self,
        server: grpc.aio.Server,
        checks: health.aio.HealthServicer,
        settings: Settings,
        disconnects: Disconnects,
        listening: frozenset[int],
    ) -> None:
        self._server = server
        self._checks = checks
        self._grace = settings.grace
        # Without a delay connections do not become old.
        self._moving = min(_MOVING, settings.grace) if settings.drain_delay else 0.0
        self._disconnects = disconnects
        self._listening = listening
        self._way = Stop.NOW
        self._stopped: asyncio.Future[None] | None = None

    async def announce(self, way: Stop) -> None:
        """Let clients know that this worker stops: its health is NOT_SERVING, unless others have taken over."""
        self._way = way
        if way is Stop.RETIRE:
            await self._let_connections_move(_MOVING)
            self._stopped = asyncio.ensure_future(self._server.stop(self._grace))
            await asyncio.sleep(0)
        else:
            await self._checks.enter_graceful_shutdown()

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
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace
        await self._checks.enter_graceful_shutdown()
        if self._way is Stop.DRAIN and self._moving:
            await self._let_connections_move(self._moving)
        await (self._stopped or self._server.stop(max(0.0, deadline - loop.time())))
        await self._disconnects.drain(deadline - loop.time())
        for _ in range(await self._disconnects.cut()):
            logger.warning("call.cut", extra={"problem": f"still running after {self._grace} s of grace"})


@asynccontextmanager
async def serve_grpc(assembly: Assembly) -> AsyncIterator[GrpcServer]:
    """Serve gRPC within the block; afterwards running calls get the settings' ``grace``.

    Raises:
        SettingsError: the address cannot be had, or a file cannot be read.
    """
    settings, executor = assembly.settings, assembly.executor
    server = grpc.aio.server(
        interceptors=[_Authentication(assembly.authenticator)] if assembly.authenticator is not None else [],
        compression=grpc.Compression.Gzip,
        options=_options(settings),
    )
    action_webhook_pb2_grpc.add_ActionServiceServicer_to_server(ActionService(assembly), server)
    checks = health.aio.HealthServicer()
    for name in ("", GRPC_ACTION_SERVER_NAME):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    before = listening_sockets()
    _listen(server, settings)
    await server.start()
    listening = listening_sockets() - before
    serving = GrpcServer(server, checks, settings, executor.disconnects, listening)
    try:
        yield serving
    finally:
        await serving.drain()


def _options(settings: Settings) -> list[tuple[str, int]]:
    options = [("grpc.max_receive_message_length", settings.max_request_bytes), ("grpc.so_reuseport", 1)]
    if settings.auto_reload or settings.drain_delay:
        # A worker that stops has to lose its connections soon, and gRPC has no other way to send them elsewhere.
        oldest = _OLDEST_CONNECTION_OF_RELOADS_MS if settings.auto_reload else _OLDEST_CONNECTION_MS
        options.append(("grpc.max_connection_age_ms", oldest))
    return options


def _listen(server: grpc.aio.Server, settings: Settings) -> None:
    address = f"{settings.host}:{settings.port}" if ":" not in settings.host else f"[{settings.host}]:{settings.port}"
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
