"""Runs the jobs of a queue in this process: claims what is due, keeps its leases, and writes down what came of it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol

from action_server.deadlines import DeadlinePassed, within
from action_server.errors import DatabaseError, DeliveryError, JobError
from action_server.jobs.asking import JobRun, running_job
from action_server.jobs.definitions import Job
from action_server.jobs.forsaken import Forsaken
from action_server.jobs.handover import DEADLINE, DELIVER, Delivery, last_words
from action_server.jobs.origin import read_origin
from action_server.jobs.queue import Claimed, JobQueue
from action_server.runtime.services import Services, use_services
from action_server.runtime.threads import Threads, is_async
from action_server.source import one_line, place_of_failure
from action_server.telemetry.call_notes import Witnesses, noted_call
from action_server.telemetry.durations import milliseconds
from action_server.telemetry.logs import CallContext, calling
from action_server.telemetry.tracing import Tracing

logger = logging.getLogger("action_server.jobs")

# Seconds. How often the queue is looked at where nothing else says that there is work: jobs of other processes.
POLL = 1.0
# How many jobs a worker runs at once.
CONCURRENCY = 4
# How long a stopping worker lets jobs end, in seconds; what is cut off is run again elsewhere.
GRACE = 3.0
# A job whose process died so often is taken for the reason.
MOST_LOSSES = 5
# How long jobs are kept that ended well or were cancelled, and those that are parked.
KEEP, KEEP_PARKED = 7 * 86_400.0, 30 * 86_400.0
_SWEEP_EVERY = 600.0
# How soon it looks again when others were about to take all that is due.
_BUSY = 0.05
_END_PAUSES = (0.0, 0.2, 1.0, 3.0)

# What a call is answered with; a run answers nobody.
_WITHOUT_STATUS = 200

_Why = Literal["", "cancelled", "lost", "stopping"]


class Tally(Protocol):
    """Who counts runs: called with the job's name, its outcome, and the seconds it waited and ran."""

    def __call__(self, job: str, outcome: str, waited: float, ran: float) -> None:
        """Count one."""


@dataclass
class _Running:
    claimed: Claimed
    run: JobRun
    task: asyncio.Task[None] | None = None
    # Why it is cancelled by us, if it is.
    why: _Why = ""
    began: float = field(default_factory=time.monotonic)


class JobRunner:
    """Runs jobs for the length of its block, on the event loop it is entered on; synchronous ones on ``threads``.

    Any number of processes may have one on the same queue.
    """

    def __init__(
        self,
        queue: JobQueue,
        jobs: Mapping[str, Job[..., Any]],
        threads: Threads,
        services: Services | None,
        *,
        concurrency: int = CONCURRENCY,
        poll: float = POLL,
        grace: float = GRACE,
        tally: Tally | None = None,
        tracing: Tracing | None = None,
        witnesses: Callable[[], Witnesses | None] = lambda: None,
    ) -> None:
        self._queue = queue
        self._jobs = jobs
        self._threads = threads
        self._services = services
        self._concurrency = concurrency
        self._poll = poll
        self._grace = grace
        self._tally: Tally = tally or _count_nothing
        self._tracing = tracing or Tracing.off()
        self._witnesses = witnesses
        self._running: dict[str, _Running] = {}
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._is_down = False
        self._has_more = False
        self._forsaken = Forsaken(queue, jobs)
        self._tasks: list[asyncio.Task[None]] = []
        # Of runs, until what came of them is written.
        self._runs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> JobRunner:
        """Begin to run jobs."""
        self._queue.wake = self._wake.set
        steps = (self._claim_and_wait, self._renew, self._sweep)
        # In a context of their own: nothing of whoever enters the block belongs to the jobs.
        empty = contextvars.Context()
        self._tasks = [empty.run(asyncio.create_task, self._repeat(step)) for step in steps]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Claim nothing more, let jobs end for the grace, and give back what is left."""
        await self.stop()

    def claim_no_more(self) -> None:
        """Let what runs go on, and leave what is new to others: this process is about to stop."""
        self._is_stopping = True
        self._wake.set()

    async def stop(self) -> None:
        """Claim nothing more, let jobs end for the grace, and give back what is left."""
        self.claim_no_more()
        claiming, *others = self._tasks
        await asyncio.gather(claiming, return_exceptions=True)
        tasks = list(self._runs)
        if tasks:
            await asyncio.wait(tasks, timeout=self._grace)
        for one in list(self._running.values()):
            self._cut(one, "stopping")
        for task in others:
            task.cancel()
        await asyncio.gather(*tasks, *others, return_exceptions=True)

    async def _repeat(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        # Leases are renewed to the very end.
        while not self._is_stopping or step != self._claim_and_wait:
            try:
                await step()
            except DatabaseError as exc:
                if not self._is_down:
                    logger.warning("job.database_unavailable", extra={"problem": one_line(exc)})
                self._is_down = True
                await asyncio.sleep(self._poll)
            except Exception:
                # Whatever it is: without this, nothing would run any more, or every run look dead.
                logger.exception("job.upkeep_failed")
                await asyncio.sleep(self._poll)

    async def _claim_and_wait(self) -> None:
        self._wake.clear()
        free = 0 if self._is_stopping else self._concurrency - len(self._running)
        # Read first: a claim takes SQLite's write lock, and there is mostly nothing to do. Where there was more than
        # enough just now, there is mostly more.
        due = None
        if free:
            due = 0.0 if self._has_more else await self._queue.next_due(self._jobs)
            self._is_down = self._has_more = False
        # It may have been told to stop while it looked.
        if due is not None and due <= 0 and not self._is_stopping:
            claimed = await self._queue.claim(self._jobs, free)
            for one in claimed:
                self._start(one)
            self._has_more = len(claimed) == free
            if claimed:
                return
        # What is due and was not to be had is being taken by others.
        pause = self._poll if due is None else min(self._poll, due if due > 0 else _BUSY)
        if self._is_stopping:
            return
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except asyncio.TimeoutError:
            return

    async def _renew(self) -> None:
        await asyncio.sleep(self._queue.lease / 5)
        running = list(self._running.values())
        if not running:
            return
        ours, asked = await self._queue.renew([one.claimed for one in running])
        for one in running:
            if one.claimed.id in asked:
                self._cut(one, "cancelled")
            elif one.claimed.id not in ours:
                self._cut(one, "lost")

    async def _sweep(self) -> None:
        await self._forsaken.say()
        deleted = await self._queue.sweep(KEEP, KEEP_PARKED)
        await asyncio.sleep(self._poll if deleted else _SWEEP_EVERY)

    def _cut(self, one: _Running, why: _Why) -> None:
        # Its end may be being written right now; then there is nothing to cut.
        if self._running.get(one.claimed.id) is one and not one.why and one.task is not None:
            one.why = why
            one.run.is_cancelled = True
            one.task.cancel()

    def _start(self, claimed: Claimed) -> None:
        report = partial(self._queue.report, claimed)
        origin = read_origin(claimed.arguments)
        delivery = Delivery(claimed.id, claimed.name, claimed.conversation, origin=origin)
        run = JobRun(claimed.id, claimed.attempt, claimed.fence, False, report, delivery, origin)
        running = self._running[claimed.id] = _Running(claimed, run)
        running.task = asyncio.create_task(self._see_to(running))
        self._runs.add(running.task)
        running.task.add_done_callback(self._runs.discard)

    async def _see_to(self, running: _Running) -> None:
        claimed = running.claimed
        # A name of the job's own; what is logged and asked of others on the way belongs to the call that wanted it.
        told: Any = {"request_id": claimed.request_id, "engine": running.run._origin.engine}
        context = CallContext(claimed.name, claimed.conversation, "job", **told)
        witnesses = self._witnesses()
        seen = None if witnesses is None else witnesses.begin("job", claimed.request_id)
        try:
            with (
                calling(context),
                use_services(self._services),
                self._tracing.job(claimed.name, claimed.traceparent) as span,
            ):
                outcome = await self._outcome(running)
                if outcome.error is not None:
                    span.failed(outcome.error)
                # From here on nothing cuts it: what it came to has to be written.
                self._running.pop(claimed.id, None)
                await self._write(running, outcome)
        finally:
            self._running.pop(claimed.id, None)
            self._wake.set()
            if seen is not None:
                seen.end(_WITHOUT_STATUS, b"")

    async def _outcome(self, running: _Running) -> _Outcome:
        """Run a job, and return how that is to be written, and what is to be said of it."""
        claimed, job = running.claimed, self._jobs[running.claimed.name]
        if claimed.cancel_asked:
            return _Outcome(partial(self._queue.cancelled, claimed), "cancelled")
        if claimed.losses > MOST_LOSSES:
            return self._parked(claimed, f"its process died {claimed.losses} times")
        if claimed.left <= 0:
            return self._parked(claimed, "its deadline passed")
        limit = claimed.left if job.rules.timeout is None else min(claimed.left, job.rules.timeout)
        try:
            arguments = job.decode_arguments(claimed.arguments)
        except JobError as exc:
            # A later version of the actions may take what this one does not; it is retried like any failure.
            return self._failed(claimed, job, exc, str(exc))
        token = running_job.set(running.run)
        try:
            result = await within(limit, self._threads.call(_of_kind(job, arguments)))
        except asyncio.CancelledError as exc:
            return self._after_cancel(running, job, exc)
        except DeadlinePassed as exc:
            running.run.is_cancelled = True
            return self._failed(claimed, job, exc, f"took longer than {limit:g} s")
        except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as exc:  # noqa: BLE001 - written down
            return self._after_error(claimed, job, exc)
        finally:
            running_job.reset(token)
        try:
            text = job.encode_result(result)
        except JobError as exc:
            # It has done its work: a repeat would come to the same.
            return self._parked(claimed, str(exc))
        return _Outcome(partial(self._finish, running, text), "done")

    async def _finish(self, running: _Running, result: str) -> bool:
        """Hand over what the run wants said, and write that it is done.

        Killed in between, it is run once more; the key of what was handed over makes one delivery of the two.
        """
        said = running.run._delivery
        if not said.is_empty:
            await self._queue.enqueue(said.as_order(running.claimed, self._deadline_of_deliveries))
        return await self._queue.done(running.claimed, result)

    @property
    def _deadline_of_deliveries(self) -> float:
        deliver = self._jobs.get(DELIVER)
        return DEADLINE if deliver is None else deliver.rules.deadline

    def _after_error(self, claimed: Claimed, job: Job[..., Any], error: BaseException) -> _Outcome:
        """Return the end of a run that raised. Only of an error of ours are the words known to hold no value."""
        if isinstance(error, DeliveryError):
            if error.is_final:
                return self._parked(claimed, str(error), error)
            return self._failed(claimed, job, error, str(error))
        place = place_of_failure(error)
        return self._failed(claimed, job, error, type(error).__name__ + (f" at {place}" if place else ""))

    def _failed(self, claimed: Claimed, job: Job[..., Any], error: BaseException, problem: str) -> _Outcome:
        """Return the end of a run that failed: another one after a pause, if there may be one."""
        pause = job.rules.pause(claimed.attempt)
        if claimed.attempt > job.rules.retries:
            return self._parked(claimed, problem, error)
        if pause >= claimed.left:
            return self._parked(claimed, f"{problem}; a retry would be after its deadline", error)
        facts = {"problem": problem, "retry_in": round(pause, 3)}
        return _Outcome(partial(self._queue.retry, claimed, pause, problem), "failed", facts, error)

    def _parked(self, claimed: Claimed, problem: str, error: BaseException | None = None) -> _Outcome:
        return _Outcome(partial(self._park, claimed, problem), "parked", {"problem": problem}, error)

    async def _park(self, claimed: Claimed, problem: str) -> bool:
        then = last_words(self._jobs[claimed.name], claimed, self._deadline_of_deliveries)
        return await self._queue.park(claimed, problem, then)

    def _after_cancel(self, running: _Running, job: Job[..., Any], error: asyncio.CancelledError) -> _Outcome:
        queue, claimed = self._queue, running.claimed
        if running.why == "cancelled":
            return _Outcome(partial(queue.cancelled, claimed), "cancelled")
        if running.why == "lost":
            return _Outcome(None, "lost")
        if running.why == "stopping":
            # A thread goes on until the process has ended: nobody else should begin before.
            pause = 0.0 if is_async(job.function) else queue.lease
            return _Outcome(partial(queue.give_back, claimed, pause), "given_back")
        return self._after_error(claimed, job, error)

    async def _write(self, running: _Running, outcome: _Outcome) -> None:
        claimed, error = running.claimed, outcome.error
        ran, ended = time.monotonic() - running.began, time.perf_counter()
        is_written = outcome.end is None or await self._try_to_write(claimed, outcome.end)
        word = outcome.word if is_written else "lost"
        self._tally(claimed.name, word, claimed.waited, ran)
        told = {
            "job": claimed.name,
            "job_id": claimed.id,
            "attempt": claimed.attempt,
            "ms": milliseconds(ran),
            "waited_ms": milliseconds(claimed.waited),
            **outcome.facts,
        }
        traceback = error if error is not None and not isinstance(error, (DeadlinePassed, JobError)) else None
        _note(claimed, word, ended)
        event, level = _LINES[word]
        logger.log(level, event, extra=told, exc_info=traceback)

    async def _try_to_write(self, claimed: Claimed, end: _End) -> bool:
        problem = ""
        for pause in _END_PAUSES:
            await asyncio.sleep(pause)
            try:
                return await end()
            except DatabaseError as exc:
                problem = one_line(exc)
        # Its lease ends, and somebody runs it once more.
        logger.error("job.not_written", extra={"job": claimed.name, "job_id": claimed.id, "problem": problem})
        return False


_End = Callable[[], Coroutine[Any, Any, bool]]
# What a run's line is called, and how loud it is.
_LINES = {
    "done": ("job.done", logging.INFO),
    "failed": ("job.failed", logging.WARNING),
    "parked": ("job.parked", logging.ERROR),
    "cancelled": ("job.cancelled", logging.INFO),
    "given_back": ("job.given_back", logging.INFO),
    "lost": ("job.lost", logging.WARNING),
}


class _Outcome(NamedTuple):
    """How a run is written down (None: not at all), the word for it, facts for the log, and the error behind it."""

    end: _End | None
    word: str
    facts: Mapping[str, object] = {}
    error: BaseException | None = None


def _note(claimed: Claimed, word: str, ended: float) -> None:
    """Tell whoever sees this run what came of it."""
    notes = noted_call.get()
    if notes is not None:
        notes.action, notes.sender_id, notes.job, notes.outcome = claimed.name, claimed.conversation, claimed.id, word
        notes.started, notes.ended = notes.began, ended


def _of_kind(job: Job[..., Any], arguments: Mapping[str, Any]) -> Callable[[], Any]:
    """Return a call of the job's function without arguments; a coroutine function's is one, too."""
    return partial(job.function, **arguments)


def _count_nothing(job: str, outcome: str, waited: float, ran: float) -> None:
    """Count nothing."""
