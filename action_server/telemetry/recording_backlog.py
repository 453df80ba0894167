"""Recorded calls of a busy worker: lines of JSON in a few files, until there is time to make a file of each.

To create a file takes the disk's bookkeeping several times as long as the call it is about. Of a server that is always
busy only the newest calls are kept, so that most need never become files. A file whose calls are too old is written
over: new memory and room on the disk cost more than what is put there. An empty line ends what counts.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path

from action_server.telemetry.known_domains import Piece

# Bytes of one file.
_LARGEST = 16 * 1024 * 1024
# Pieces that systems take at once.
_AT_ONCE = 1024


@dataclass
class _Segment:
    path: str
    lines: int = 0
    size: int = 0


class RecordingBacklog:
    """The lines of one worker. ``limit`` is how many calls are kept of all."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = str(folder)
        # The last file that was too old; others could not tell what is in it from what is new.
        self._spare = f"{folder}/.backlog-{os.getpid()}.spare"
        self._limit = limit
        self._segments: deque[_Segment] = deque()
        self._number = 0

    def __bool__(self) -> bool:
        return bool(self._segments)

    def append(self, lines: Sequence[Sequence[Piece]]) -> None:
        """Write lines, all or none of them; the oldest file goes when the others have enough.

        A line is made of pieces, without its end.

        Raises:
            OSError: the disk refuses; then none of the lines is there.
        """
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.lines >= max(1, self._limit // 4) or segment.size >= _LARGEST:
            self._number += 1
            segment = _Segment(f"{self._folder}/backlog-{os.getpid()}-{self._number}.jsonl")
            self._segments.append(segment)
            _move(self._spare, segment.path)
        pieces = [piece for line in lines for piece in (*line, b"\n")]
        size = sum(map(len, pieces))
        pieces.append(b"\n")
        try:
            self._write(segment, pieces)
        except OSError:
            if not segment.lines:
                _remove(self._segments.pop().path)
            raise
        segment.lines += len(lines)
        segment.size += size
        while sum(one.lines for one in self._segments) - self._segments[0].lines >= self._limit:
            _move(self._segments.popleft().path, self._spare)

    def take_oldest(self) -> Iterator[bytes]:
        """Give the lines of the oldest file that belong to the newest ones, and remove it at the end."""
        segment = self._segments[0]
        surplus = sum(one.lines for one in self._segments) - self._limit
        for number, line in enumerate(read_lines(Path(segment.path))):
            if number >= surplus:
                yield line
        _remove(segment.path)
        _remove(self._spare)
        self._segments.popleft()

    def give_up(self) -> None:
        """Leave the oldest file to those who read recordings: it cannot be taken apart now."""
        self._segments.popleft()

    def _write(self, segment: _Segment, pieces: Sequence[Piece]) -> None:
        os.makedirs(self._folder, exist_ok=True)
        target = os.open(segment.path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            # Somebody may have removed it.
            segment.size = os.lseek(target, min(segment.size, os.fstat(target).st_size), os.SEEK_SET)
            write_pieces(target, pieces)
        except OSError:
            os.ftruncate(target, segment.size)
            raise
        finally:
            os.close(target)


def read_lines(file: Path) -> Iterator[bytes]:
    """Give the lines of a file up to an empty one, without one that is still being written."""
    with contextlib.suppress(FileNotFoundError), file.open("rb") as lines:
        yield from (line for line in takewhile(b"\n".__ne__, lines) if line.endswith(b"\n"))


def write_pieces(target: int, pieces: Iterable[Piece]) -> None:
    """Write pieces to an open file, without copying them before. Raises `OSError`: then a part of them may be there."""
    left = iter(pieces)
    while some := list(islice(left, _AT_ONCE)):
        written = os.writev(target, some)
        # A disk that becomes full takes a part and refuses the next one.
        if written < sum(map(len, some)):
            _write_rest(target, b"".join(some)[written:])


def _write_rest(target: int, rest: bytes) -> None:
    while rest:
        rest = rest[os.write(target, rest) :]


def _move(path: str, to: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, to)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
