"""A call whose answer streams: take some chunks, interrupt it, look at the result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, TypeVar

from action_server.assembly import Assembly
from action_server.errors import ActionRejectedError
from action_server.protocol.calls import call_from
from action_server.runtime.dispatcher import Dispatcher
from action_server.telemetry.durations import milliseconds_since
from action_server.testing.background_loop import BackgroundLoop
from action_server.testing.result import CallAbout, CallResult, result_of

T = TypeVar("T")
_END = ("stream_done", "stream_error")


class _Sink:
    """What an action streams into: it goes on when the next piece is asked for, so that a test decides how far."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._is_asked = asyncio.Event()
        self.is_read = True

    async def put(self, piece: dict[str, Any]) -> None:
        """Take a piece, and wait until it was taken and the next one is asked for."""
        self._is_asked.clear()
        await self._pieces.put(piece)
        if piece["event"] not in _END and self.is_read:
            await self._is_asked.wait()

    async def get(self) -> dict[str, Any]:
        """Return the next piece."""
        if self._pieces.empty():
            self._is_asked.set()
        return await self._pieces.get()


class ActionStream:
    """One call; an async context manager. Its chunks are iterated, or taken by number.

    ``chunks`` are those that were taken: objects with text, buttons and so on. ``text`` is what they say together.
    """

    def __init__(self, loop: BackgroundLoop, assembly: Assembly, call: Mapping[str, Any], about: CallAbout) -> None:
        self._loop = loop
        self._executor = assembly.executor
        self._call = dict(call)
        self._about = about
        self._dispatcher = Dispatcher()
        self._sink = _Sink()
        self._dispatcher._stream_sink = self._sink.put
        self._start = time.perf_counter()
        self._task: asyncio.Task[None] | None = None
        self._end: dict[str, Any] | None = None
        self.chunks: list[dict[str, Any]] = []

    @property
    def text(self) -> str:
        """Return the texts of the chunks that were taken, as one."""
        return "".join(chunk.get("text") or "" for chunk in self.chunks)

    async def __aenter__(self) -> ActionStream:
        await self._there(self._begin())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._there(self._stop())

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        while (chunk := await self._there(self._next())) is not None:
            yield chunk

    async def take(self, number: int) -> list[dict[str, Any]]:
        """Return the next chunks, fewer if there are no more."""
        found: list[dict[str, Any]] = []
        while len(found) < number and (chunk := await self._there(self._next())) is not None:
            found.append(chunk)
        return found

    async def interrupt(self) -> CallResult:
        """Stop the stream as a user does who begins to speak, and return what the action answers then."""
        self._dispatcher.cancel_stream()
        return await self.result()

    async def result(self) -> CallResult:
        """Return the answer, once the action has ended; chunks that nobody took are passed over."""
        return await self._there(self._finish())

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(self._loop.start(work))

    async def _begin(self) -> None:
        async def run() -> None:
            try:
                answer = await self._executor.run(call_from(self._call), transport="grpc", dispatcher=self._dispatcher)
                end: dict[str, Any] = {"event": "stream_done", "result": answer}
            except Exception as exc:  # noqa: BLE001 - told to whoever waits for the end
                end = {"event": "stream_error", "exception": exc}
            await self._sink.put(end)

        self._task = asyncio.create_task(run())

    async def _next(self) -> dict[str, Any] | None:
        while self._end is None:
            piece = await self._sink.get()
            if piece["event"] in _END:
                self._end = piece
            elif piece["event"] == "stream_chunk":
                chunk = {key: value for key, value in piece.items() if key != "event" and value}
                self.chunks.append(chunk)
                return chunk
        return None

    async def _finish(self) -> CallResult:
        taken = list(self.chunks)
        while await self._next() is not None:
            pass
        self.chunks[:] = taken
        assert self._end is not None  # noqa: S101 - `_next` gave None
        milliseconds = milliseconds_since(self._start)
        if self._end["event"] == "stream_done":
            answer = self._end["result"]
            body = {"events": answer.events, "responses": answer.responses}
            return result_of(200, body, milliseconds, self._about)
        error = self._end["exception"]
        if isinstance(error, ActionRejectedError):
            body = {"error": error.message, "action_name": error.action}
            return result_of(400, body, milliseconds, self._about)
        raise error.__cause__ or error

    async def _stop(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
