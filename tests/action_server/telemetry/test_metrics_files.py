"""Workers count in files of one directory: each answers for all, and what a killed one counted remains."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from action_server.telemetry import metrics_files
from action_server.telemetry.metric_families import FAMILIES
from tests.action_server.telemetry.metrics_pages import labels_of, output_of, read, value

ROOT = Path(__file__).parents[3]
ACTIONS = ("action_book", "action_cancel")


WORKER = f"""
import sys
from pathlib import Path
# Also when somebody imported it before the directory was known.
import prometheus_client
from action_server.telemetry.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]), version="1.2.3")
metrics.know({ACTIONS})
bookings = prometheus_client.Counter("bookings", "An author's own")
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


class Worker:
    """A process that counts in a directory and does what it is told, line by line."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(directory)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        said: list[str] = []
        for answer in self.process.stdout:
            if answer == "done\n":
                return "".join(said)
            said.append(answer)
        raise AssertionError("the worker ended")

    def page(self) -> str:
        return self.do("print(metrics.render().body.decode())")

    def kill(self) -> int:
        """End it as the kernel does when memory is short; return its process id."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        return self.process.pid


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = metrics_files.prepare_directory()
    yield directory
    metrics_files.cleanup(directory)
    assert not directory.exists()


@contextmanager
def workers(directory: Path, count: int) -> Iterator[list[Worker]]:
    started = [Worker(directory) for _ in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            worker.kill()


THREE, FOUR = (f"metrics.follow_load(lambda: (0, {busy}, 40))" for busy in (3, 4))
CALL = "metrics.call_started('action_book'); metrics.call_finished('action_book', 'http', 'ok', 0.1, 0.3)"


def test_any_worker_answers_for_all(directory: Path) -> None:
    """Counters, times and gauges are added up; what actions count themselves too."""
    with workers(directory, 2) as (one, two):
        one.do(f"{CALL}; metrics.call_started('action_book'); {THREE}; bookings.inc(2)")
        two.do(f"{CALL}; {CALL}; metrics.call_started('action_book'); {FOUR}; bookings.inc(5)")
        two.do("metrics.sample_process()")
        for page in (one.page(), two.page()):
            assert value(page, "calls_total", action="action_book", outcome="ok", transport="http") == 3
            assert value(page, "calls_total", action="action_cancel", outcome="failed", transport="http") == 0
            assert value(page, "call_running_seconds_count", action="action_book") == 3
            assert value(page, "call_running_seconds_bucket", action="action_book", le="0.5") == 3
            assert value(page, "calls_in_flight", action="action_book") == 2
            assert (value(page, "threads_busy"), value(page, "threads")) == (7, 80)
            assert value(page, "workers") == 2
            assert "bookings_total 7.0" in page.splitlines()
            assert labels_of(page, "info", "version") == {"1.2.3"}


def test_what_a_killed_worker_counted_remains_and_its_gauges_vanish(directory: Path) -> None:
    """Nothing falls but what is no more; also when its process id comes again."""
    with workers(directory, 2) as (one, two):
        one.do(f"{CALL}; metrics.call_started('action_book'); {THREE}; metrics.sample_process()")
        two.do(f"{CALL}; metrics.sample_process()")
        before = read(two.page())

        pid = one.kill()
        metrics_files.forget_worker(directory, pid)
        page = two.page()

        assert value(page, "calls_total", action="action_book", outcome="ok", transport="http") == 2
        assert value(page, "call_running_seconds_bucket", action="action_book", le="0.5") == 2
        assert value(page, "calls_in_flight", action="action_book") == 0
        assert value(page, "workers") == 1
        assert value(page, "threads_busy") == 0
        after = read(page)
        growing = {f.name for f in FAMILIES if f.kind != "gauge"}
        fell = [k for k in before if k[0].rsplit("_", 1)[0] in growing or k[0] in growing if after[k] < before[k]]
        assert fell == []


def test_many_deaths_leave_few_files(directory: Path) -> None:
    """A worker that is killed every minute does not make the page slower and slower."""
    for _ in range(3):
        with workers(directory, 1) as (worker,):
            worker.do(CALL)
            metrics_files.forget_worker(directory, worker.kill())
    metrics_files.forget_worker(directory, worker.process.pid)

    assert {file.name for file in directory.glob("*.db")} == {"counter_gone.db", "histogram_gone.db"}
    with workers(directory, 1) as (worker,):
        page = worker.page()
    assert value(page, "calls_total", action="action_book", outcome="ok", transport="http") == 3
    assert value(page, "call_waiting_seconds_count", action="action_book") == 3


def test_the_supervisor_counts_in_the_same_place(directory: Path) -> None:
    """Deaths and reloads are its to count; it is no worker."""
    with workers(directory, 2) as (supervisor, worker):
        supervisor.do("metrics.worker_died(); metrics.reloaded(False)")
        page = worker.page()

    assert value(page, "workers_died_total") == 1
    assert value(page, "reloads_total", result="failed") == 1
    assert value(page, "workers") == 1


@pytest.mark.parametrize("content", [b"", struct.pack("iii", 4000, 0, 9000)], ids=["empty", "cut short"])
def test_a_worker_killed_while_it_started_does_no_harm(directory: Path, content: bytes) -> None:
    """Its files may have nothing in them yet."""
    (directory / "counter_123.db").write_bytes(content)

    metrics_files.forget_worker(directory, 123)

    with workers(directory, 1) as (worker,):
        assert value(worker.page(), "workers") == 1


def test_directories_of_killed_supervisors_are_removed(directory: Path) -> None:
    """And those of running ones are not: a lock that ends with its process tells them apart."""
    script = (
        "import os, signal\n"
        "from action_server.telemetry import metrics_files\n"
        "print(metrics_files.prepare_directory(), flush=True)\n"
        "{}"
    )
    left = Path(output_of(script.format("os._exit(0)")))
    assert left.exists()
    cleaned = Path(output_of(script.format("")))

    assert not left.exists()
    assert cleaned.exists()
    assert directory.exists()
    metrics_files.cleanup(metrics_files.prepare_directory())
    assert not cleaned.exists()


def test_the_directory_is_the_supervisors_alone(directory: Path) -> None:
    """Nobody else reads what is counted, or puts files among the workers'."""
    assert directory.stat().st_mode & 0o777 == 0o700


def test_without_shared_memory_files_are_temporary_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, and in containers that have it read-only."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)

    directory = metrics_files.prepare_directory()

    assert directory.parent == tmp_path
    metrics_files.cleanup(directory)
