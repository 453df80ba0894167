"""Work that is put off for a moment, so that one run of it does for many calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context


class DelayedRun:
    """Runs a function some time after it was first asked for, however often that is; a loop's timer does it.

    Where no event loop runs there is no timer, and nothing is put off. The function may be called by several threads.
    """

    __slots__ = ("_loop", "_run", "_seconds")

    def __init__(self, seconds: float, run: Callable[[], None]) -> None:
        self._seconds = seconds
        self._run = run
        # The loop whose timer is set.
        self._loop: asyncio.AbstractEventLoop | None = None

    def request(self) -> None:
        """Ask for a run."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._run()
            return
        # A loop that was closed before its timer was due never runs it.
        if self._loop is not loop:
            self._loop = loop
            # In an empty context: the one of the call would be kept, and be the work's.
            loop.call_later(self._seconds, self._fire, context=Context())

    def _fire(self) -> None:
        self._loop = None
        self._run()
