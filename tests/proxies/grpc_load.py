"""Calls over gRPC that each leave a mark, sent without a pause through a proxy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from tests.engine_calls import grpc_request
from tests.proxies.load import Books

_LONGEST = 60.0


async def call_grpc_while(
    target: str, marks: Path, work: Callable[[], Awaitable[None]], *, callers: int = 8, stream: bool = False
) -> Books:
    """Send calls one after another from each caller, each on a channel of its own, until ``work`` is done.

    ``target`` is host and port; the rest is as for :func:`tests.proxies.load.call_while`. With ``stream`` the calls are
    those whose chunks come one by one.
    """
    marks.write_bytes(b"")  # noqa: ASYNC240 (nothing runs yet)
    books = Books()
    done = asyncio.Event()

    async def caller(number: int) -> None:
        # Channels to one address share a connection unless they differ in something.
        async with grpc.aio.insecure_channel(target, options=[("caller", number)]) as channel:
            stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
            count = 0
            while not done.is_set():
                name = f"{number}-{count}"
                count += 1
                await _call(stub, name, books, stream)

    tasks = [asyncio.create_task(caller(number)) for number in range(callers)]
    try:
        await work()
    finally:
        done.set()
        await asyncio.gather(*tasks)
    books.marks = Counter(marks.read_text(encoding="utf-8").split())  # noqa: ASYNC240 (all is over)
    return books


async def _call(stub: action_webhook_pb2_grpc.ActionServiceStub, name: str, books: Books, stream: bool) -> None:
    request = grpc_request("action_mark", sender=name)
    try:
        if stream:
            text = "".join([str(event) async for event in stub.WebhookStream(request, timeout=_LONGEST)])
        else:
            text = str(await stub.Webhook(request, timeout=_LONGEST))
    except grpc.aio.AioRpcError as exc:
        books.refused[name] = f"{exc.code().name}: {(exc.details() or '')[:60]}"
        return
    if name in text:
        books.answered.add(name)
    else:
        # An answer without the call's own mark is somebody else's, or none.
        books.refused[name] = f"OK {text[:80]}"
