"""How a worker is told to stop, and in which of three ways."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from multiprocessing.connection import Connection

logger = logging.getLogger(__name__)


class Stop(Enum):
    """A way to stop.

    - ``DRAIN``: say that it stops, and take calls for the time in which balancers notice. What SIGTERM means.
    - ``NOW``: take no more calls. What Ctrl-C means.
    - ``RETIRE``: other workers have taken over. Listen no more, but let clients that have a connection notice.

    Each lets the calls that run finish.
    """

    DRAIN = "drain"
    NOW = "now"
    RETIRE = "retire"


_MEANINGS = {signal.SIGINT: Stop.NOW}


class StopSignal:
    """Tells a worker to stop, once to drain. Reacts to the ``signals``.

    A worker on its own ends at once when it is told again during the drain. One that has a ``parent``, the process that
    started it, does not: it gets the signal from its parent and, under systemd for one, from outside as well. The
    parent sends a :class:`Stop` through the pipe, and ``confirm`` tells it that it was heard; the worker also stops
    when its parent is gone.
    """

    def __init__(
        self,
        *signals: signal.Signals,
        parent: Connection | None = None,
        confirm: Callable[[], None] = lambda: None,
    ) -> None:
        self._signals = signals
        self._parent = parent
        self._confirm = confirm
        self._way = Stop.DRAIN
        self._told = asyncio.Event()
        self._at_once = asyncio.Event()
        self._draining = False
        # Whether signals are heard here; before, Ctrl-C is a KeyboardInterrupt as anywhere.
        self.is_armed = False
        # The loop of the main thread, if that is not the one that serves: Python handles signals in the main thread.
        self.home: asyncio.AbstractEventLoop | None = None

    @property
    def is_supervised(self) -> bool:
        """Whether another process starts this worker and waits for it."""
        return self._parent is not None

    def arm(self) -> None:
        """Listen from now on; to be called on the running event loop."""
        self.is_armed = True
        loop = asyncio.get_running_loop()
        if self.home is not None:
            self.home.call_soon_threadsafe(self._arm_home, self.home, loop)
        else:
            for number in self._signals:
                loop.add_signal_handler(number, self.stop, _MEANINGS.get(number, Stop.DRAIN))
        if self._parent is not None:
            loop.add_reader(self._parent.fileno(), self._hear_parent)

    def _arm_home(self, home: asyncio.AbstractEventLoop, server: asyncio.AbstractEventLoop) -> None:
        for number in self._signals:
            # A signal wakes the loop; the handler does not wait for it, as an action may be running there.
            home.add_signal_handler(number, lambda: None)
            signal.signal(number, lambda number, _: self._stop_from_home(server, signal.Signals(number)))

    def _stop_from_home(self, server: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
        # A loop that is closed has stopped.
        with suppress(RuntimeError):
            server.call_soon_threadsafe(self.stop, _MEANINGS.get(number, Stop.DRAIN))

    def stop(self, way: Stop = Stop.DRAIN) -> None:
        """Ask for the drain."""
        # Only during the drain: `timeout` and some supervisors send their signal twice at the same moment.
        if self._draining and self._parent is None:
            logger.warning("worker.killed")
            logging.shutdown()
            os._exit(1)
        if way is Stop.NOW:
            self._at_once.set()
        if not self._told.is_set():
            self._way = way
            self._told.set()

    async def wait(self) -> Stop:
        """Return when asked to stop."""
        await self._told.wait()
        self._draining = True
        return self._way

    async def delay(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as somebody asks to stop at once."""
        try:
            await asyncio.wait_for(self._at_once.wait(), seconds)
        except asyncio.TimeoutError:
            return

    def confirm(self) -> None:
        """Tell the parent that clients know of the end, and that a worker that retires listens no more."""
        # The parent may be gone.
        with suppress(OSError):
            self._confirm()

    def _hear_parent(self) -> None:
        if self._parent is None:
            return
        try:
            way = self._parent.recv()
        except (EOFError, OSError):
            # The parent's end closes with the parent. Nobody would replace this worker, or tell it to stop.
            asyncio.get_running_loop().remove_reader(self._parent.fileno())
            way = Stop.DRAIN
        self.stop(way)
