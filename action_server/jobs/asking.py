"""``later``: what an action calls to have a job run after its own answer, and what a job knows of its own run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from action_server.deadlines import time_left
from action_server.errors import DatabaseError, JobError
from action_server.idempotency.rules import running_key
from action_server.jobs.definitions import Job, Wish
from action_server.jobs.keeping import kept_here, queues_of
from action_server.jobs.origin import Origin, add_origin
from action_server.jobs.values import storable
from action_server.runtime import services
from action_server.source import place_of
from action_server.telemetry.logs import running_call
from action_server.telemetry.tracing import outbound_headers

if TYPE_CHECKING:
    from action_server.jobs.engine_settings import Route
    from action_server.jobs.handover import Delivery
    from action_server.jobs.queue import JobQueue, Ordered

_NO_QUEUE = "there is no queue here; it is open in a server whose actions package has a @job, in one of its modules"
_NOT_FOUND = (
    "no module of the actions package holds this function by its name, so its workers do not run it: import it in one,"
    " or keep it with keep_jobs"
)

logger = logging.getLogger(__name__)


@dataclass
class JobRun:
    """The run of a job, for the job itself.

    Attributes:
        id: the job's; the same in each run, so that what it does elsewhere can be recognised.
        attempt: 1 in the first run, one more in each that follows a failure.
        fence: grows with each run, also with those after a killed process; a system that remembers the highest one it
            saw can refuse a run that was given up.
        is_cancelled: somebody cancelled the job, or its time is over. A coroutine is cancelled as well; a synchronous
            job has to look here now and then, and may return.
    """

    id: str
    attempt: int
    fence: int
    is_cancelled: bool
    _report: Callable[[float | None, str], Coroutine[Any, Any, bool]]
    # What it has said so far, nothing at first; of the conversation that the job was asked for in.
    _delivery: Delivery
    _origin: Origin

    @property
    def time_left(self) -> float | None:
        """Seconds until this run is cut off; None if there is no limit."""
        return time_left()

    async def progress(self, part: float | None = None, said: str = "") -> None:
        """Tell operators how far the run has come: a number from 0 to 1, words of up to 200 characters, or both.

        Raises:
            JobError: the number is none of these, or the run was taken over, so that going on is of no use.
            DatabaseError: the database does not answer.
        """
        if part is not None and not 0 <= part <= 1:
            raise JobError("a job's progress is a number from 0 to 1")
        if not await self._report(part, storable(said)):
            raise JobError("this run was taken over by another process, or the job has ended")

    def delivers(
        self,
        texts: str | Sequence[str] = (),
        slots: Mapping[str, Any] | None = None,
        *,
        to: str | None = None,
        intent: str | None = None,
        route: Route | None = None,
        engine: str | None = None,
    ) -> None:
        """Have texts said and slots set in the conversation once the run has returned; one that raises says nothing.

        Several calls add up to one delivery, in their order. ``to`` is the conversation's id, by default that of the
        call which asked for the job. ``intent`` is what a classic assistant answers with its own rules; slots reach it
        as entities. ``route`` is chosen by engine and channel if it is None; docs/howto/answer-later.md has the table.
        ``engine`` is a name of the setting `delivery.engines`, by default that of the call.

        Raises:
            JobError: a text is empty, a value is no JSON, or nobody knows for which conversation it is.
        """
        self._delivery = self._delivery.with_more(texts, slots, to, intent, route, engine)
        if not self._delivery.conversation:
            raise JobError(f"job {self._delivery.job}: it was asked for outside of a conversation: say which, with to=")


# Of the running job; set by the runner.
running_job: ContextVar[JobRun] = ContextVar("action_server_job")


def current_job() -> JobRun:
    """Return the run of the job that calls this, also on its thread. Raises :class:`JobError` outside of one."""
    try:
        return running_job.get()
    except LookupError:
        raise JobError("no job is running here: current_job() works inside of a function marked @job") from None


async def later(job: Job[..., Any] | Wish, /, **arguments: object) -> Ordered:
    """Write down that a job is to be run with these arguments, and return its id at once; any worker runs it then.

    In a synchronous action: ``services.blocking(later(job, ...))``. With a key (:meth:`Job.having`) the second call
    gets the id of the first. Within an action that runs once, there is always one: when that is run again, the same
    job with the same arguments is not asked for twice.

    Raises:
        JobError: the arguments are not what the function takes, or no JSON; nothing was written.
        DatabaseError: the database does not answer; nothing was written.
    """
    wish = job if isinstance(job, Wish) else Wish(job)
    text = wish.job.encode_arguments(arguments)
    queue = _queue(wish.job)
    from action_server.jobs.queue import Order

    call = running_call.get(None)
    order = Order(
        wish.job.name,
        add_origin(text, _origin_here(), forgets=wish.job.rules.forgets),
        wish.delay,
        wish.job.rules.deadline if wish.deadline is None else wish.deadline,
        key=_key_of(wish, text),
        ordering_key=wish.ordering_key,
        conversation=storable(call.sender_id) if call else "",
        request_id=storable(call.request_id) if call else "",
        traceparent=outbound_headers().get("traceparent", ""),
    )
    ordered = await queue.enqueue(order, wish.connection)
    logger.info("job.asked_for", extra={"job": order.name, "job_id": ordered.id, "is_new": ordered.is_new})
    return ordered


async def cancel(job_id: str) -> bool:
    """Cancel a job: one that waits never runs, one that runs is told. Returns False if it has ended, or is not known.

    Raises:
        DatabaseError: a database does not answer, and no other one knows the job.
    """
    queues = queues_of(services.current())
    if not queues:
        raise JobError(f"jobs: {_NO_QUEUE}")
    problem: DatabaseError | None = None
    for queue in queues:
        try:
            before = await queue.cancel(job_id)
        except DatabaseError as exc:
            # It may be in another one.
            problem = exc
            continue
        if before is not None:
            return before in ("waiting", "running", "parked")
    if problem is not None:
        raise problem
    return False


def _origin_here() -> Origin:
    run = running_job.get(None)
    return Origin.here() if run is None else run._origin


def _key_of(wish: Wish, text: str) -> str | None:
    if wish.key is not None:
        return f"key {wish.key}"
    once = running_key.get()
    return f"once {once} {hashlib.sha256(text.encode()).hexdigest()}" if once else None


def _queue(job: Job[..., Any]) -> JobQueue:
    opened = services.current()
    kept = next((one.queue for one in kept_here(opened) if job.name in one.jobs), None)
    queue: Any = opened.jobs if opened is not None and kept is None else kept
    if queue is None:
        raise JobError(f"job {job.name}: {_NO_QUEUE}")
    found: JobQueue = queue
    if kept is None and found.names is not None and job.name not in found.names:
        told = {"job": job.name, "place": place_of(job.function), "problem": _NOT_FOUND}
        logger.warning("job.not_known", extra=told)
    return found
