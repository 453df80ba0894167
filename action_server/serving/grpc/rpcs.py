"""What methods do with an RPC: read its message, write and abort, to a client that may have gone meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from action_server.errors import CallError, RequestError
from action_server.serving.grpc.statuses import code_of, details_of


def parse(message: Any, body: bytes) -> Any:
    """Return the message of a class that a request's bytes are.

    Raises:
        RequestError: they are none.
    """
    try:
        return message.FromString(body)
    except DecodeError:
        raise RequestError("the request is no message of protobuf as the service publishes it") from None


async def write(context: Any, message: Any) -> None:
    """Send one message of a stream.

    Raises:
        asyncio.CancelledError: the client has gone. gRPC would log the failure of a write that waited for it with a
            traceback.
    """
    try:
        await context.write(message)
    except (grpc.aio.InternalError, grpc.aio.UsageError):
        raise asyncio.CancelledError from None


async def abort(context: Any, error: CallError) -> Any:
    """End an RPC with an error's status; raises always."""
    try:
        await context.abort(code_of(error), details_of(error))
    except (grpc.aio.InternalError, grpc.aio.UsageError):
        raise asyncio.CancelledError from None
