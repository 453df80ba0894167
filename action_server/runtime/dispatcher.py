"""The dispatcher that actions get: rasa-sdk's own, which also streams from synchronous actions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator, Iterable, Mapping
from threading import get_ident
from typing import Any

from rasa_sdk.executor import CollectingDispatcher

# Of a chunk, beside its text: lists that become one list. Of any other key a message has one.
_LISTS = ("buttons", "elements")


class Dispatcher(CollectingDispatcher):
    """Collects messages; chunks of a stream go to whoever listens, or become messages at the stream's end.

    ``stream_start``, ``stream_chunk`` and ``stream_end`` may be called without ``await`` in synchronous actions: there
    they return when the chunk is taken.
    """

    _stream_accumulated_chunks: list[dict[str, Any]]
    # Of the class until they change: a constructor would cost each call a function.
    # Set for a synchronous action: its thread waits for the event loop, which is whose.
    _waits_for: tuple[asyncio.AbstractEventLoop, int] | None = None
    _is_interrupted = False

    def wait_on_thread(self) -> None:
        """Let a synchronous action stream: from its thread, to the event loop that runs here."""
        self._waits_for = (asyncio.get_running_loop(), get_ident())

    def cancel_stream(self) -> None:
        """Drop what is still streamed, also in a stream that begins later: the user has interrupted the assistant."""
        self._is_interrupted = True
        super().cancel_stream()

    def stream_start(self) -> Awaitable[None]:
        """Begin a streamed response."""
        return self._step(self._start())

    def stream_chunk(self, *args: Any, **kwargs: Any) -> Awaitable[None]:
        """Send a piece of the response; what it takes is what rasa-sdk's takes."""
        return self._step(super().stream_chunk(*args, **kwargs))

    def stream_end(self) -> Awaitable[None]:
        """End a streamed response."""
        return self._step(super().stream_end())

    async def _start(self) -> None:
        await super().stream_start()
        self._stream_cancelled = self._is_interrupted

    def _step(self, work: Coroutine[Any, Any, None]) -> Awaitable[None]:
        if self._stream_sink is None:
            # It waits for nothing, so that it may run right here, whoever calls.
            try:
                work.send(None)
            except StopIteration:
                return _DONE
            raise RuntimeError("a stream without a listener waits for something")
        if self._waits_for is None or self._waits_for[1] == get_ident():
            return work
        asyncio.run_coroutine_threadsafe(work, self._waits_for[0]).result()
        return _DONE


class JoiningDispatcher(Dispatcher):
    """Joins the chunks of a stream that nobody listens to: they become as few messages as hold them, not one each."""

    def stream_end(self) -> Awaitable[None]:
        """End a streamed response."""
        if self._stream_sink is None:
            self._stream_accumulated_chunks = join(self._stream_accumulated_chunks)
        return super().stream_end()


class _Done:
    """What is over already, for those who await it."""

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]


_DONE = _Done()


def join(chunks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return chunks as few messages: texts and lists one after the other; a second image, say, begins a new message."""
    messages: list[dict[str, Any]] = []
    for chunk in chunks:
        plain = {key: value for key, value in chunk.items() if value is not None}
        if not messages or any(key in messages[-1] and key not in ("text", *_LISTS) for key in plain):
            messages.append({})
        message = messages[-1]
        for key, value in plain.items():
            if key == "text":
                message[key] = f"{message.get(key, '')}{value}"
            elif key in _LISTS:
                message[key] = [*message.get(key, ()), *value]
            else:
                message[key] = value
    return messages
