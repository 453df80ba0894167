"""The watchdog: what blocks the event loop is named, once, with the action and the line."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
import uvloop

from action_server.telemetry import watchdog as watchdog_module
from action_server.telemetry.logs import CallContext, calling
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.watchdog import Blocking, LoopWatchdog
from tests.processes import PATIENCE

# Reported after this many seconds, so that the tests need not last longer.
THRESHOLD = 0.02

Loops = Callable[[], asyncio.AbstractEventLoop]
LOOPS = [
    pytest.param(asyncio.SelectorEventLoop, id="asyncio"),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]


class Log(logging.Handler):
    """What the watchdog logs. Blocking code waits here until the watchdog has seen it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.seen = threading.Event()
        self.reported = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        # A busy machine can make the loop late on its own account.
        if "test_watchdog" in vars(record)["place"]:
            (self.seen if record.msg == "loop.still_blocked" else self.reported).set()

    def lines(self, event: str, report: Blocking) -> int:
        facts = (event, report.action, report.place)
        return [(r.msg, vars(r)["action"], vars(r)["place"]) for r in self.records].count(facts)

    def block(self) -> None:
        """Block the calling thread until the watchdog has noticed."""
        assert self.seen.wait(PATIENCE)


@pytest.fixture
def log() -> Iterator[Log]:
    handler = Log()
    logger = logging.getLogger("action_server.telemetry.watchdog")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def watched(
    loops: Loops, log: Log, action: Callable[[], Awaitable[object]], metrics: Metrics | None = None
) -> Blocking:
    """Run an action that blocks the loop on a loop of its own; return the watchdog's only report of it."""
    # Patience enough that what a busy machine did before the block is not what is seen most.
    dog = LoopWatchdog(THRESHOLD, patience=10 * THRESHOLD, metrics=metrics)

    async def run() -> None:
        dog.start()
        await action()
        assert await asyncio.to_thread(log.reported.wait, PATIENCE)
        dog.stop()

    loop = loops()
    try:
        loop.run_until_complete(run())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    (report,) = [report for report in dog.recent() if "test_watchdog" in report.place]
    return report


def line_of(function: Callable[..., object], text: str) -> str:
    """Where a line of a function of this file is, as the watchdog writes it."""
    lines, first = inspect.getsourcelines(function)
    offset = next(n for n, line in enumerate(lines) if text in line)
    return f"tests/action_server/telemetry/test_watchdog.py:{first + offset}"


@pytest.mark.parametrize("loops", LOOPS)
def test_an_action_that_blocks_the_loop_is_named_with_its_line(loops: Loops, log: Log) -> None:
    """Once, however often it was looked at; the line is the author's, not that of the library it waits in."""

    async def action() -> None:
        with calling(CallContext("action_slow", "conversation-1")):
            log.block()

    began = time.monotonic()
    report = watched(loops, log, action)

    # Event.wait, called by `block`, is the standard library's.
    assert (report.action, report.place) == ("action_slow", line_of(Log.block, "self.seen.wait"))
    assert THRESHOLD < report.seconds <= time.monotonic() - began
    assert log.lines("loop.blocked", report) == 1
    assert log.lines("loop.still_blocked", report) == 1


@pytest.mark.parametrize("loops", LOOPS)
def test_a_task_that_an_action_started_counts_as_the_actions(loops: Loops, log: Log) -> None:
    """`gather`, `create_task` and, before Python 3.12, `wait_for` run in tasks of their own."""

    async def part() -> None:
        log.block()

    async def action() -> None:
        with calling(CallContext("action_parts", "conversation-1")):
            await asyncio.gather(asyncio.sleep(0), asyncio.wait_for(part(), PATIENCE))

    assert watched(loops, log, action).action == "action_parts"


@pytest.mark.parametrize("loops", LOOPS)
def test_of_many_calls_the_blocking_one_is_named(loops: Loops, log: Log) -> None:
    """Others that wait at the same time are not to blame, and one that ended before is forgotten."""
    waiting = 20
    release: list[asyncio.Event] = []

    async def patient(number: int) -> None:
        with calling(CallContext(f"action_patient_{number}", "conversation-1")):
            await release[0].wait()

    async def blocking() -> None:
        with calling(CallContext("action_before", "conversation-1")):
            await asyncio.sleep(0)
        with calling(CallContext("action_slow", "conversation-2")):
            log.block()
        release[0].set()

    async def action() -> None:
        release.append(asyncio.Event())
        await asyncio.gather(*(patient(n) for n in range(waiting)), blocking())

    assert watched(loops, log, action).action == "action_slow"


@pytest.mark.parametrize("loops", LOOPS)
def test_code_outside_of_a_call_is_named_by_its_line_alone(loops: Loops, log: Log) -> None:
    """A callback belongs to no task, the start of a service to no call."""

    async def action() -> None:
        asyncio.get_running_loop().call_soon(log.block)
        await asyncio.sleep(0)

    report = watched(loops, log, action)

    assert (report.action, report.place) == ("", line_of(Log.block, "self.seen.wait"))


def test_the_log_line_has_the_conversation(log: Log) -> None:
    """It is written in the call's context, from which the log takes what belongs on every line."""
    conversations: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        from action_server.telemetry.logs import current_call

        if record.msg == "loop.blocked" and vars(record)["action"]:
            conversations.append(current_call().sender_id)
        return True

    async def action() -> None:
        with calling(CallContext("action_slow", "conversation-1")):
            log.block()

    log.addFilter(note)
    report = watched(asyncio.SelectorEventLoop, log, action)

    assert conversations == ["conversation-1"]
    assert "conversation" not in repr(report)


def test_blocking_and_lag_are_measured(log: Log) -> None:
    """The metrics name the action and the place, and how late the loop answered."""
    metrics = Metrics()
    metrics.know(["action_slow"])

    async def action() -> None:
        with calling(CallContext("action_slow", "conversation-1")):
            log.block()

    report = watched(asyncio.SelectorEventLoop, log, action, metrics)

    page = metrics.render().body.decode()
    labels = f'{{action="action_slow",place="{report.place}"}}'
    assert f"action_server_loop_blocked_total{labels} 1.0" in page
    assert f"action_server_loop_blocked_seconds_total{labels} {report.seconds}" in page
    assert "action_server_loop_lag_seconds_count 0" not in page
    assert "action_server_workers 1.0" in page


async def test_stopping_leaves_no_thread() -> None:
    """Also right after the start."""
    dog = LoopWatchdog()
    dog.start()
    assert "loop-watchdog" in [thread.name for thread in threading.enumerate()]

    dog.stop()

    assert "loop-watchdog" not in [thread.name for thread in threading.enumerate()]


def test_a_watchdog_that_was_never_started_can_be_stopped() -> None:
    """A start that failed half-way is cleaned up in one way."""
    LoopWatchdog().stop()


@pytest.mark.parametrize("loops", LOOPS)
def test_the_watchdog_ends_with_its_loop(loops: Loops) -> None:
    """Closing the loop without stopping the watchdog first is no error."""

    async def start() -> None:
        LoopWatchdog(THRESHOLD).start()

    loop = loops()
    loop.run_until_complete(start())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "loop-watchdog"]
    loop.close()

    thread.join(PATIENCE)

    assert not thread.is_alive()


# Time as the watchdog reads it, made up: a threshold of 100 ms, looked at every 25 ms.


class Stepped(LoopWatchdog):
    """A watchdog without a thread. The loop answers in ``ms`` milliseconds of made-up time."""

    def __init__(self, patience: float = 5.0) -> None:
        super().__init__(0.1, patience=patience)
        self._loop = cast(Any, self)
        self._loop_thread = threading.get_ident()
        self.now = self.cpu = 0.0
        self._begin(0.0, 0.0)

    def call_soon_threadsafe(self, answer: Callable[[], None]) -> None:
        """Stand in for the loop, which answers when the test says so."""

    def answers(self, ms: float = 0) -> Stepped:
        self._answered = self.now + ms / 1000
        return self

    def step(self, ms: float = 25, computed: float = 0) -> Stepped:
        self.now += ms / 1000
        self.cpu += computed / 1000
        self._tick(self.now, self.cpu)
        return self

    def blocked_for(self, ms: int) -> Stepped:
        """Let the loop be silent for ``ms`` milliseconds and then answer."""
        for _ in range(ms // 25):
            self.step()
        return self.answers(-10).step().answers().step()

    def reported(self) -> list[int]:
        return [round(report.seconds * 1000) for report in self.recent()]


def test_a_loop_that_answers_is_not_reported() -> None:
    """Nor is one that takes 80 of the 100 milliseconds."""
    dog = Stepped()
    for _ in range(10):
        dog.answers(1).step()
    dog.blocked_for(75)

    assert dog.reported() == []


def test_every_silence_over_the_threshold_is_reported_once() -> None:
    """With its whole length, the newest first; no second time while the loop answers."""
    dog = Stepped().answers().step().blocked_for(150)
    dog.answers().step().answers().step().blocked_for(300)

    assert dog.reported() == [315, 165]


def test_the_last_ten_reports_are_kept() -> None:
    """They are for a page a person looks at."""
    dog = Stepped()
    for ms in range(200, 500, 25):
        dog.answers().step().blocked_for(ms)

    assert len(dog.reported()) == 10
    assert dog.reported() == sorted(dog.reported(), reverse=True)


def test_a_loop_that_never_comes_back_is_logged_while_it_lasts(log: Log) -> None:
    """One line when the patience is over; there may never be an end to report."""
    dog = Stepped(patience=1.0)
    for _ in range(200):
        dog.step()

    assert [record.msg for record in log.records] == ["loop.still_blocked"]
    assert dog.reported() == []


def test_a_process_that_stood_still_is_not_the_loops_fault() -> None:
    """A laptop's lid, SIGSTOP, a container out of CPU: this thread was late and the loop's did not compute."""
    dog = Stepped().answers(1).step()

    dog.step(10_000).answers().step()
    dog.answers(10_000).step(10_000).answers().step()

    assert dog.reported() == []


def test_a_silence_does_not_grow_by_the_time_the_process_stood_still() -> None:
    """Blocking that was interrupted is reported with its own length."""
    dog = Stepped().answers(1).step().step().step()

    dog.step(10_000).blocked_for(150)

    assert dog.reported() == [239]


def test_code_that_holds_the_interpreters_lock_is_reported() -> None:
    """No thread ran during a slow regular expression, the watchdog's included, but the loop's computed all the time."""
    dog = Stepped().answers(1).step().answers(1)

    dog.step(500, computed=490).answers().step()

    assert dog.reported() == [499]
    assert dog.recent()[0].place.startswith("tests/action_server/telemetry/test_watchdog.py:")


def test_the_cpu_clock_of_the_loops_thread_is_read_from_another(log: Log) -> None:
    """Computing on the loop is seen by the watchdog's thread, and its own work does not count."""
    dog = LoopWatchdog(60)
    clocks: list[float] = []

    async def compute() -> None:
        dog.start()
        dog.stop()
        before = time.thread_time()
        read = threading.Thread(target=lambda: clocks.append(dog._cpu_clock()))
        while time.thread_time() < before + 0.02:
            pass
        read.start()
        read.join()
        clocks.append(time.thread_time())

    asyncio.run(compute())

    seen, own = clocks
    assert own - 0.02 < seen <= own + (1 if sys.platform == "darwin" else 0)


async def test_one_look_that_fails_is_said_once_and_the_watchdog_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has no free descriptor, say; later blocking is still reported."""
    metrics = Metrics(enabled=False)
    ticks = threading.Semaphore(0)

    def fail() -> None:
        ticks.release()
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(metrics, "sample_process", fail)
    monkeypatch.setattr(watchdog_module, "_SAMPLE_INTERVAL", 0.0)
    watchdog = LoopWatchdog(THRESHOLD, metrics=metrics)
    watchdog.start()
    for _ in range(3):
        assert await asyncio.to_thread(ticks.acquire, timeout=PATIENCE)
    watchdog.stop()

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["watchdog.failed"]


def test_a_frame_that_stands_in_no_line_has_the_line_of_its_function() -> None:
    """Python has instructions without a line; the watchdog may look just then."""

    class Frame:
        f_code = (lambda: None).__code__
        f_lineno = None

    assert watchdog_module._line_of(cast("Any", Frame)) == Frame.f_code.co_firstlineno
