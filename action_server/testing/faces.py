"""Faces: the ways by which a call reaches an action. A test says which; each one is the server's own.

A new face is a :class:`Face`, and a line in :data:`FACES`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from action_server.assembly import Assembly
from action_server.errors import SettingsError
from action_server.nearest import did_you_mean
from action_server.telemetry.durations import milliseconds_since
from action_server.testing.face import Face, FaceReply
from action_server.testing.mcp_face import McpFace


class WebhookFace:
    """HTTP's way, from the body on: the decoder, the executor and the encoder of ``POST /webhook``."""

    def __init__(self, assembly: Assembly, stack: AsyncExitStack) -> None:
        self._calls = assembly.calls

    async def send(self, call: Mapping[str, Any]) -> FaceReply:
        """Answer the body."""
        start = time.perf_counter()
        status, body, error = await self._calls.answer(json.dumps(call, default=str).encode("ascii"))
        return FaceReply(status, json.loads(body), milliseconds_since(start), error)


class GrpcFace:
    """gRPC, over a socket of this host: the service as the server has it."""

    def __init__(self, assembly: Assembly, stack: AsyncExitStack) -> None:
        self._assembly = assembly
        self._stack = stack
        self._stub: Any = None

    async def send(self, call: Mapping[str, Any]) -> FaceReply:
        """Send the request as protobuf."""
        # Here, as most tests need not pay for gRPC.
        import grpc
        from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
        from rasa_sdk.grpc_py import action_webhook_pb2

        if self._stub is None:
            self._stub = await self._open()
        start = time.perf_counter()
        try:
            request = ParseDict(dict(call), action_webhook_pb2.WebhookRequest(), ignore_unknown_fields=True)
        except ParseError as exc:
            raise SettingsError(
                "face='grpc'", "an engine cannot send this call: gRPC's form of it does not fit"
            ) from exc
        try:
            response = await self._stub.Webhook(request)
        except grpc.aio.AioRpcError as exc:
            return _reply_of(exc, str(call.get("next_action")), milliseconds_since(start))
        body = MessageToDict(response, preserving_proto_field_name=True)
        found = {"events": body.get("events", []), "responses": body.get("responses", [])}
        return FaceReply(200, found, milliseconds_since(start))

    async def _open(self) -> Any:
        import grpc
        from rasa_sdk.grpc_py import action_webhook_pb2_grpc

        from action_server.serving.grpc.service import ActionService

        server = grpc.aio.server()
        server.add_generic_rpc_handlers((ActionService(self._assembly),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._stack.push_async_callback(server.stop, None)
        channel = await self._stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        return action_webhook_pb2_grpc.ActionServiceStub(channel)


def _reply_of(error: Any, action: str, milliseconds: float) -> FaceReply:
    """Return what HTTP would have answered: the details are JSON where the service knows the error."""
    try:
        details = json.loads(error.details())
    except (TypeError, ValueError):
        body = {"error": error.details(), "action_name": action}
        return FaceReply(500, body, milliseconds)
    body = {"error": details.get("message"), "action_name": details.get("action_name")}
    if "error_id" in details:
        body["error_id"] = details["error_id"]
    status = _STATUSES.get(error.code().name, 500)
    if status == 404 and details.get("resource_type") == "DOMAIN":
        status = 449
    # A rejection and a failure have one status; only what failed has an id of the log.
    if status == 500 and "error_id" not in details:
        status = 400
    return FaceReply(status, body, milliseconds)


# HTTP's words for gRPC's.
_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 503,
    "ABORTED": 503,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "FAILED_PRECONDITION": 500,
}

FACES: dict[str, Callable[[Assembly, AsyncExitStack], Face]] = {
    "webhook": WebhookFace,
    "grpc": GrpcFace,
    "mcp": McpFace,
}


def face_named(name: str) -> Callable[[Assembly, AsyncExitStack], Face]:
    """Return what makes a face.

    Raises:
        SettingsError: there is none of this name.
    """
    if name not in FACES:
        hint = did_you_mean(name, FACES) or f"; there are {', '.join(FACES)}"
        raise SettingsError(f"face={name!r}", f"is no way to call an action{hint}")
    return FACES[name]
