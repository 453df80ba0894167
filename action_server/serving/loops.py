"""An event loop that goes on when an author's code wants to end the process.

Asyncio lets ``SystemExit`` and ``KeyboardInterrupt`` of a task or a callback leave the loop: with ``sys.exit()`` in a
task that an action gathers, one call would take all others of its worker with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from action_server.serving.stopping.stop_signal import StopSignal
from action_server.source import place_of_failure

logger = logging.getLogger(__name__)

T = TypeVar("T")


def run_to_end(run: Callable[[], T], is_over: Callable[[], bool], stopping: StopSignal) -> T:
    """Run a loop until ``is_over``; ``run`` runs it, and is called again where something else ended it.

    Whoever waits for the task gets its exception all the same. Before the signal is armed it leaves the loop: until
    then Ctrl-C is an exception, too, and code that ends the process while it starts is a failed start.
    """
    while True:
        try:
            return run()
        except (SystemExit, KeyboardInterrupt) as exc:
            if is_over() or not stopping.is_armed:
                raise
            logger.error("exit.refused", extra={"place": place_of_failure(exc)}, exc_info=exc)
