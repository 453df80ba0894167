"""The page of metrics: the library's own lines, for a fraction of its work, with pauses for the calls in between."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import multiprocess
from prometheus_client.exposition import choose_encoder
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from action_server.telemetry.counted_in_files import CountedInFiles
from action_server.telemetry.metric_families import FAMILIES_BY_NAME
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.metrics_page import SERIES_AT_ONCE, Counted, write_page

ACTIONS = 150
FORMATS = [None, "application/openmetrics-text;version=1.0.0", "text/plain;version=1.0.0;escaping=allow-utf-8"]
BOUNDS = (0.5, 1.0, float("inf"))
ODD = 'a "quoted" 100 % \\ name\nof two lines'


@dataclass
class Collected:
    """Stands for a registry, for the library's own way to a page."""

    families: Iterable[Any]

    def collect(self) -> Iterable[Any]:
        return self.families


def lines(page: bytes) -> list[str]:
    # `_created` is a series that the server leaves out.
    found = [line for line in page.decode().splitlines() if "_created" not in line]
    return sorted(line for line in found if not line.startswith(("stamina_", "# HELP stamina_", "# TYPE stamina_")))


class Workers:
    """The files of workers, each of which has run the same actions."""

    def __init__(self, directory: Path, workers: int, actions: int) -> None:
        self.directory = directory
        for worker in range(workers):
            self.call(worker, [*(f"action_{number}" for number in range(actions)), ODD])

    def call(self, worker: int, actions: Iterable[str]) -> None:
        self.write(f"counter_{worker}", ((("calls", "calls_total", {"action": one}), 2.0) for one in actions))
        self.write(f"gauge_livesum_{worker}", ((("busy", "busy", {"action": one}), 1.0) for one in actions))
        self.write(f"gauge_livemax_{worker}", [(("started", "started", {}), 1_700_000_000.0 + worker)])
        self.write(f"summary_{worker}", [(("size", "size_count", {}), 3.0), (("size", "size_sum", {}), 4e9)])
        found: list[tuple[tuple[str, str, dict[str, str]], float]] = []
        for one in actions:
            for bound in BOUNDS:
                le = str(bound).replace("inf", "+Inf")
                found.append((("ran", "ran_bucket", {"action": one, "le": le}), 1.0))
            found.append((("ran", "ran_sum", {"action": one}), 0.75))
        self.write(f"histogram_{worker}", found)

    def write(self, name: str, numbers: Iterable[tuple[tuple[str, str, dict[str, str]], float]]) -> None:
        file = MmapedDict(str(self.directory / f"{name}.db"))
        for (family, series, labels), value in numbers:
            key = mmap_key(family, series, list(labels), list(labels.values()), "A meaning")
            file.write_value(key, value, 0.0)
        file.close()

    def library_page(self, accept: str | None) -> bytes:
        collector = multiprocess.MultiProcessCollector(None, path=str(self.directory))
        return choose_encoder(accept or "")[0](Collected(collector.collect()))


def page_of(counted: Counted, accept: str | None = None, pause: Callable[[], None] = lambda: None) -> bytes:
    return write_page(counted, accept, None, pause).body


@pytest.mark.parametrize("accept", FORMATS)
def test_a_page_has_the_lines_that_the_library_writes(accept: str | None) -> None:
    """In each format: names, labels, numbers and meanings to the letter."""
    metrics = Metrics(version="1")
    metrics.know([ODD, "action_book"])
    for action in (ODD, "action_book"):
        metrics.call_started(action)
        metrics.call_finished(action, "http", "ok", 0.002, 12_345_678.5)
    metrics.outbound("crm.example.com", "ok", 0.2)
    page = metrics.render(accept).body
    families = [family for name in FAMILIES_BY_NAME for family in getattr(metrics._families, name).collect()]

    assert lines(page) == lines(choose_encoder(accept or "")[0](Collected(families)))


@pytest.mark.parametrize("accept", FORMATS)
def test_a_page_of_several_workers_has_the_lines_that_the_library_writes(accept: str | None, tmp_path: Path) -> None:
    """Also those of families that are not added up; and again with what has come since, and without who has ended."""
    workers = Workers(tmp_path, 3, 4)
    counted = CountedInFiles(tmp_path)

    assert lines(page_of(counted, accept)) == lines(workers.library_page(accept))
    workers.call(1, ["action_new", "action_0"])
    assert lines(page_of(counted, accept)) == lines(workers.library_page(accept))
    for file in tmp_path.glob("*_1.db"):
        file.unlink()
    assert lines(page_of(counted, accept)) == lines(workers.library_page(accept))


def test_a_worker_with_the_number_of_an_earlier_one_is_read_anew(tmp_path: Path) -> None:
    """Its file has the same name, and other series."""
    Workers(tmp_path, 1, 4)
    counted = CountedInFiles(tmp_path)
    page_of(counted)
    kept = [file.rename(tmp_path / f"{file.name}.old") for file in tmp_path.glob("*.db")]
    workers = Workers(tmp_path, 1, 2)

    assert kept
    assert lines(page_of(counted)) == lines(workers.library_page(None))


@pytest.mark.parametrize("actions", [ACTIONS, 8 * ACTIONS])
def test_each_name_is_read_once(actions: int, tmp_path: Path) -> None:
    """The first page reads each of the names once, whatever the number of workers; later ones read only new names."""
    read: list[str] = []

    def parse(key: str) -> Any:
        read.append(key)
        return json.loads(key)

    workers = Workers(tmp_path, 2, actions)
    counted = CountedInFiles(tmp_path, parse)
    page_of(counted)

    # Calls, those in flight, three buckets and a sum of each action; and the two of the summary.
    assert len(read) == len(set(read)) == 6 * (actions + 1) + 2
    read.clear()
    page_of(counted)
    assert read == []
    workers.call(1, ["action_new"])
    page_of(counted)
    assert len(read) == 6


@pytest.mark.parametrize("actions", [ACTIONS, 8 * ACTIONS])
def test_calls_get_their_turn_while_a_page_is_written(actions: int, tmp_path: Path) -> None:
    """There is a pause after every fifty series, however many there are: a call waits for a piece, not the page."""
    Workers(tmp_path, 1, actions)
    counted = CountedInFiles(tmp_path)
    page_of(counted)
    pauses = 0

    def pause() -> None:
        nonlocal pauses
        pauses += 1

    page_of(counted, pause=pause)

    assert pauses >= 3 * actions // SERIES_AT_ONCE


def test_series_of_actions_never_called_are_not_made() -> None:
    """Of a thousand actions the page shows the one that was called; of few, all start at zero for the alerts."""
    metrics = Metrics()
    metrics.know(f"action_{number}" for number in range(1000))
    metrics.call_started("action_7")
    page = metrics.render().body.decode()

    assert {line.partition('action="')[2].partition('"')[0] for line in page.splitlines() if 'action="' in line} == {
        "action_7"
    }


@pytest.mark.parametrize(
    ("asked", "is_packed"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("GZIP;q=0.5", True),
        ("br, *", True),
        (None, False),
        ("", False),
        ("identity", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.000", False),
        ("zstd, br", False),
    ],
)
def test_a_page_is_packed_for_whoever_takes_gzip(asked: str | None, is_packed: bool) -> None:
    """As Prometheus does; and nobody gets bytes that they cannot read."""
    metrics = Metrics()
    page = metrics.render(None, asked)

    assert (page.headers.get("Content-Encoding") == "gzip") is is_packed
    plain = gzip.decompress(page.body) if is_packed else page.body
    assert b"action_server_workers 1.0" in plain
    assert page.headers["Vary"] == "Accept, Accept-Encoding"
