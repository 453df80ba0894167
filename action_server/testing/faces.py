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
from action_server.testing.grpc_call import send_over_grpc
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
        if self._stub is None:
            self._stub = await self._open()
        return await send_over_grpc(self._stub, call, "gRPC")

    async def _open(self) -> Any:
        # Here, as most tests need not pay for gRPC.
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
