"""How many jobs of each name may begin in this worker: what their options say, and none while their system is down."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from action_server.jobs.definitions import Job

logger = logging.getLogger("action_server.jobs")


class Share(NamedTuple):
    """Names of jobs, and how many of them together may begin now."""

    names: tuple[str, ...]
    places: int


class Places:
    """Shares out the places of a worker. ``clock`` is in seconds, and even.

    The system that jobs of one name speak to may be held to be down: none of them begins then for a time. Afterwards
    one at a time does, until one got through.
    """

    def __init__(self, jobs: Mapping[str, Job[..., Any]], clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once = {name: job.rules.at_once for name, job in jobs.items()}
        self._clock = clock
        # Until when none is begun, of the names that were held and of which none has got through since then.
        self._until: dict[str, float] = {}

    def share(self, running: Mapping[str, int], free: int) -> list[Share]:
        """Return who may begin now, of ``free`` places; ``running`` is how many of each name there are."""
        if free <= 0:
            return []
        now = self._clock()
        any_number, shares = [], []
        for name, most in self._at_once.items():
            until = self._until.get(name)
            if until is not None:
                most = 1 if until <= now else 0
            if most is None:
                any_number.append(name)
            elif (places := min(free, most - running.get(name, 0))) > 0:
                shares.append(Share((name,), places))
        return [Share(tuple(any_number), free), *shares] if any_number else shares

    @property
    def opens_in(self) -> float | None:
        """In how many seconds a hold is over; None if there is none."""
        now = self._clock()
        return min((until - now for until in self._until.values() if until > now), default=None)

    def hold(self, name: str, seconds: float, problem: str) -> None:
        """Begin no job of this name for so long, or longer if that was said before."""
        now = self._clock()
        before = self._until.get(name)
        if before is None or before <= now:
            logger.warning("job.held", extra={"job": name, "problem": problem, "pause": round(seconds, 3)})
        self._until[name] = now + seconds if before is None else max(before, now + seconds)

    def got_through(self, name: str) -> None:
        """Note that the system answered: a hold that is over ends for good."""
        until = self._until.get(name)
        if until is not None and until <= self._clock():
            del self._until[name]
            logger.info("job.resumed", extra={"job": name})
