"""What a run of a job comes to: how that is written into its row, and what is said of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, NamedTuple

from action_server.errors import DeliveryError
from action_server.jobs.asking import JobRun
from action_server.jobs.definitions import Job
from action_server.jobs.handover import DEADLINE, DELIVER, last_words
from action_server.jobs.periodic import is_periodic, rest, run_again
from action_server.jobs.queue import Claimed, JobQueue
from action_server.jobs.rules import Rules
from action_server.jobs.signals import GiveUp, RetryLater
from action_server.runtime.threads import is_async
from action_server.source import place_of_failure

End = Callable[[], Coroutine[Any, Any, bool]]
# What a run's line is called, and how loud it is.
LINES = {
    "done": ("job.done", logging.INFO),
    "postponed": ("job.postponed", logging.INFO),
    "failed": ("job.failed", logging.WARNING),
    "parked": ("job.parked", logging.ERROR),
    "cancelled": ("job.cancelled", logging.INFO),
    "given_back": ("job.given_back", logging.INFO),
    "lost": ("job.lost", logging.WARNING),
}
# A job whose process died so often is taken for the reason.
MOST_LOSSES = 5


class Outcome(NamedTuple):
    """How a run is written down (None: not at all), the word for it, facts for the log, and the error behind it.

    ``hold``: for how many seconds the system that the job speaks to is taken to be down; 0 if it answered.
    """

    end: End | None
    word: str
    facts: Mapping[str, object] = {}
    error: BaseException | None = None
    hold: float = 0.0

    @property
    def got_through(self) -> bool:
        """Whether whatever system the job speaks to did answer, as far as its run tells."""
        if isinstance(self.error, RetryLater):
            return not self.hold
        return self.word == "done" or isinstance(self.error, GiveUp)


class Outcomes:
    """Decides what runs of these jobs come to, in one queue."""

    def __init__(self, queue: JobQueue, jobs: Mapping[str, Job[..., Any]]) -> None:
        self._queue = queue
        self._jobs = jobs

    def without_run(self, claimed: Claimed) -> Outcome | None:
        """Return the end of a job that is given up without another run; None if it is to be run."""
        if claimed.losses > MOST_LOSSES:
            problem = f"its process died {claimed.losses} times"
            return self._after_deaths(claimed, problem) if is_periodic(claimed) else self.parked(claimed, problem)
        if claimed.left <= 0 and not is_periodic(claimed):
            return self.parked(claimed, "its deadline passed")
        return None

    def _after_deaths(self, claimed: Claimed, problem: str) -> Outcome:
        """Return the end of a periodic job that may be what its processes die of: the longest pause, and again."""
        pause = self._rules_of(claimed).longest_backoff
        facts = {"problem": problem, "retry_in": round(pause, 3)}
        return Outcome(partial(rest, self._queue, claimed, pause, problem), "failed", facts)

    def returned(self, claimed: Claimed, run: JobRun, result: str) -> Outcome:
        """Return the end of a run that came to a result, as JSON text."""
        return Outcome(partial(self._finish, claimed, run, result), "done")

    def raised(self, claimed: Claimed, error: BaseException) -> Outcome:
        """Return the end of a run that raised.

        Only of an error of ours, and of one by which the job says how it is to go on, are the words known to hold no
        value.
        """
        if isinstance(error, RetryLater):
            return self._later(claimed, error)
        if isinstance(error, GiveUp) or (isinstance(error, DeliveryError) and error.is_final):
            return self.parked(claimed, str(error), error)
        if isinstance(error, DeliveryError):
            return self.failed(claimed, error, str(error))
        place = place_of_failure(error)
        return self.failed(claimed, error, type(error).__name__ + (f" at {place}" if place else ""))

    def failed(self, claimed: Claimed, error: BaseException, problem: str, pause: float | None = None) -> Outcome:
        """Return the end of a run that failed: another one after a pause, the rules' if None, if there may be one."""
        rules = self._rules_of(claimed)
        pause = rules.pause(claimed.attempt) if pause is None else pause
        if claimed.attempt > rules.retries and not is_periodic(claimed):
            return self.parked(claimed, problem, error)
        return self._after(claimed, "failed", pause, error, problem)

    def _later(self, claimed: Claimed, error: RetryLater) -> Outcome:
        pause = error.after
        if pause is None:
            pause = self._rules_of(claimed).pause(claimed.attempt if error.is_attempt else claimed.fence)
        if error.is_attempt:
            outcome = self.failed(claimed, error, str(error), pause)
        else:
            outcome = self._after(claimed, "postponed", pause, error, str(error))
        return outcome._replace(hold=error.hold_for(pause))

    def _after(self, claimed: Claimed, word: str, pause: float, error: BaseException | None, problem: str) -> Outcome:
        if pause >= claimed.left and not is_periodic(claimed):
            return self.parked(claimed, f"{problem}; a retry would be after its deadline", error)
        facts = {"problem": problem, "retry_in": round(pause, 3)}
        end = partial(self._queue.retry, claimed, pause, problem, is_attempt=word == "failed")
        return Outcome(end, word, facts, error)

    def parked(self, claimed: Claimed, problem: str, error: BaseException | None = None) -> Outcome:
        """Return the end of a job that is given up; a periodic one never is, and pauses as after any failure."""
        if is_periodic(claimed):
            return self._after(claimed, "failed", self._rules_of(claimed).pause(claimed.attempt), error, problem)
        return Outcome(partial(self._park, claimed, problem), "parked", {"problem": problem}, error)

    def cancelled(self, claimed: Claimed) -> Outcome:
        """Return the end of a run that somebody cancelled."""
        forget = self._rules_of(claimed).forgets
        return Outcome(partial(self._queue.cancelled, claimed, forget=forget), "cancelled")

    def given_back(self, claimed: Claimed) -> Outcome:
        """Return the end of a run that is cut off because the process stops."""
        # A thread goes on until the process has ended: nobody else should begin before.
        pause = 0.0 if is_async(self._jobs[claimed.name].function) else self._queue.lease
        return Outcome(partial(self._queue.give_back, claimed, pause), "given_back")

    async def _finish(self, claimed: Claimed, run: JobRun, result: str) -> bool:
        """Hand over what the run wants said, and write that it is done.

        Killed in between, it is run once more; the key of what was handed over makes one delivery of the two.
        """
        said, rules = run._delivery, self._rules_of(claimed)
        then = None if said.is_empty else said.as_order(claimed, self._deadline_of_deliveries)
        if is_periodic(claimed) and rules.every is not None:
            return await run_again(self._queue, claimed, rules.every, rules.deadline, then)
        if then is not None:
            await self._queue.enqueue(then)
        return await self._queue.done(claimed, result, forget=rules.forgets)

    async def _park(self, claimed: Claimed, problem: str) -> bool:
        then = last_words(self._jobs[claimed.name], claimed, self._deadline_of_deliveries)
        return await self._queue.park(claimed, problem, then)

    @property
    def _deadline_of_deliveries(self) -> float:
        deliver = self._jobs.get(DELIVER)
        return DEADLINE if deliver is None else deliver.rules.deadline

    def _rules_of(self, claimed: Claimed) -> Rules:
        return self._jobs[claimed.name].rules
