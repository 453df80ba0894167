"""A server with actions of every kind, and requests to it byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from rasa_sdk import ActionExecutionRejection
from rasa_sdk.events import SlotSet

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.limits import Limits
from action_server.runtime.registry import Registry
from action_server.serving import worker
from action_server.serving.server import listen

LIMIT = 4_000_000
# With this header a request is the plain route's.
PLAIN = "TE: trailers"


class Gate:
    """Holds up ``action_wait``; new for each server."""

    started: asyncio.Event
    released: asyncio.Event


gate = Gate()


async def echo(dispatcher: Any, tracker: Any, domain: Any) -> Any:
    dispatcher.utter_message(text=tracker.latest_message.get("text"))
    return [SlotSet("seen", tracker.slots)]


def reject(*_: Any) -> None:
    raise ActionExecutionRejection("action_reject", "not now")


def fail(*_: Any) -> None:
    raise RuntimeError("token hunter2")


async def wait(*_: Any) -> list[Any]:
    gate.started.set()
    await gate.released.wait()
    return []


async def large(dispatcher: Any, *_: Any) -> list[Any]:
    dispatcher.utter_message(text="a" * 500_000)
    return []


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[int]:
    """Serve the actions above within the block; gives the port."""
    gate.started, gate.released = asyncio.Event(), asyncio.Event()
    registry = Registry()
    for function in (echo, reject, fail, wait, large):
        registry.register_function(f"action_{function.__name__}", function)
    read = Settings(max_request_bytes=LIMIT, grace=0, **settings)
    executor = Executor(registry, limits=Limits(sync_workers=2), options=read.options)
    assembly = Assembly(read, executor, Readiness())
    sock = listen("127.0.0.1", 0)
    try:
        async with worker.serve_http(assembly, sock, f"test-{uuid4().hex}", only_one=False):
            yield sock.getsockname()[1]
    finally:
        executor.close()
        sock.close()


def body_of(action: object = "action_echo", **slots: Any) -> bytes:
    tracker = {"sender_id": "s", "slots": slots, "latest_message": {"text": "hi"}}
    return json.dumps({"next_action": action, "tracker": tracker, "version": "3.21.0"}).encode()


GOOD = body_of()


def request(body: bytes = GOOD, *headers: str, line: str = "POST /webhook HTTP/1.1", framed: bool = True) -> bytes:
    lines = [line, "Host: x", *headers, *([f"Content-Length: {len(body)}"] if framed else [])]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Connection:
    """A client's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[str, dict[str, str], Any]:
        """Return status line, headers and body of the next answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)
        status, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), 30)
        return status, headers, json.loads(body)

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 30) == b""


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


async def exchange(port: int, data: bytes) -> tuple[str, dict[str, str], Any]:
    async with connected(port) as connection:
        connection.send(data)
        return await connection.answer()
