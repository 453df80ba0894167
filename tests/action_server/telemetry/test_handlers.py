"""Lines in batches reach the log whatever ends the process but SIGKILL; a log that fails says so once a minute."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from action_server.telemetry.handlers import LONGEST_WAIT, MOST_LINES, LineHandler
from action_server.telemetry.watchdog import LoopWatchdog
from tests.action_server.telemetry.logged_lines import configure, json_lines, new_logger
from tests.action_server.telemetry.metrics_pages import output_of
from tests.processes import PATIENCE

pytestmark = pytest.mark.usefixtures("logging_as_before")


class Stream(io.StringIO):
    """Counts writes."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.was_written = asyncio.Event()

    def write(self, text: str) -> int:
        self.pieces.append(text)
        self.was_written.set()
        return super().write(text)


async def test_lines_of_one_moment_are_one_write() -> None:
    """Written by the loop's timer, soon."""
    stream = Stream()
    handler = LineHandler(stream)
    for number in range(5):
        handler.put(str(number))
    assert stream.pieces == []

    await asyncio.wait_for(stream.was_written.wait(), PATIENCE)

    assert stream.pieces == ["0\n1\n2\n3\n4\n"]


def block_until(is_there: Callable[[], object]) -> None:
    """Let nothing else run on this thread."""
    deadline = time.monotonic() + PATIENCE
    while not is_there() and time.monotonic() < deadline:
        time.sleep(0.005)


async def test_lines_of_calls_are_written_though_the_loop_is_blocked() -> None:
    """The worker may be killed before the loop's timer runs, and each answer is to have its line."""
    stream = io.StringIO()
    dog, handler = LoopWatchdog(), LineHandler(stream)
    dog.start()
    handler.put("answered")
    block_until(stream.getvalue)
    dog.stop()

    assert stream.getvalue() == "answered\n"


async def test_no_more_lines_wait_than_it_says() -> None:
    """What a SIGKILL loses is bounded by a number, too."""
    stream = Stream()
    handler = LineHandler(stream)
    for number in range(MOST_LINES):
        handler.put(str(number))

    assert "".join(stream.pieces).split() == [str(number) for number in range(MOST_LINES)]


async def test_a_pipe_keeps_each_line_in_one_piece() -> None:
    """Several workers write to one; a line longer than a pipe keeps together stands alone."""
    stream = Stream()
    handler = LineHandler(stream)
    lines = ["é" * 1500, "a" * 3000, "b" * 9000, "c", "d" * 4000]
    for line in lines:
        handler.put(line)
    handler.flush()

    assert "".join(stream.pieces).splitlines() == lines
    assert all(len(piece.encode()) <= 4096 or piece.count("\n") == 1 for piece in stream.pieces)


def test_a_loop_that_ended_before_its_timer_leaves_no_line_behind() -> None:
    """The next loop sets a timer of its own."""
    stream = Stream()
    handler = LineHandler(stream)

    async def put(line: str) -> None:
        handler.put(line)

    async def put_and_wait(line: str) -> None:
        handler.put(line)
        await asyncio.wait_for(stream.was_written.wait(), PATIENCE)

    asyncio.run(put("first"))
    asyncio.run(put_and_wait("second"))

    assert stream.getvalue() == "first\nsecond\n"


ENDS = {
    "an ordinary end": "",
    "an exception": "raise SystemExit(0)",
    "an end that skips Python's own": "import os; logging.shutdown(); os._exit(0)",
}
WRITE_AND_END = """
import asyncio, logging, sys
from action_server.telemetry import logs
from action_server.telemetry.handlers import LineHandler
logs.configure(logs.LogSettings())
logging.root.handlers[0].setStream(sys.stdout)
async def main():
    logging.root.handlers[0].put("the line")
    {end}
asyncio.run(main())
"""


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
def test_a_line_that_waits_is_written_at_the_end(end: str) -> None:
    """The three ways in which a worker ends."""
    assert output_of(WRITE_AND_END.format(end=end)) == "the line"


FORK = "import os; child = os.fork(); child or logging.getLogger('child').info('x'); child and os.waitpid(child, 0)"


def test_a_forked_child_does_not_write_its_parents_lines() -> None:
    """An action may fork while lines wait."""
    assert output_of(WRITE_AND_END.format(end=FORK)).count("the line") == 1


class FullDisk(io.StringIO):
    """A log on a disk without space, until there is some."""

    is_full = True

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which stands still."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def fill(disk: FullDisk) -> LineHandler:
    handler = logging.root.handlers[0]
    assert isinstance(handler, LineHandler)
    handler.setStream(disk)
    return handler


def test_a_full_disk_is_said_once_a_minute(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    """Three thousand calls gave 31 MB of tracebacks. How many lines are lost is said, and what the system says."""
    configure(format="json")
    handler = fill(FullDisk())
    for _ in range(1000):
        new_logger().info("booked for Ann")
        handler.put("line")
    clock[0] += 61
    new_logger().info("booked for Ann")

    first, second = json_lines(capsys.readouterr().err)
    assert (first["event"], first["level"], first["error"]) == ("log.not_written", "error", "OSError")
    assert first["problem"] == os.strerror(errno.ENOSPC)
    assert (first["lines"], second["lines"]) == (1, 2000)


class FullFile(FullDisk):
    """A log file on such a disk: what is written waits in memory, and it is the flush that fails."""

    def write(self, text: str) -> int:
        return io.StringIO.write(self, text)

    def flush(self) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_timer_that_writes_lines_to_a_full_disk_leaves_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody asked for it who could be told: the event loop would write a traceback each time."""
    configure(format="json")
    handler = fill(FullFile())
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    for _ in range(3):
        handler.put("line")
        await asyncio.sleep(3 * LONGEST_WAIT)
        handler.flush()

    assert failures == []
    assert [line["event"] for line in json_lines(capsys.readouterr().err)] == ["log.not_written"]


def test_the_log_goes_on_when_there_is_space_again(clock: list[float]) -> None:
    """Nothing has to be restarted."""
    configure()
    disk = FullDisk()
    handler = fill(disk)
    handler.put("lost")
    disk.is_full = False
    handler.put("kept")

    assert disk.getvalue() == "kept\n"


def test_a_line_that_cannot_be_formatted_names_its_place_and_no_value(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    """logging's own traceback shows the arguments; the place is what its author needs."""
    configure()
    for _ in range(3):
        new_logger().info("%d calls", "Ann")
    new_logger().info("%d calls", "Bob")

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(f"place={Path(__file__)}:" in line and "error=TypeError" in line for line in lines)
    assert not any(name in line for line in lines for name in ("Ann", "Bob"))


def test_a_handler_of_a_configuration_file_says_it_once_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    """It is the failure that counts, not whose handler it is."""
    file = tmp_path / "logging.yml"
    handler = "{class: logging.StreamHandler, stream: ext://sys.stdout}"
    file.write_text(f"version: 1\nhandlers: {{out: {handler}}}\nroot: {{level: INFO, handlers: [out]}}\n")
    configure(config_file=file)
    stream = logging.root.handlers[0]
    assert isinstance(stream, logging.StreamHandler)
    stream.setStream(FullDisk())
    for _ in range(100):
        new_logger().info("x")

    assert capsys.readouterr().err.count("\n") == 1


def test_nothing_is_said_where_python_is_told_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`logging.raiseExceptions` is Python's own switch."""
    configure()
    monkeypatch.setattr(logging, "raiseExceptions", False)
    new_logger().info("%d calls", "Ann")

    assert capsys.readouterr().err == ""


def test_standard_error_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may run without one."""
    configure()
    fill(FullDisk())
    monkeypatch.setattr(sys, "stderr", None)

    new_logger().info("x")
