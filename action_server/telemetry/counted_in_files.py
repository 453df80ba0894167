"""The series of several workers: read from the files they count in, and added up.

A file of prometheus_client holds the JSON of each series' name and labels before its number, where it stays. So each
name is read once, and a page reads numbers only.
"""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server.telemetry.metrics_files import files_locked
from action_server.telemetry.page_lines import Kind, PageFamily, histogram_lines, histogram_numbers, number, one_line

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# The numbers in these are added up, whatever a worker's process id. What becomes of others is prometheus_client's.
_ADDED_UP: dict[str, Kind] = {
    "counter": "counter",
    "histogram": "histogram",
    "summary": "summary",
    "gauge_livesum": "gauge",
    "gauge_sum": "gauge",
}
# A file: the bytes in use as an integer, four bytes of padding, then series of a key's length, the key, spaces up to a
# multiple of eight, the number and a time.
_INTEGER = struct.Struct("i")
_FIRST, _WORD, _NUMBER_AND_TIME = 8, 8, 16
# As many names as are read without a pause, a millisecond or so.
_NAMES_AT_ONCE = 150


@dataclass
class _Series:
    """One series: the places of its numbers in :attr:`_Totals.numbers`, in the order of its lines."""

    name: str
    labels: dict[str, str]
    # By bound; empty for what is no histogram.
    buckets: dict[float, int] = field(default_factory=dict)
    place: int = -1
    text: str = ""

    def lines(self, numbers: list[float]) -> str:
        if not self.buckets:
            self.text = self.text or one_line(self.name, self.labels)
            return self.text % number(numbers[self.place])
        bounds = sorted(self.buckets)
        self.text = self.text or histogram_lines(self.name, self.labels, bounds)
        total = numbers[self.place] if self.place >= 0 else 0.0
        return self.text % tuple(histogram_numbers((numbers[self.buckets[bound]] for bound in bounds), total))


@dataclass
class _Family:
    kind: Kind
    meaning: str
    series: dict[tuple[str, ...], _Series] = field(default_factory=dict)


@dataclass
class _File:
    """What is known of one file: how far it was read, where its numbers lie, counted in eight bytes, and whose."""

    kind: Kind
    inode: int
    used: int = _FIRST
    words: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    take: Callable[[Any], Any] | None = None

    def numbers(self, content: bytes) -> Iterable[float]:
        if not self.words:
            return ()
        if self.take is None:
            self.take = itemgetter(*self.words)
        found = self.take(memoryview(content)[: self.used].cast("d"))
        return (found,) if len(self.words) == 1 else found


class CountedInFiles:
    """What the page is made of, from the files in ``directory``; ``parse`` reads the JSON of a key."""

    def __init__(self, directory: Path, parse: Callable[[str], Any] = json.loads) -> None:
        self._directory = directory
        self._parse = parse
        self._reading = threading.Lock()
        self._forget()

    def families(self, pause: Callable[[], None]) -> Iterator[PageFamily]:
        """Return the families whose numbers are added up, ours and those of the actions."""
        with self._reading:
            numbers = self._read(pause)
            found = [(name, family, list(family.series.values())) for name, family in self._families.items()]
        for name, family, series in found:
            yield PageFamily(name, family.kind, family.meaning, (one.lines(numbers) for one in series))

    def others(self) -> Iterable[Metric]:
        """Return the families that are not, such as the highest of all workers."""
        from prometheus_client.multiprocess import MultiProcessCollector

        with files_locked(self._directory):
            files = [str(file) for file in self._directory.glob("*.db") if _kind_of(file) is None]
            found: list[Metric] = list(MultiProcessCollector.merge(files))
        return found

    def _forget(self) -> None:
        self._files: dict[str, _File] = {}
        self._families: dict[str, _Family] = {}
        self._places: dict[bytes, int] = {}

    def _read(self, pause: Callable[[], None]) -> list[float]:
        """Return the sums of all workers, by place."""
        with files_locked(self._directory):
            contents = dict(self._contents())
        if any(name not in contents or contents[name][1] != file.inode for name, file in self._files.items()):
            # A worker has ended: what was only its own is no more.
            self._forget()
        for name, (content, inode) in contents.items():
            file = self._files.setdefault(name, _File(_ADDED_UP[name.rpartition("_")[0]], inode))
            self._learn(file, content, pause)
        numbers = [0.0] * len(self._places)
        for name, file in self._files.items():
            for place, value in zip(file.places, file.numbers(contents[name][0]), strict=True):
                numbers[place] += value
        return numbers

    def _contents(self) -> Iterator[tuple[str, tuple[bytes, int]]]:
        for path in self._directory.glob("*.db"):
            if _kind_of(path) is None:
                continue
            try:
                with path.open("rb") as file:
                    head = file.read(_INTEGER.size)
                    # A worker that was killed while it made the file leaves an empty one.
                    rest = file.read(_INTEGER.unpack(head)[0] - len(head)) if len(head) == _INTEGER.size else b""
                    yield path.name, (head + rest, os.fstat(file.fileno()).st_ino)
            except FileNotFoundError:
                # Gauges of a worker that has just ended go without a lock.
                continue

    def _learn(self, file: _File, content: bytes, pause: Callable[[], None]) -> None:
        """Read the names of the series that have come since the last page."""
        known = len(file.words)
        while file.used + _INTEGER.size <= len(content):
            start = file.used + _INTEGER.size
            length = _INTEGER.unpack_from(content, file.used)[0]
            key = content[start : start + length]
            end = start + length + _WORD - (length + _INTEGER.size) % _WORD + _NUMBER_AND_TIME
            if end > len(content):
                return
            file.words.append((end - _NUMBER_AND_TIME) // _WORD)
            file.places.append(self._place_of(key, file.kind))
            file.take = None
            file.used = end
            if (len(file.words) - known) % _NAMES_AT_ONCE == 0:
                pause()

    def _place_of(self, key: bytes, kind: Kind) -> int:
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self._places)
            self._add(kind, place, *self._parse(key.decode()))
        return place

    def _add(self, kind: Kind, place: int, family_name: str, name: str, labels: dict[str, str], meaning: str) -> None:
        family = self._families.setdefault(family_name, _Family(kind, meaning))
        bound = labels.pop("le", None) if kind == "histogram" else None
        line = family_name if kind == "histogram" else name
        series = family.series.setdefault((line, *sorted(map(":".join, labels.items()))), _Series(line, labels))
        series.text = ""
        if bound is None:
            series.place = place
        else:
            series.buckets[float(bound)] = place


def _kind_of(path: Path) -> Kind | None:
    return _ADDED_UP.get(path.stem.rpartition("_")[0])
