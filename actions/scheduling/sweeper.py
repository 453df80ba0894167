"""The sweeper: settles what a killed process, or a calendar that did not answer, has left."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from actions.errors import BackendError
from actions.scheduling.records import Record, State
from actions.scheduling.synced import SyncedBackend

_logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=10)
# The longest pause after failures: the calendar is asked this often whether it is back.
_LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True)
class Sweep:
    """What became of the records that a sweep settled, and how many it had to leave."""

    confirmed: int = 0
    cancelled: int = 0
    left: int = 0


async def settle(backend: SyncedBackend, age: timedelta | None = None) -> Sweep:
    """Settle every record that nobody has worked on for so long (the backend's `settle_after`), and count them.

    A record that another process works on counts nowhere. Raises `UnavailableError` if the ledger does not answer.
    """
    counts = Counter([await _settle(backend, record) for record in await backend.list_unsettled(age)])
    await backend.ask_again()
    return Sweep(counts["confirmed"], counts["cancelled"], counts["left"])


@asynccontextmanager
async def sweep_in_background(
    backend: SyncedBackend, *, every: timedelta = EVERY, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[None]:
    """Sweep now and then for the length of the block. Any number of processes may do so on one ledger.

    Pauses double after each failure, up to five minutes. `sleep` is for tests.
    """
    task = asyncio.create_task(_sweep(backend, every, sleep))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _sweep(backend: SyncedBackend, every: timedelta, sleep: Callable[[float], Awaitable[None]]) -> None:
    pause = every
    while True:
        failed = await _has_failed(backend)
        pause = min(2 * pause, max(every, _LONGEST_PAUSE)) if failed else every
        await sleep(pause.total_seconds())


async def _has_failed(backend: SyncedBackend) -> bool:
    try:
        return (await settle(backend)).left > 0
    except BackendError as exc:
        _logger.warning("booking.sweep_failed", extra={"problem": str(exc)})
    except Exception:
        # Whatever it is: without a sweeper, what is left would keep its time for ever.
        _logger.exception("booking.sweep_failed")
    return True


async def _settle(backend: SyncedBackend, record: Record) -> str:
    facts = {"reference": record.entry.reference, "was": record.state.value}
    try:
        state = await backend.settle(record)
    except BackendError as exc:
        _logger.warning("booking.unsettled", extra={**facts, "problem": str(exc)})
        return "left"
    if state is None:
        return "elsewhere"
    _logger.info("booking.settled", extra={**facts, "state": state.value})
    return "left" if state is State.CANCELLING else state.value
