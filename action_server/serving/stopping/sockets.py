"""The sockets of this process, also those that a library written in C has opened and tells nobody of, as gRPC does."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress


def listening_sockets() -> frozenset[int]:
    """Return the descriptors of this process's sockets that listen, also those of libraries written in C."""
    return frozenset(number for number in descriptors() if _listens(number))


def stop_listening(listening: frozenset[int]) -> set[int]:
    """Have sockets listen no more, also those of libraries that know no way to; return the ports they listened at."""
    ports = {port for number in listening if (port := port_of(number)) is not None}
    for number in listening:
        with suppress(OSError), _copy_of(number) as copy:
            copy.shutdown(socket.SHUT_RDWR)
    return ports


def has_connections(ports: set[int]) -> bool:
    """Tell whether this process has a connection that was accepted at one of the ports."""
    return any(port_of(number) in ports and _is_connected(number) for number in descriptors())


def descriptors() -> list[int]:
    """Return the numbers of all open descriptors of this process."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(folder):
            return [int(name) for name in os.listdir(folder)]
    return []


def port_of(number: int) -> int | None:
    """Return the port a socket of IP is bound to; None for anything else."""
    with suppress(OSError), _copy_of(number) as copy:
        if copy.family in (socket.AF_INET, socket.AF_INET6):
            return int(copy.getsockname()[1]) or None
    return None


def _listens(number: int) -> bool:
    with suppress(OSError), _copy_of(number) as copy:
        return bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False


def _is_connected(number: int) -> bool:
    with suppress(OSError), _copy_of(number) as copy:
        copy.getpeername()
        return True
    return False


def _copy_of(number: int) -> socket.socket:
    """Return a second descriptor of a socket, to ask it things. Raises ``OSError`` if it is none, or gone by now."""
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        raise OSError(errno.ENOTSOCK, "no socket")
    return socket.socket(fileno=os.dup(number))
