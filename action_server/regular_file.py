"""Reads files that settings or a project name: regular ones of a bounded size. None of them can hang us."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# The largest projects known have files of a tenth of that.
MOST_BYTES = 4_000_000


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what a file holds.

    Raises:
        OSError: it cannot be read, has more bytes than ``most``, or is no regular file: a pipe would never end.
    """
    # Not `open` first: that alone waits for a pipe's other end.
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with path.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return found
