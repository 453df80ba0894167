"""What a process that an action forks does not take over from its worker: signals, the wake-up, listening sockets.

A forked child is a copy of the worker. Its copy of the event loop never runs, but Python's signal handlers would write
into the loop's own pipe, which both processes share: ending the child would stop the server. A child that outlives the
server would keep its address in use. What runs another program (``subprocess``) has neither.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# The listening sockets of the worker that serves in this process; None while nothing serves.
_listening: set[int] | None = None
_is_registered = False


@contextmanager
def isolate_children(sock: socket.socket | None) -> Iterator[set[int]]:
    """Keep this process's signals and listening ``sock`` from children it forks within the block.

    Yields the descriptors of the sockets that are kept, to which others may be added.
    """
    global _listening, _is_registered
    if not _is_registered:
        # For good: Python has no way to take it back.
        os.register_at_fork(after_in_child=_reset_child)
        _is_registered = True
    _listening = set() if sock is None else {sock.fileno()}
    try:
        yield _listening
    finally:
        _listening = None


def listening_sockets() -> frozenset[int]:
    """Return the descriptors of this process's sockets that listen, also those of libraries written in C."""
    return frozenset(number for number in _descriptors() if _listens(number))


def ignore_signal(*_: object) -> None:
    """Do nothing. Unlike ``SIG_IGN``, which programs started from here would inherit, it ends with this one."""


def _reset_child() -> None:
    global _listening
    if _listening is None:
        return
    sockets, _listening = _listening, None
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGCHLD) in (signal.SIG_DFL, None):
        # libuv's handler, of which Python does not know; it writes into a pipe that is shared, too.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _close_sockets(sockets)


def _close_sockets(listening: set[int]) -> None:
    """Close what listens, and the connections that were accepted from it: their callers wait for their end."""
    ports = {_port(number) for number in listening} - {None}
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for number in _descriptors():
        if number in listening or _port(number) in ports:
            # Replaced by nothing: objects that know the number would close whatever gets it next.
            os.dup2(nothing, number, inheritable=False)
    os.close(nothing)


def _descriptors() -> list[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(folder):
            return [int(name) for name in os.listdir(folder)]
    return []


def _listens(number: int) -> bool:
    with suppress(OSError), _copy_of(number) as copy:
        return bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False


def _port(number: int) -> int | None:
    """Return the port a socket of IP is bound to; None for anything else."""
    with suppress(OSError), _copy_of(number) as copy:
        if copy.family in (socket.AF_INET, socket.AF_INET6):
            return int(copy.getsockname()[1]) or None
    return None


def _copy_of(number: int) -> socket.socket:
    """Return a second descriptor of a socket, to ask it things. Raises ``OSError`` if it is none, or gone by now."""
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        raise OSError(errno.ENOTSOCK, "no socket")
    return socket.socket(fileno=os.dup(number))
