"""The sweeper: settles what a killed process, or a calendar that did not answer, has left."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from action_server import Job, RetryLater, job
from actions.errors import BackendError
from actions.scheduling.records import Record, State
from actions.scheduling.synced import SyncedBackend

_logger = logging.getLogger(__name__)


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


def sweeping(backend: SyncedBackend) -> Job[[], Coroutine[Any, Any, None]]:
    """Return the job that settles what is left now and then, in one worker of all.

    After failures it comes more seldom, every five minutes in the end. Without it, what is left would keep its time for
    ever.
    """

    @job(name="clinic.sweep", every=10, backoff=20, longest_backoff=300, timeout=600)
    async def sweep() -> None:
        try:
            left = (await settle(backend)).left
        except BackendError as exc:
            raise RetryLater(str(exc), is_attempt=True) from None
        if left:
            raise RetryLater(f"{left} appointments could not be settled", is_attempt=True)

    return sweep


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
