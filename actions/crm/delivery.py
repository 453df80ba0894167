"""The task that delivers what waits in the outbox: when it looks, when it waits, and what a failure means."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from action_server import DatabaseError
from actions.crm.identity import Detail
from actions.crm.port import CrmBackend
from actions.crm.queue import Clock, Delivery, Queue
from actions.errors import AuthFailedError, BackendError, InvalidRequestError, RateLimitedError

_logger = logging.getLogger(__name__)

# How soon it looks again after it was told of a new row, in seconds: the transaction that wrote it has yet to end.
_SOON = 0.02
# No system means more than this by Retry-After, and a mistake in it must not silence the outbox for days.
_LONGEST_RETRY_AFTER = 3600.0
# When a system says "too often" and not for how long. Daily limits are refused like this for hours.
_RATE_LIMIT_PAUSE = (10.0, 300.0)
_TIDY_EVERY = 60.0
# The same while there is more to forget than is forgotten at once.
_FORGET_EVERY = 0.1

_Seconds = Annotated[float, Field(gt=0)]


class OutboxSettings(BaseModel):
    """How the CRM is told. Times are in seconds.

    Attributes:
        tell: what the CRM may know besides what became of an appointment and when it is.
        poll: how often an idle outbox looks for what other processes wrote.
        first_pause: how long it waits after a failure; twice as long after each further one, up to `longest_pause`.
        delivery_timeout: how long one delivery may take.
        lease: for how long a killed process keeps others from delivering for the contact it was at.
        at_once: for how many contacts a worker delivers at the same time.
        refusals: how often the CRM may refuse one row before it is parked.
        keep_delivered: how long a delivered row's id is kept, to know it again.
        keep_parked_days: how long a parked row is kept; it holds a patient's details.
        warn_after: from which age on something that waits is warned of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tell: frozenset[Detail] = frozenset({"name", "email", "phone", "appointment_type"})
    poll: _Seconds = 2.0
    first_pause: _Seconds = 1.0
    longest_pause: _Seconds = 15.0
    delivery_timeout: _Seconds = 20.0
    lease: _Seconds = 30.0
    at_once: Annotated[int, Field(ge=1, le=50)] = 4
    refusals: Annotated[int, Field(ge=1, le=100)] = 5
    keep_delivered: Annotated[float, Field(ge=0)] = 3600.0
    keep_parked_days: Annotated[int, Field(ge=1, le=365)] = 30
    warn_after: _Seconds = 300.0

    @model_validator(mode="after")
    def _lease_outlives_a_delivery(self) -> OutboxSettings:
        if self.lease <= self.delivery_timeout:
            raise ValueError("lease must be longer than delivery_timeout, or two processes deliver the same row")
        return self


class Postman:
    """Delivers what a queue holds to a CRM, for one process. `run` never returns and never raises."""

    def __init__(
        self, queue: Queue, backend: CrmBackend, settings: OutboxSettings, clock: Clock, chance: Callable[[], float]
    ) -> None:
        self._queue = queue
        self._backend = backend
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._look_again = settings.poll
        self._failures = 0
        self._paused_until = 0.0
        self._tidied_at = float("-inf")
        self._adopted = ""

    def wake(self) -> None:
        """Look for something new now, and often in the next moments."""
        self._look_again = min(_SOON, self._settings.poll)
        self._woken.set()

    async def run(self) -> None:
        """Deliver until `stop` is called."""
        while not self._stopping:
            self._woken.clear()
            try:
                delay = await self._start_deliveries()
                await self._tidy()
            except DatabaseError:
                _logger.warning("crm.outbox_unavailable")
                delay = self._settings.longest_pause
            except Exception as exc:  # noqa: BLE001 (a defect must not end all deliveries until the next restart)
                _logger.error("crm.outbox_failed", extra={"error": type(exc).__name__})
                delay = self._settings.longest_pause
            await self._wait(delay)

    async def stop(self, patience: float) -> None:
        """End deliveries: those that run may finish within `patience` seconds, then they are cut off."""
        self._stopping = True
        self._woken.set()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _wait(self, delay: float) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), delay)
        except asyncio.TimeoutError:
            return

    async def _start_deliveries(self) -> float:
        """Start what is due and may be started; return after how many seconds to look again."""
        pause = self._paused_until - asyncio.get_running_loop().time()
        if pause > 0:
            return pause
        # After a failure one delivery finds out whether the CRM is back.
        most = 1 if self._failures else self._settings.at_once
        for delivery in await self._queue.claim(most - len(self._running), self._lease):
            if self._stopping:
                # `stop` waits for those that ran when it was called; this one is given back with all others.
                break
            task = asyncio.create_task(self._deliver(delivery))
            self._running.add(task)
            task.add_done_callback(self._forget_task)
        delay = self._look_again
        self._look_again = min(2 * delay, self._settings.poll)
        return delay

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self._settings.lease)

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()

    async def _deliver(self, delivery: Delivery) -> None:
        """Deliver one row and note what became of it."""
        try:
            try:
                record = await asyncio.wait_for(self._tell(delivery), self._settings.delivery_timeout)
            except InvalidRequestError as exc:
                await self._settle_refused(delivery, str(exc))
            except BackendError as exc:
                await self._settle_failed(delivery, exc)
            except asyncio.TimeoutError:
                await self._settle_failed(delivery, None)
            except Exception as exc:  # noqa: BLE001 (a defect in a backend is no reason to stop, nor to forget the row)
                await self._settle_refused(delivery, f"the delivery failed with {type(exc).__name__}")
            else:
                await self._settle_delivered(delivery, record)
        except DatabaseError:
            # The lease runs out, and it is delivered once more: the CRM knows it by its id.
            _logger.warning("crm.outbox_unavailable")

    async def _tell(self, delivery: Delivery) -> str:
        contact_id = await self._backend.upsert_contact(delivery.contact)
        await self._backend.log_activity(contact_id, delivery.activity)
        return contact_id

    async def _settle_delivered(self, delivery: Delivery, record: str) -> None:
        await self._queue.mark_delivered(delivery, record)
        if self._failures:
            _logger.info("crm.available")
        self._failures = 0
        _logger.debug("crm.delivered", extra={"row": delivery.seq})

    async def _settle_refused(self, delivery: Delivery, problem: str) -> None:
        # The CRM answered, so it is there for all others.
        self._failures = 0
        facts = {"row": delivery.seq, "problem": problem, "refusals": delivery.refusals + 1}
        if delivery.refusals + 1 >= self._settings.refusals:
            await self._queue.park(delivery, problem)
            _logger.error("crm.parked", extra=facts)
        else:
            pause = self._pause(delivery.refusals, self._settings.first_pause, self._settings.longest_pause)
            await self._queue.note_refusal(delivery, timedelta(seconds=pause), problem)
            _logger.warning("crm.refused", extra=facts)

    async def _settle_failed(self, delivery: Delivery, error: BackendError | None) -> None:
        """Pause everything: what failed is the CRM, not the row. Deliveries that fail together count once."""
        now = asyncio.get_running_loop().time()
        if now >= self._paused_until:
            pause = self._pause_after(error)
            self._failures += 1
            self._paused_until = now + pause
            event = "crm.credentials_refused" if isinstance(error, AuthFailedError) else "crm.unavailable"
            level = logging.ERROR if isinstance(error, AuthFailedError) else logging.WARNING
            _logger.log(level, event, extra={"problem": _problem(error), "pause": round(pause, 1)})
        # The row's own pause is for one that fails while all others are delivered.
        own = self._pause(delivery.failures, self._settings.first_pause, self._settings.longest_pause)
        pause = max(self._paused_until - now, own)
        await self._queue.postpone(delivery, timedelta(seconds=pause), _problem(error))

    def _pause_after(self, error: BackendError | None) -> float:
        if isinstance(error, RateLimitedError):
            if error.retry_after is not None:
                return min(error.retry_after, _LONGEST_RETRY_AFTER) + self._settings.first_pause * self._chance()
            return self._pause(self._failures, *_RATE_LIMIT_PAUSE)
        return self._pause(self._failures, self._settings.first_pause, self._settings.longest_pause)

    def _pause(self, earlier: int, first: float, longest: float) -> float:
        full = min(first * 2.0 ** min(earlier, 30), longest)
        return full * (0.5 + 0.5 * self._chance())

    async def _tidy(self) -> None:
        """Forget what need not be kept, and say what has been waiting for long."""
        now = asyncio.get_running_loop().time()
        if now - self._tidied_at < _TIDY_EVERY:
            return
        self._tidied_at = now
        today = self._clock()
        delivered = today - timedelta(seconds=self._settings.keep_delivered)
        lost, is_more = await self._queue.forget(delivered, today - timedelta(days=self._settings.keep_parked_days))
        if lost:
            _logger.error("crm.parked_deleted", extra={"rows": lost})
        if is_more:
            self._tidied_at = now - _TIDY_EVERY + _FORGET_EVERY
            return
        self._adopted = await self._queue.adopt(self._adopted)
        pending = await self._queue.pending()
        age = (today - pending.oldest).total_seconds() if pending.oldest else 0.0
        if age >= self._settings.warn_after or pending.parked:
            facts = {"waiting": pending.waiting, "parked": pending.parked, "oldest": round(age)}
            _logger.warning("crm.waiting", extra=facts)


def _problem(error: BackendError | None) -> str:
    return str(error) if error else "the delivery took too long"


def seeded_by_the_system() -> float:
    """Return a number from 0 to 1, for pauses that differ between processes."""
    return random.random()  # noqa: S311 (jitter, not a secret)
