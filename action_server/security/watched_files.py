"""Values that are made of files, and again when one has changed: certificates are renewed while a server runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from action_server.errors import SettingsError

T = TypeVar("T")

logger = logging.getLogger(__name__)

# How often the files are looked at, at most, in seconds: only when somebody asks, so that nothing runs for it.
INTERVAL = 1.0


class WatchedFiles(Generic[T]):
    """What ``make`` makes of ``files``. When one of them changes it is made again at the next :meth:`get`.

    A file is often replaced in steps, a certificate before its key. As long as ``make`` raises :class:`SettingsError`,
    what was made last stays, and the log says so once for each change. ``what`` is the value's name there.

    Raises:
        SettingsError: it cannot be made the first time.
    """

    def __init__(
        self,
        files: Sequence[Path],
        make: Callable[[], T],
        *,
        what: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = files
        self._make = make
        self._what = what
        self._clock = clock
        self._stamps = self._look()
        self._looked = clock()
        self._value = make()

    def get(self) -> T:
        """Return the value as the files make it now, or did up to a second ago."""
        if self._files and self._clock() - self._looked >= INTERVAL:
            self._looked = self._clock()
            self._renew()
        return self._value

    def _renew(self) -> None:
        stamps = self._look()
        if stamps == self._stamps:
            return
        # Before they are read: what changes while they are read is seen the next time.
        self._stamps = stamps
        try:
            self._value = self._make()
        except SettingsError as exc:
            logger.warning("files.not_read_again", extra={"what": self._what, "problem": str(exc)})
        else:
            logger.info("files.read_again", extra={"what": self._what})

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(file) for file in self._files]


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Return what differs when a file was written or replaced; Kubernetes swaps a link on the way to it."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
