"""``grpc.health.v1.Health``: follows the readiness of the worker, for probes that ask once and for those that watch."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from action_server.errors import RequestError
from action_server.protocol.protobuf.messages import SERVICE
from action_server.runtime.health import Readiness
from action_server.serving.grpc.rpcs import abort, parse, write

HEALTH = "grpc.health.v1.Health"
# The server as a whole, rasa-sdk's name for it, and the service's own.
NAMES = ("", "ActionServer", SERVICE)
# Seconds between two looks for those who watch.
_LOOKING = 1.0
_Status = health_pb2.HealthCheckResponse


class Health:
    """Tells how the worker is, until it is told to say that it stops."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._is_stopping = False
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        options = {"response_serializer": _Status.SerializeToString}
        self.methods: dict[str, grpc.RpcMethodHandler] = {
            f"/{HEALTH}/Check": grpc.unary_unary_rpc_method_handler(self._check, **options),
            f"/{HEALTH}/Watch": grpc.unary_stream_rpc_method_handler(self._watch, **options),
        }

    def stop(self) -> None:
        """Say from now on that the worker does not serve; those who watch are told at once."""
        self._is_stopping = True
        self._changed.set()

    def end_watches(self) -> None:
        """End the calls of those who watch: one that stays open makes the server's stop last for the whole grace."""
        self._ended.set()
        self._changed.set()

    async def _status(self) -> Any:
        if self._is_stopping:
            return _Status.NOT_SERVING
        is_ready, _ = await self._readiness.check()
        return _Status.SERVING if is_ready and not self._is_stopping else _Status.NOT_SERVING

    async def _check(self, body: bytes, context: Any) -> Any:
        if await _service_of(body, context) not in NAMES:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there are the services {', '.join(NAMES[1:])}")
        return _Status(status=await self._status())

    async def _watch(self, body: bytes, context: Any) -> None:
        said, service = None, await _service_of(body, context)
        while not self._ended.is_set():
            status = await self._status() if service in NAMES else _Status.SERVICE_UNKNOWN
            if status != said:
                await write(context, _Status(status=status))
                said = status
            waits_for = self._ended if self._changed.is_set() else self._changed
            try:
                await asyncio.wait_for(waits_for.wait(), _LOOKING)
            except asyncio.TimeoutError:
                continue
        if self._is_stopping and said == _Status.SERVING:
            await write(context, _Status(status=_Status.NOT_SERVING))


async def _service_of(body: bytes, context: Any) -> str:
    """Return the service that a request asks for. gRPC's own parsing would answer UNKNOWN, with a class's name."""
    try:
        service: str = parse(health_pb2.HealthCheckRequest, body).service
    except RequestError as exc:
        await abort(context, exc)
    return service
