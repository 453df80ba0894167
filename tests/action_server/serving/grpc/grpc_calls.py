"""A gRPC server in this process, and what its tests send and read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from rasa_sdk.grpc_py import action_webhook_pb2 as pb
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.protocol.domains import Domains
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from action_server.serving.grpc.server import serve_grpc
from tests.action_server.serving.grpc.test_service import free_port

PATIENCE = 30.0
Run = Callable[..., Any]


@asynccontextmanager
async def served(
    actions: Mapping[str, Run], domain: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[tuple[Any, Assembly]]:
    """Serve functions as actions; gives a stub and the assembly, whose address is its settings'."""
    registry = Registry()
    for name, run in actions.items():
        registry.register_function(name, run)
    given = Settings(**{"grace": 0, "host": "127.0.0.1", "port": free_port(), "grpc": True, **settings})
    executor = Executor(
        registry, limits=given.limits, options=given.options, domains=Domains(16, None, domain), joins_chunks=True
    )
    assembly = Assembly(given, executor, Readiness())
    async with serve_grpc(assembly), grpc.aio.insecure_channel(f"127.0.0.1:{given.port}") as channel:
        yield action_webhook_pb2_grpc.ActionServiceStub(channel), assembly
    executor.close()


def request(action: str, tracker: Mapping[str, Any] | None = None, **fields: Any) -> pb.WebhookRequest:
    call = {"next_action": action, "sender_id": "s", "version": "3.21.0", **fields}
    return ParseDict({**call, "tracker": {"sender_id": "s", **(tracker or {})}}, pb.WebhookRequest())


async def answered(stub: Any, sent: pb.WebhookRequest) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(await stub.Webhook(sent, timeout=PATIENCE), preserving_proto_field_name=True)
    return found


async def failed(rpc: Any) -> grpc.aio.AioRpcError:
    """Return how a call failed."""
    try:
        await rpc
    except grpc.aio.AioRpcError as exc:
        return exc
    raise AssertionError("it did not fail")


async def until(is_so: Callable[[], object]) -> None:
    async def poll() -> None:
        while not is_so():  # noqa: ASYNC110 - a server sets no event for tests
            await asyncio.sleep(0.005)

    await asyncio.wait_for(poll(), PATIENCE)
