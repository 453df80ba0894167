"""Processes append to one file: nothing is torn, mixed up or given twice, whoever is killed and whatever is full."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from action_server.inspector.calls_file import CallsFile, Wanted
from tests.action_server.inspector.test_calls_file import ended
from tests.processes import PATIENCE, ROOT, environment

WRITER = """
import sys
from pathlib import Path
from action_server.inspector.calls_file import CallsFile
from tests.action_server.inspector.test_calls_file import ended

folder, worker, batches = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
file = CallsFile(folder, 2000, 1 << 24, worker)
for batch in range(batches):
    file.write([ended(n, sender=f"{worker}-{batch}-{n}", size=5000) for n in range(5)])
    print(batch, flush=True)
"""


def writer(folder: Path, worker: int, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(worker), str(batches)]
    return subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)


def check_all(file: CallsFile) -> int:
    """Read every call; return how many there are."""
    rows = file.find(Wanted(), 100_000)
    assert [row.id for row in rows] == list(range(file.newest.number, file.newest.number - len(rows), -1))
    for row in rows:
        call = file.read(row.id)
        assert call is not None
        assert call.row == row
        assert call.request == {"a": "x" * (row.request - 9)}
        assert call.reply == {}
    return len(rows)


def test_workers_append_at_once(tmp_path: Path) -> None:
    workers = [writer(tmp_path, number, 100) for number in (1, 2)]
    for one in workers:
        assert len(one.communicate(timeout=PATIENCE)[0].split()) == 100
    file = CallsFile(tmp_path, 2000, 1 << 24, 3)

    assert check_all(file) == 1000
    assert {row.worker for row in file.find(Wanted(), 1000)} == {1, 2}


def test_a_worker_that_is_killed_leaves_whole_calls(tmp_path: Path) -> None:
    file = CallsFile(tmp_path, 2000, 1 << 24, 2)
    for _ in range(3):
        killed = writer(tmp_path, 1, 10_000)
        assert killed.stdout is not None
        # In the middle of whatever it does when it has written a few.
        for _ in range(20):
            killed.stdout.readline()
        killed.kill()
        killed.communicate(timeout=PATIENCE)
        (number,) = file.write([ended(1, size=5000)])
        check_all(file)
        assert file.newest.number == number


@pytest.mark.parametrize("kind", ["rows", "parts"])
def test_what_was_half_written_is_cut_off(tmp_path: Path, kind: str) -> None:
    """As a process leaves it that is killed between two of its steps."""
    file = CallsFile(tmp_path, 100, 1 << 20, 1)
    file.write([ended(1), ended(2)])
    (half,) = tmp_path.glob(f"*.{kind}")
    with half.open("ab") as target:
        target.write(b'[false,3.0,"http","acti')

    assert check_all(file) == 2
    assert file.write([ended(3)]) == [3]
    assert check_all(file) == 3


def test_rows_that_nobody_counted_keep_their_numbers(tmp_path: Path) -> None:
    """A process was killed when it had written its rows, and not yet where the next ones go."""
    file = CallsFile(tmp_path, 100, 1 << 20, 1)
    file.write([ended(1)])
    (state,) = tmp_path.glob("*.state")
    before = state.read_bytes()
    file.write([ended(2), ended(3)])
    state.write_bytes(before)

    assert file.write([ended(4)]) == [4]
    assert check_all(file) == 4


@pytest.mark.parametrize("content", [b"", b"torn"])
def test_a_state_that_is_lost_is_found_again(tmp_path: Path, content: bytes) -> None:
    file = CallsFile(tmp_path, 100, 1 << 20, 1)
    file.write([ended(1), ended(2)])
    (state,) = tmp_path.glob("*.state")
    state.write_bytes(content)

    assert file.write([ended(3)]) == [3]
    assert check_all(file) == 3


def test_rows_that_are_no_rows_are_left_out(tmp_path: Path) -> None:
    file = CallsFile(tmp_path, 100, 1 << 20, 1)
    file.write([ended(1), ended(2)])
    (rows,) = tmp_path.glob("*.rows")
    rows.write_bytes(rows.read_bytes().replace(b"[false", b"[\x00\x00\x00\x00\x00", 1))

    assert [row.id for row in file.find(Wanted(), 10)] == [2]
    assert file.read(1) is None


def test_a_disk_that_is_full_takes_all_or_nothing(tmp_path: Path) -> None:
    file = CallsFile(tmp_path, 100, 1 << 20, 1)
    file.write([ended(1, size=1000)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            file.write([ended(n, size=40_000) for n in (2, 3)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert check_all(file) == 1
    assert file.write([ended(4)]) == [2]
    assert check_all(file) == 2
