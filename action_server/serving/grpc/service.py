"""The service ``action_server_webhook.ActionService``: serialized requests in, serialized answers out.

gRPC hands over bytes, so that nothing is decoded for callers who may not call, and what is malformed is answered in our
words. A call takes :class:`~action_server.assembly.CallHandler`'s road, as over HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any, TypeAlias

import grpc
from multidict import CIMultiDict
from rasa_sdk.grpc_py.action_webhook_pb2 import StreamChunkAck

from action_server.assembly import Assembly
from action_server.errors import CallError, InternalError, NotJsonableError, RequestError, UnauthorizedError
from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call
from action_server.protocol.protobuf import replies
from action_server.protocol.protobuf.messages import SERVICE
from action_server.protocol.protobuf.requests import read_request
from action_server.protocol.protobuf.structs import TooDeep
from action_server.runtime.dispatcher import Dispatcher
from action_server.serving.grpc.callers import Caller, read_caller
from action_server.serving.grpc.health import HEALTH, Health
from action_server.serving.grpc.rpcs import abort, parse, write
from action_server.serving.grpc.streams import Stream, Streams
from action_server.serving.http.byte_budget import ByteBudget, Share
from action_server.serving.http.client_addresses import ClientAddresses
from action_server.serving.http.refusals import client_gone_error
from action_server.serving.http.request_ids import HEADER
from action_server.telemetry.logs import CallContext, calling

logger = logging.getLogger(__name__)

# grpcio has no types.
Context: TypeAlias = Any
# A response, serialized, or the error that there is instead of one.
_Outcome = tuple[bytes, CallError | None]
_REQUEST_ID = HEADER.lower()
# Of metadata, what a connection says for itself.
_OF_CONNECTION = ("user-agent", "te", "content-type", "accept-encoding", "grpc-accept-encoding", "grpc-timeout")
# In seconds: how long another worker may take to hear of an interruption.
_HANDING_ON = 5.0


class ActionService(grpc.GenericRpcHandler):
    """Serves an assembly's actions; with ``health``, also what asks how it is. To be added to a server."""

    def __init__(self, assembly: Assembly, health: Health | None = None, streams: Streams | None = None) -> None:
        settings = assembly.settings
        self._calls = assembly.calls
        self._executor = assembly.executor
        self._authenticator = assembly.authenticator
        self._addresses = ClientAddresses(settings.trusted_proxies)
        self._depth = settings.request_limits.max_json_depth
        self._barge_in_timeout = settings.barge_in_timeout
        self._budget = ByteBudget(settings.request_limits.max_bytes_in_flight)
        self._streams = streams or Streams()
        # Those whose clients have gone, until they have ended.
        self._leaving: set[asyncio.Task[_Outcome]] = set()
        self._open_methods = health.methods if health is not None else {}
        self._methods = {
            f"/{SERVICE}/Webhook": grpc.unary_unary_rpc_method_handler(self._webhook),
            f"/{SERVICE}/WebhookStream": grpc.unary_stream_rpc_method_handler(self._webhook_stream),
            f"/{SERVICE}/AckStreamChunks": grpc.unary_unary_rpc_method_handler(self._interrupt),
            f"/{SERVICE}/Actions": grpc.unary_unary_rpc_method_handler(self._actions),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Return what answers a method; None if there is none of that name."""
        method = handler_call_details.method
        if method.startswith(f"/{HEALTH}/"):
            return self._open_methods.get(method)
        if self._authenticator is not None:
            headers: CIMultiDict[Any] = CIMultiDict(handler_call_details.invocation_metadata or ())
            try:
                self._authenticator.check(headers)
            except UnauthorizedError as exc:
                # Of a method that is not there as well: what is there is not for everybody to know.
                return self._refusal(exc, self._methods.get(method))
        return self._methods.get(method)

    def _refusal(self, error: UnauthorizedError, handler: grpc.RpcMethodHandler | None) -> grpc.RpcMethodHandler:
        async def refuse(body: bytes, context: Context) -> None:
            caller = self._caller(body, context)
            self._calls.note_error(error, caller.request_id, caller.client)
            await abort(context, error)

        if handler is not None and handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(refuse)
        return grpc.unary_unary_rpc_method_handler(refuse)

    async def _webhook(self, body: bytes, context: Context) -> bytes:
        """Run an action."""
        caller = self._caller(body, context)
        share = Share(self._budget)
        try:
            call = await self._read(body, caller, context, share)
            if call is None:
                return b""
            with calling(_context_of(call, caller)):
                task = asyncio.ensure_future(self._run(call, caller, None))
                try:
                    # gRPC cancels this one when the caller leaves; the action may have to end nevertheless.
                    response, error = await asyncio.shield(task)
                except asyncio.CancelledError:
                    self._leave(task, caller)
                    raise
        finally:
            share.release()
        if error is not None:
            await abort(context, error)
        return response

    async def _webhook_stream(self, body: bytes, context: Context) -> None:
        """Run an action, and send its chunks as they come."""
        caller = self._caller(body, context)
        share = Share(self._budget)
        try:
            call = await self._read(body, caller, context, share)
            if call is not None:
                with calling(_context_of(call, caller)):
                    await self._stream(call, caller, context)
        finally:
            share.release()

    async def _stream(self, call: Call, caller: Caller, context: Context) -> None:
        dispatcher = Dispatcher()
        stream = Stream(dispatcher, self._barge_in_timeout)
        task = asyncio.ensure_future(self._run(call, caller, dispatcher))
        task.add_done_callback(stream.end)
        try:
            await self._send_chunks(stream, context)
            response, error = await asyncio.shield(task)
        except asyncio.TimeoutError:
            logger.warning("stream.cut", extra={"action": call.action, "problem": "it went on after a barge-in"})
            stream.close()
            task.cancel()
            response, error = b"", None
        except BaseException:
            self._leave(task, caller, stream)
            # Always, also if it was cancelled: a handler that returns here leaks memory of gRPC (grpc/grpc#43360).
            raise
        finally:
            self._streams.forget(stream)
        if error is not None:
            await write(context, replies.stream_error(call.action, error.message))
            await abort(context, error)
        await write(context, replies.final_result(response))

    async def _send_chunks(self, stream: Stream, context: Context) -> None:
        while (piece := await stream.take()) is not None:
            event = self._streams.event_of(stream, piece)
            if event is not None:
                await write(context, event)

    async def _interrupt(self, body: bytes, context: Context) -> bytes:
        """Stop the chunks of a response: the user has begun to speak."""
        caller = self._caller(body, context)
        try:
            response_id = parse(StreamChunkAck, body).response_id
        except RequestError as exc:
            await abort(context, self._calls.note_error(exc, caller.request_id, caller.client))
        stream = self._streams.find(response_id)
        if stream is not None:
            stream.interrupt()
        elif address := self._streams.address_of(response_id):
            await self._interrupt_elsewhere(address, body, context)
        return b""

    async def _interrupt_elsewhere(self, address: str, body: bytes, context: Context) -> None:
        """Hand an interruption on to the worker that has the stream, with the caller's credentials."""
        given = context.invocation_metadata() or ()
        metadata = tuple((key, value) for key, value in given if key not in _OF_CONNECTION)
        async with grpc.aio.insecure_channel(address) as channel:
            try:
                await channel.unary_unary(f"/{SERVICE}/AckStreamChunks")(body, metadata=metadata, timeout=_HANDING_ON)
            except grpc.aio.AioRpcError as exc:
                logger.warning("stream.not_interrupted", extra={"problem": exc.code().name})

    async def _actions(self, body: bytes, context: Context) -> bytes:
        """List the actions."""
        self._caller(body, context)
        return replies.encode_actions(action.name for action in self._executor.registry)

    def _caller(self, body: bytes, context: Context) -> Caller:
        caller = read_caller(context, len(body), self._addresses)
        context.set_trailing_metadata(((_REQUEST_ID, caller.request_id),))
        return caller

    async def _read(self, body: bytes, caller: Caller, context: Context, share: Share) -> Call | None:
        """Return the call; None if it names no action. What is no call is aborted."""
        try:
            share.take(len(body))
            call = read_request(body, self._depth, self._executor.domains.float_slots)
        except RequestError as exc:
            await abort(context, self._calls.note_error(exc, caller.request_id, caller.client))
        if call is None:
            logger.warning("call.without_action")
        return call

    async def _run(self, call: Call, caller: Caller, dispatcher: Dispatcher | None) -> _Outcome:
        answer, error = await self._calls.run(
            call,
            transport="grpc",
            headers=caller.headers if self._executor.tracing.is_on else None,
            request_id=caller.request_id,
            client=caller.client,
            engine=caller.engine,
            size=caller.size,
            patience=caller.patience,
            dispatcher=dispatcher,
        )
        return self._serialize(call, caller, answer, error)

    def _serialize(self, call: Call, caller: Caller, answer: Answer | None, error: CallError | None) -> _Outcome:
        if answer is None:
            if error is not None:
                # What was malformed in a part that is read late does not know whose it is.
                error.action = error.action or call.action
            return b"", error
        is_plain = not self._executor.has_middlewares
        try:
            return replies.encode_response(answer.events, answer.responses, is_plain=is_plain), None
        except (TooDeep, NotJsonableError) as exc:
            noted = self._calls.note_error(exc, caller.request_id, caller.client)
            failure = InternalError(noted.error_id or "")
            failure.action = call.action
            return b"", failure

    def _leave(self, task: asyncio.Task[_Outcome], caller: Caller, stream: Stream | None = None) -> None:
        """See to the call of a client that has gone: a stream to nobody is cancelled, else the action's rule holds."""
        if task.done():
            return
        self._leaving.add(task)
        task.add_done_callback(partial(self._note_unheard, caller=caller))
        if stream is not None and stream.has_begun:
            stream.close()
            task.cancel()
            return
        if stream is not None:
            stream.ignore()
        self._executor.disconnects.leave(task)

    def _note_unheard(self, task: asyncio.Task[_Outcome], caller: Caller) -> None:
        self._leaving.discard(task)
        self._calls.note_error(client_gone_error(), caller.request_id, caller.client)


def _context_of(call: Call, caller: Caller) -> CallContext:
    """Return what the log says of lines about a call that are written beside its action."""
    return CallContext(call.action, call.sender_id, "grpc", caller.request_id, caller.size, caller.client)
