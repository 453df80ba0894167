"""Whether a connection is idle, judged by what has arrived and not by what was made of it yet.

A connection that is closed while a request lies in the kernel's buffer loses that request; one that is closed when the
request has been read and is about to run has it carried out without an answer, and whoever asks again has it twice.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import Any

# Who connects sends a request at once. A connection that was accepted just before the end may have its first one on the
# way, as all do that waited to be accepted. In seconds.
FIRST_REQUEST = 1.0


def has_unread(transport: Any) -> bool:
    """Tell whether bytes have arrived that the event loop has not read yet; encrypted ones count as any."""
    sock = transport.get_extra_info("socket")
    if sock is None or transport.is_closing() or sock.fileno() < 0:
        return False
    waiting = fcntl.ioctl(sock.fileno(), termios.FIONREAD, struct.pack("i", 0))
    return bool(struct.unpack("i", waiting)[0])
