"""An event loop that a person may interrupt."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_interruptibly(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that may wait for a person: Ctrl-C raises at once, where `asyncio.run` would wait for the line.

    Raises:
        KeyboardInterrupt: Ctrl-C; everything the coroutine had opened is closed.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(main)
    try:
        try:
            return loop.run_until_complete(task)
        except KeyboardInterrupt:
            # If it came while the task's own code ran, the task has ended with it, and asyncio would wait for ever.
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
                    loop.run_until_complete(task)
            raise
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
