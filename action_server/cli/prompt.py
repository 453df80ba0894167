"""Asks a person for a line, so that Ctrl-C is heard whenever it comes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

# How long a Ctrl-C may go unheard, in seconds: below what a person notices.
_HEARD_WITHIN = 0.1


def ask(prompt: str) -> str:
    """Return the line a person types; to be called on the main thread.

    Raises:
        KeyboardInterrupt: Ctrl-C, also one that comes while the prompt is written.
        EOFError: Ctrl-D.
    """
    with _interruptible():
        return input(prompt)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Have Ctrl-C interrupt what waits in C within the block.

    Python notes a signal and acts on it between two instructions. ``input`` writes its prompt and then waits in C: a
    signal that comes in between interrupts no wait, and is acted on after the next key. A thread that is told of each
    signal sends it once more until it was acted on. A program that a script started in the background inherits that the
    signal is ignored, hence the handler.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    previous = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    done = threading.Event()
    helper = threading.Thread(target=_repeat_unheard, args=(reading, done, threading.get_ident()), daemon=True)
    helper.start()
    try:
        yield
    finally:
        # What the helper sends at this very moment was acted on already.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        done.set()
        signal.set_wakeup_fd(previous)
        with contextlib.suppress(BlockingIOError):
            os.write(writing, b"\0")
        helper.join()
        os.close(reading)
        os.close(writing)
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)


def _repeat_unheard(reading: int, done: threading.Event, waiting: int) -> None:
    while not done.is_set():
        received = os.read(reading, 64)
        if signal.SIGINT in received:
            while not done.wait(_HEARD_WITHIN):
                signal.pthread_kill(waiting, signal.SIGINT)
