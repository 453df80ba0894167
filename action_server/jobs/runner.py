"""Runs the jobs of a queue in this process: claims what is due, keeps its leases, and writes down what came of it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Literal, Protocol

from action_server.deadlines import DeadlinePassed, within
from action_server.errors import DatabaseError, JobError
from action_server.jobs.asking import JobRun, running_job
from action_server.jobs.definitions import Job
from action_server.jobs.forsaken import Forsaken
from action_server.jobs.handover import Delivery
from action_server.jobs.holding import Places
from action_server.jobs.origin import read_origin
from action_server.jobs.outcomes import LINES, End, Outcome, Outcomes
from action_server.jobs.periodic import PeriodicJobs, is_periodic, result_id
from action_server.jobs.queue import Claimed, JobQueue
from action_server.jobs.signals import GiveUp, RetryLater
from action_server.runtime.services import Services, use_services
from action_server.runtime.threads import Threads
from action_server.source import one_line
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
# How long jobs are kept that ended well or were cancelled, and those that are parked.
KEEP, KEEP_PARKED = 7 * 86_400.0, 30 * 86_400.0
_SWEEP_EVERY = 600.0
# How often the rows of periodic jobs are looked for: somebody may have deleted one.
_LOOK_EVERY = 60.0
# How soon it looks again when it has begun all that was due: most jobs take less, and their end is a reason to look.
_SOON = 0.01
# How soon it looks again when others were about to take all that is due.
_BUSY = 0.05
_END_PAUSES = (0.0, 0.2, 1.0, 3.0)

# Errors whose words say all there is.
_OF_OURS = (DeadlinePassed, JobError, RetryLater, GiveUp)
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
    # What it came to, when that is known.
    word: str = ""


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
        known: Collection[str] = (),
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
        self._forsaken = Forsaken(queue, {*jobs, *known})
        self._periodic = PeriodicJobs(queue, jobs)
        self._places = Places(jobs)
        self._outcomes = Outcomes(queue, jobs)
        self._tasks: list[asyncio.Task[None]] = []
        # Of runs, until what came of them is written.
        self._runs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> JobRunner:
        """Begin to run jobs."""
        self._queue.wake = self._wake_for_more
        steps = (self._claim_and_wait, self._renew, self._sweep, self._look_after_periodic)
        # In a context of their own: nothing of whoever enters the block belongs to the jobs.
        empty = contextvars.Context()
        self._tasks = [empty.run(asyncio.create_task, self._repeat(step)) for step in steps]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Claim nothing more, let jobs end for the grace, and give back what is left."""
        await self.stop()

    def _wake_for_more(self) -> None:
        # Somebody here knows of one: no need to look first.
        self._has_more = True
        self._wake.set()

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
                    told = {"database": self._queue.database.place, "problem": one_line(exc)}
                    logger.warning("job.database_unavailable", extra=told)
                self._is_down = True
                await asyncio.sleep(self._poll)
            except Exception:
                # Whatever it is: without this, nothing would run any more, or every run look dead.
                logger.exception("job.upkeep_failed")
                await asyncio.sleep(self._poll)

    async def _claim_and_wait(self) -> None:
        self._wake.clear()
        free = 0 if self._is_stopping else self._concurrency - len(self._running)
        running = Counter(one.claimed.name for one in self._running.values())
        shares = self._places.share(running, free)
        # Read first: a claim takes SQLite's write lock, and there is mostly nothing to do. Where there was more than
        # enough just now, there is mostly more; of several shares it has to be known who waits longest.
        due = {}
        if shares:
            is_known, self._has_more = self._has_more and len(shares) == 1, False
            due = {one: 0.0 if is_known else await self._queue.next_due(one.names) for one in shares}
            self._is_down = False
        began = False
        # Whose oldest job is due longest comes first.
        for share, seconds in sorted(due.items(), key=lambda one: _or_never(one[1])):
            places = min(share.places, self._concurrency - len(self._running))
            # It may have been told to stop while it looked.
            if seconds is None or seconds > 0 or places < 1 or self._is_stopping:
                continue
            claimed = await self._queue.claim(share.names, places)
            for one in claimed:
                self._start(one)
            self._has_more = len(shares) == 1 and len(claimed) == free
            began = began or bool(claimed)
        if not self._is_stopping and not (began and self._has_more):
            soonest = min(map(_or_never, due.values()), default=math.inf)
            await self._wait_for(_SOON if began else soonest)

    async def _wait_for(self, due: float) -> None:
        """Wait until something is due, in so many seconds, a hold is over, or there is a reason to look before."""
        # What is due and was not to be had is being taken by others.
        pause = min(self._poll, due if due > 0 else _BUSY, _or_never(self._places.opens_in))
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

    async def _look_after_periodic(self) -> None:
        await self._periodic.look()
        self._wake.set()
        await asyncio.sleep(_LOOK_EVERY)

    def _cut(self, one: _Running, why: _Why) -> None:
        # Its end may be being written right now; then there is nothing to cut.
        if self._running.get(one.claimed.id) is one and not one.why and one.task is not None:
            one.why = why
            one.run.is_cancelled = True
            one.task.cancel()

    def _start(self, claimed: Claimed) -> None:
        report = partial(self._queue.report, claimed)
        origin = read_origin(claimed.arguments)
        delivery = Delivery(result_id(claimed), claimed.name, claimed.conversation, origin=origin)
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
                self._note_system(claimed.name, outcome)
                # From here on nothing cuts it: what it came to has to be written.
                self._running.pop(claimed.id, None)
                await self._write(running, outcome)
        finally:
            self._running.pop(claimed.id, None)
            self._wake.set()
            if seen is not None:
                # A periodic job that has nothing to say would fill the list.
                if is_periodic(claimed) and running.word == "done":
                    seen.dismiss()
                else:
                    seen.end(_WITHOUT_STATUS, b"")

    async def _outcome(self, running: _Running) -> Outcome:
        """Run a job, and return how that is to be written, and what is to be said of it."""
        claimed, job, outcomes = running.claimed, self._jobs[running.claimed.name], self._outcomes
        if claimed.cancel_asked:
            return outcomes.cancelled(claimed)
        early = outcomes.without_run(claimed)
        if early is not None:
            return early
        left = None if is_periodic(claimed) else claimed.left
        limit = min((limit for limit in (left, job.rules.timeout) if limit is not None), default=None)
        try:
            arguments = job.decode_arguments(claimed.arguments)
        except JobError as exc:
            # A later version of the actions may take what this one does not; it is retried like any failure.
            return outcomes.failed(claimed, exc, str(exc))
        token = running_job.set(running.run)
        try:
            result = await within(limit, self._threads.call(_of_kind(job, arguments)))
        except asyncio.CancelledError as exc:
            return self._after_cancel(running, exc)
        except DeadlinePassed as exc:
            running.run.is_cancelled = True
            return outcomes.failed(claimed, exc, f"took longer than {limit:g} s")
        except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as exc:  # noqa: BLE001 - written down
            return outcomes.raised(claimed, exc)
        finally:
            running_job.reset(token)
        try:
            text = job.encode_result(result)
        except JobError as exc:
            # It has done its work: a repeat would come to the same.
            return outcomes.parked(claimed, str(exc))
        return outcomes.returned(claimed, running.run, text)

    def _after_cancel(self, running: _Running, error: asyncio.CancelledError) -> Outcome:
        if running.why == "cancelled":
            return self._outcomes.cancelled(running.claimed)
        if running.why == "lost":
            return Outcome(None, "lost")
        if running.why == "stopping":
            return self._outcomes.given_back(running.claimed)
        return self._outcomes.raised(running.claimed, error)

    def _note_system(self, name: str, outcome: Outcome) -> None:
        """Take note of whether the system answers that jobs of this name speak to."""
        if outcome.hold:
            self._places.hold(name, outcome.hold, str(outcome.error))
        elif outcome.got_through:
            self._places.got_through(name)

    async def _write(self, running: _Running, outcome: Outcome) -> None:
        claimed, error = running.claimed, outcome.error
        ran, ended = time.monotonic() - running.began, time.perf_counter()
        is_written = outcome.end is None or await self._try_to_write(claimed, outcome.end)
        word = outcome.word if is_written else "lost"
        running.word = word
        self._tally(claimed.name, word, claimed.waited, ran)
        told = {
            "job": claimed.name,
            "job_id": claimed.id,
            "attempt": claimed.attempt,
            "ms": milliseconds(ran),
            "waited_ms": milliseconds(claimed.waited),
            **outcome.facts,
        }
        traceback = None if error is None or isinstance(error, _OF_OURS) else error
        _note(claimed, word, ended)
        event, level = LINES[word]
        if word == "done" and is_periodic(claimed):
            level = logging.DEBUG
        logger.log(level, event, extra=told, exc_info=traceback)

    async def _try_to_write(self, claimed: Claimed, end: End) -> bool:
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


def _note(claimed: Claimed, word: str, ended: float) -> None:
    """Tell whoever sees this run what came of it."""
    notes = noted_call.get()
    if notes is not None:
        notes.action, notes.sender_id, notes.job, notes.outcome = claimed.name, claimed.conversation, claimed.id, word
        notes.started, notes.ended = notes.began, ended


def _of_kind(job: Job[..., Any], arguments: Mapping[str, Any]) -> Callable[[], Any]:
    """Return a call of the job's function without arguments; a coroutine function's is one, too."""
    return partial(job.function, **arguments)


def _or_never(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


def _count_nothing(job: str, outcome: str, waited: float, ran: float) -> None:
    """Count nothing."""
