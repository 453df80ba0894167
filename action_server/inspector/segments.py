"""Files that several processes append to: rows, one on each line, and the parts that they tell the places of.

A pair of files is a segment, and is called after the number of its first row. Who appends holds a lock, writes the
parts, then the rows, then where the next ones go; so a row that can be read has all of its parts, and what a process
leaves that is killed in between is cut off by the next one. What is too much goes by whole segments. Readers take no
lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from action_server.telemetry.known_domains import Piece
from action_server.telemetry.recording_backlog import write_pieces

# Files of another shape than this are removed.
_SHAPE = 2
_NAME = re.compile(rf"calls-{_SHAPE}-(\d+)\.(rows|parts)")
_OF_ANY_SHAPE = re.compile(r"calls[.-].*")
# How much is kept is counted in segments: that many at least.
_PARTS = 8
# What is read at once from the end of rows.
_BLOCK = 32 * 1024


class State(NamedTuple):
    """Where the next row goes: its number, the segment, and how long its rows are; and what did not come to be kept.

    ``missed_at`` is in seconds since 1970.
    """

    number: int = 1
    segment: int = 1
    rows: int = 0
    missed: int = 0
    missed_at: float = 0.0


_STATE = struct.Struct("<QQQQd")


class Segments:
    """The files of a folder, as one process has them."""

    def __init__(self, folder: Path, most_rows: int, most_bytes: int) -> None:
        self._folder = str(folder)
        self._most_rows, self._most_bytes = most_rows, most_bytes
        self._state_path = f"{folder}/calls-{_SHAPE}.state"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in os.listdir(folder):
            if _OF_ANY_SHAPE.fullmatch(name) and not name.startswith(f"calls-{_SHAPE}"):
                _remove(f"{folder}/{name}")

    @property
    def state(self) -> State:
        """Where the next row goes; as fast as a file of a few bytes is read."""
        try:
            file = os.open(self._state_path, os.O_RDONLY)
        except FileNotFoundError:
            return State()
        try:
            return _state_of(os.pread(file, _STATE.size, 0))
        finally:
            os.close(file)

    # -- Writing

    @contextmanager
    def appending(self, count: int, size: int) -> Iterator[Appending]:
        """Give what appends so many rows, whose parts have so many bytes altogether; nobody else does in the meantime.

        Raises:
            OSError: the disk refuses; then nothing was appended.
        """
        # Somebody may have emptied the cache.
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        lock = os.open(self._state_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Held for as long as a batch takes to be written, by whichever worker has it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self._mended(_state_of(os.pread(lock, _STATE.size, 0)))
            state = self._with_room(state, count, size)
            appending = Appending(state, *(self._path(state.segment, kind) for kind in ("rows", "parts")))
            try:
                yield appending
            finally:
                appending.close()
            os.pwrite(lock, _STATE.pack(*appending.state), 0)
        finally:
            os.close(lock)

    def _mended(self, state: State) -> State:
        """Return the state as the files have it: a process that was killed may have written one and not the other."""
        known = self._firsts()
        first = known[-1] if known else state.segment
        path = self._path(first, "rows")
        size = os.stat(path).st_size if known else 0
        if (first, size) == (state.segment, state.rows):
            return state
        if not known:
            return state._replace(segment=state.number, rows=0)
        last, whole = first - 1, 0
        for row in Path(path).read_bytes().splitlines(keepends=True):
            if (number := number_of(row)) is None:
                break
            last, whole = number, whole + len(row)
        os.truncate(path, whole)
        return state._replace(number=max(state.number, last + 1), segment=first, rows=whole)

    def _with_room(self, state: State, count: int, size: int) -> State:
        """Begin the next segment where this one has its part; the oldest ones go then."""
        in_parts = _size(self._path(state.segment, "parts"))
        most_rows, most_bytes = max(1, self._most_rows // _PARTS), self._most_bytes // _PARTS
        rows = state.number - state.segment
        if rows == 0 or (rows + count <= most_rows and state.rows + in_parts + size <= most_bytes):
            return state
        firsts = self._firsts()
        sizes = [sum(_size(self._path(first, kind)) for kind in ("rows", "parts")) for first in firsts]
        left, total = self._most_bytes - max(size, most_bytes), sum(sizes)
        for first, end, size_of_it in zip(firsts, [*firsts[1:], state.number], sizes, strict=True):
            if state.number - end < self._most_rows and total <= left:
                break
            total -= size_of_it
            for kind in ("rows", "parts"):
                _remove(self._path(first, kind))
        return state._replace(segment=state.number, rows=0)

    def _path(self, first: int, kind: str) -> str:
        return f"{self._folder}/calls-{_SHAPE}-{first:012d}.{kind}"

    # -- Reading

    def _firsts(self) -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            names = (_NAME.fullmatch(name) for name in os.listdir(self._folder))
            return sorted(int(name[1]) for name in names if name is not None and name[2] == "rows")
        return []

    def rows(self, before: int | None = None) -> Iterator[bytes]:
        """Give the rows that are kept, the newest first; those before a number if one is given."""
        oldest = self.state.number - self._most_rows
        for first in reversed(self._firsts()):
            if before is not None and first >= before:
                continue
            for row in _backwards(self._path(first, "rows")):
                number = number_of(row)
                if number is None or (before is not None and number >= before):
                    continue
                if number < oldest:
                    return
                yield row

    def row(self, number: int) -> bytes | None:
        """Return a row; None if it is not kept any more."""
        firsts = self._firsts()
        place = bisect_right(firsts, number) - 1
        if place < 0 or number < self.state.number - self._most_rows:
            return None
        end = b",%d]\n" % number
        try:
            rows = Path(self._path(firsts[place], "rows")).read_bytes()
        except FileNotFoundError:
            return None
        found = rows.find(end)
        return None if found < 0 else rows[rows.rfind(b"\n", 0, found) + 1 : found + len(end)]

    def parts(self, number: int, start: int, size: int) -> bytes | None:
        """Return the parts of a row; None if they are not kept any more."""
        firsts = self._firsts()
        place = bisect_right(firsts, number) - 1
        if place < 0:
            return None
        try:
            file = os.open(self._path(firsts[place], "parts"), os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            found = os.pread(file, size, start)
        finally:
            os.close(file)
        return found if len(found) == size else None


class Appending:
    """Appends to a segment. ``state`` is where the next row goes."""

    def __init__(self, state: State, rows: str, parts: str) -> None:
        self.state = state
        self._rows = os.open(rows, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._parts = os.open(parts, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            os.close(self._rows)
            raise
        self.start = os.lseek(self._parts, 0, os.SEEK_END)

    def append(self, rows: Sequence[bytes], parts: Sequence[Piece]) -> None:
        """Write rows, each with its end, and their parts, which begin at ``start``. All or nothing: see `OSError`."""
        state = self.state
        try:
            write_pieces(self._parts, parts)
            os.lseek(self._rows, state.rows, os.SEEK_SET)
            write_pieces(self._rows, rows)
        except OSError:
            os.ftruncate(self._rows, state.rows)
            os.ftruncate(self._parts, self.start)
            raise
        self.state = state._replace(number=state.number + len(rows), rows=state.rows + sum(map(len, rows)))

    def close(self) -> None:
        """Close the files."""
        os.close(self._rows)
        os.close(self._parts)


def number_of(row: bytes) -> int | None:
    """Return the number at the end of a row; None if it is not a whole one."""
    number = row[row.rfind(b",") + 1 : -2]
    return int(number) if row.endswith(b"]\n") and number.isdigit() else None


def _state_of(content: bytes) -> State:
    return State(*_STATE.unpack(content)) if len(content) == _STATE.size else State()


def _backwards(path: str) -> Iterator[bytes]:
    """Give the lines of a file from its end, without one that is still being written."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        end, rest = os.fstat(file).st_size, b""
        while end > 0:
            start = max(0, end - _BLOCK)
            lines = (os.pread(file, end - start, start) + rest).splitlines(keepends=True)
            # What stands first may have begun before.
            rest, end = lines[0], start
            yield from reversed(lines[1:])
        yield rest
    finally:
        os.close(file)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
