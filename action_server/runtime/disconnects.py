"""What becomes of a call whose caller leaves: its connection is gone, or its gRPC call is cancelled.

One rule for every action, whichever kind and whichever way in: what has begun runs to its end or is cancelled, as
``on_disconnect`` says; what has not begun never does. Nothing can stop a thread, so a synchronous action that has begun
ends in any case; only what it would have answered is dropped.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

OnDisconnect = Literal["finish", "cancel"]

# How long what is cut may take to clean up, in seconds.
_CLEANING_UP = 1.0


class Disconnects:
    """Knows the tasks of the calls that finish although nobody waits for them.

    Attributes:
        finishing: the tasks of those calls whose action has begun, and that finish; the executor's to keep.
    """

    def __init__(self) -> None:
        # A set, and no methods around it: each call would pay for them.
        self.finishing: set[asyncio.Task[Any]] = set()
        self._left: set[asyncio.Task[Any]] = set()
        self._is_over = False

    @property
    def unattended(self) -> int:
        """How many calls run whose callers have left."""
        return len(self._left)

    def leave(self, task: asyncio.Task[Any]) -> bool:
        """Take note that the caller has left; the task is cancelled, unless it finishes. Tell whether it does."""
        if self._is_over or task not in self.finishing:
            task.cancel()
            return False
        # Nobody else holds it: the connection is gone.
        self._left.add(task)
        task.add_done_callback(self._left.discard)
        return True

    async def drain(self, seconds: float) -> None:
        """Wait until the calls whose callers have left have ended, ``seconds`` at most."""
        if self._left and seconds > 0:
            await asyncio.wait(self._left, timeout=seconds)

    async def cut(self) -> int:
        """Cancel them, as well as those whose callers leave from now on; return how many there were."""
        self._is_over = True
        left = set(self._left)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CLEANING_UP)
        return len(left)
