"""Says which jobs nobody runs: they wait past their deadline under a name that this worker does not know."""

from __future__ import annotations

import logging
from collections.abc import Collection

from action_server.jobs.queue import JobQueue

logger = logging.getLogger("action_server.jobs")


class Forsaken:
    """Looks for such names in a queue; each is said once. ``known`` are the names of this worker."""

    def __init__(self, queue: JobQueue, known: Collection[str]) -> None:
        self._queue = queue
        self._known = known
        self._said: set[str] = set()

    async def say(self) -> None:
        """Log the names that are new. Raises `DatabaseError`.

        The jobs are left as they are: whoever knows the name may come yet, and gives them up then.
        """
        for name, late in (await self._queue.forsaken(self._known)).items():
            if name not in self._said:
                self._said.add(name)
                problem = (
                    "jobs of this name are past their deadline, and this worker does not know it: cancel them, or bring"
                    " back the function, or its `name=`"
                )
                logger.warning("job.not_known", extra={"job": name, "late_s": round(late), "problem": problem})
