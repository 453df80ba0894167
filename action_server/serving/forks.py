"""What a process that an action forks does not take over from its worker: signals, the wake-up, listening sockets.

A forked child is a copy of the worker. Its copy of the event loop never runs, but Python's signal handlers would write
into the loop's own pipe, which both processes share: ending the child would stop the server. A child that outlives the
server would keep its address in use. What runs another program (``subprocess``) has neither.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from action_server.serving.stopping.sockets import descriptors, port_of

# The listening sockets of the worker that serves in this process; None while nothing serves.
_listening: set[int] | None = None
_is_registered = False
# The signals that a thread which forks had blocked before.
_held = threading.local()


@contextmanager
def isolate_children(sock: socket.socket | None) -> Iterator[set[int]]:
    """Keep this process's signals and listening ``sock`` from children it forks within the block.

    Yields the descriptors of the sockets that are kept, to which others may be added.
    """
    global _listening, _is_registered
    if not _is_registered:
        # For good: Python has no way to take it back.
        os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_reset_child)
        _is_registered = True
    _listening = set() if sock is None else {sock.fileno()}
    try:
        yield _listening
    finally:
        _listening = None


def ignore_signal(*_: object) -> None:
    """Do nothing. Unlike ``SIG_IGN``, which programs started from here would inherit, it ends with this one."""


def _hold_signals() -> None:
    """Keep signals waiting: what reaches a child before it has its own handlers would be heard by this process."""
    if _listening is not None:
        _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _release_signals() -> None:
    mask = vars(_held).pop("mask", None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _reset_child() -> None:
    global _listening
    sockets, _listening = _listening, None
    if sockets is not None:
        _reset_signals()
        _close_sockets(sockets)
    _release_signals()


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGCHLD) in (signal.SIG_DFL, None):
        # libuv's handler, of which Python does not know; it writes into a pipe that is shared, too.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _close_sockets(listening: set[int]) -> None:
    """Close what listens, and the connections that were accepted from it: their callers wait for their end."""
    ports = {port_of(number) for number in listening} - {None}
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for number in descriptors():
        if number in listening or port_of(number) in ports:
            # Replaced by nothing: objects that know the number would close whatever gets it next.
            os.dup2(nothing, number, inheritable=False)
    os.close(nothing)
