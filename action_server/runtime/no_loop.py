"""Where authors' code runs as if there were no event loop: at import, and synchronously on a loop's own thread.

``CONFIG = asyncio.run(load())`` at the top of a module works wherever Python imports it, except inside of a running
loop. There the loop is hidden, by the means asyncio documents for those who write loops (asyncio-extending.html).
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events, tasks
from collections.abc import Iterator
from contextlib import contextmanager

# Loops that modules took with `asyncio.get_event_loop()` when they were imported, and may use later.
_kept: list[asyncio.AbstractEventLoop] = []


@contextmanager
def hide_running_loop() -> Iterator[None]:
    """Let no loop seem to run in this thread within the block, which must not await; other loops may run in it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        yield
        return
    task = asyncio.current_task(loop)
    if task is not None:
        tasks._leave_task(loop, task)
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(loop)
        # `asyncio.run` leaves none behind.
        asyncio.set_event_loop(loop)
        if task is not None:
            tasks._enter_task(loop, task)


@contextmanager
def no_running_loop() -> Iterator[None]:
    """Hide the running loop as for an import: `asyncio.get_event_loop()` gives one that does not run yet."""
    with hide_running_loop():
        fresh = asyncio.new_event_loop()
        asyncio.set_event_loop(fresh)
        try:
            yield
        finally:
            asyncio.set_event_loop(None)
            # Our name, and the argument of getrefcount.
            if sys.getrefcount(fresh) <= 2:
                fresh.close()
            elif not fresh.is_closed():
                _kept.append(fresh)
