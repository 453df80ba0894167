"""What is streamed while an action runs: its chunks on their way to the client, and the way back by the stream's id."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

from action_server.errors import NotJsonableError
from action_server.protocol.protobuf import replies
from action_server.protocol.protobuf.structs import TooDeep
from action_server.runtime.dispatcher import Dispatcher

logger = logging.getLogger(__name__)

# Chunks that wait for the client: the engine's own number. The transport takes about 4 MiB more.
WAITING = 32
_WORKER = re.compile(r"([0-9a-f]{1,8})-[0-9a-f]{32}")
Piece = dict[str, Any]


class Stream:
    """The chunks of one call, from its action to its client. An action that is too fast waits for its client.

    ``has_begun`` is true once the action has streamed anything; ``is_interrupted`` once the user has interrupted it,
    and then the action has ``barge_in_timeout`` seconds to end.
    """

    def __init__(self, dispatcher: Dispatcher, barge_in_timeout: float) -> None:
        self._dispatcher = dispatcher
        self._barge_in_timeout = barge_in_timeout
        # A piece, or None for whatever else wakes whoever takes them.
        self._pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(WAITING)
        self._deadline: float | None = None
        self._is_closed = False
        self._is_over = False
        self._is_deaf = False
        self.has_begun = False
        self.response_id = ""
        dispatcher._stream_sink = self.put

    @property
    def is_interrupted(self) -> bool:
        """Whether the user has interrupted the assistant."""
        return self._deadline is not None

    async def put(self, piece: Piece) -> None:
        """Take a piece of the action's, once there is room for it."""
        if self._is_deaf:
            return
        self.has_begun = True
        await self._room.acquire()
        if self._is_closed:
            self._room.release()
            raise asyncio.CancelledError
        self._pieces.put_nowait(piece)

    def end(self, _: object = None) -> None:
        """Take note that the action has ended."""
        self._is_over = True
        self._pieces.put_nowait(None)

    def interrupt(self) -> None:
        """Stop the action at its next chunk; nothing of what waits is sent any more."""
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._barge_in_timeout
            self._dispatcher.cancel_stream()
            self._pieces.put_nowait(None)

    def ignore(self) -> None:
        """Drop whatever is streamed from now on: the client has gone, and the action is to end by itself."""
        self._is_deaf = True
        self._dispatcher.cancel_stream()

    def close(self) -> None:
        """Let nobody stream any more: the client has gone. Who waits for room is cancelled."""
        self._is_closed = True
        self._dispatcher.cancel_stream()
        self._room.release()

    async def take(self) -> Piece | None:
        """Return the next piece that is to be sent; None when the action has ended.

        Raises:
            asyncio.TimeoutError: it was interrupted, and goes on for too long.
        """
        while True:
            piece = await self._wait()
            if piece is not None:
                self._room.release()
                if not self.is_interrupted:
                    return piece
            elif self._is_over and self._pieces.empty():
                return None

    async def _wait(self) -> Piece | None:
        if self._deadline is None or self._is_over:
            return await self._pieces.get()
        left = self._deadline - asyncio.get_running_loop().time()
        return await asyncio.wait_for(self._pieces.get(), max(0.0, left))


class Streams:
    """The streams that run in this worker, by the id that the client knows them by.

    A client opens a connection for each call, which may reach another worker than its stream has: so the id says which
    worker that is, and with a ``directory`` that all of them share, each has a socket of its own there.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._by_id: dict[str, Stream] = {}
        self._directory = directory

    @property
    def own_address(self) -> str | None:
        """The address, in gRPC's form, that other workers find this one at; None without others."""
        return self._address(f"{os.getpid():x}")

    def address_of(self, response_id: str) -> str | None:
        """Return the address of another worker that has the stream of an id; None if there is none."""
        worker = _WORKER.fullmatch(response_id)
        address = self._address(worker[1]) if worker is not None else None
        is_there = address is not None and os.path.exists(address.removeprefix("unix:"))
        return address if is_there and address != self.own_address else None

    def _address(self, worker: str) -> str | None:
        return None if self._directory is None else f"unix:{self._directory / f'grpc-{worker}.sock'}"

    def find(self, response_id: str) -> Stream | None:
        """Return the stream of an id; None if it has ended, or runs elsewhere."""
        return self._by_id.get(response_id)

    def event_of(self, stream: Stream, piece: Piece) -> bytes | None:
        """Return the serialized event for a piece of a stream, and know the stream by its id; None if there is none."""
        kind = piece["event"]
        if kind == "stream_start":
            self.forget(stream)
            stream.response_id = f"{os.getpid():x}-{uuid4().hex}"
            self._by_id[stream.response_id] = stream
            return replies.chunk_start(stream.response_id)
        if kind == "stream_end":
            self.forget(stream)
            return replies.chunk_end(stream.response_id)
        try:
            return replies.chunk(stream.response_id, piece)
        except (TooDeep, NotJsonableError) as exc:
            problem = str(exc) or "it nests deeper than a message of gRPC can"
            logger.warning("stream.chunk_lost", extra={"problem": problem})
            return None

    def forget(self, stream: Stream) -> None:
        """Know a stream by its id no longer."""
        self._by_id.pop(stream.response_id, None)
