"""What a job raises to say how it is to go on: once more later, or not at all."""

from __future__ import annotations

import math

from action_server.jobs.values import storable


class RetryLater(Exception):  # noqa: N818 - what a job wants, and no error of the platform's
    """Raised by a job: run it again in ``after`` seconds; None: after its `backoff`, which doubles with each run.

    ``problem`` is kept in the job's row and stands in the log, without a traceback: it is to hold no personal data.
    With ``is_attempt`` it counts against the job's ``retries`` as any failure does; otherwise there may be any number
    of them until the deadline.

    ``hold``: the system that jobs of this name speak to is down. This worker begins none of them for as long, or for
    the seconds that are given here, and then one at a time until one got through.
    """

    def __init__(
        self, problem: str, after: float | None = None, *, hold: bool | float = False, is_attempt: bool = False
    ) -> None:
        problem = storable(str(problem))
        super().__init__(problem)
        if not (math.isfinite(after or 0.0) and math.isfinite(hold)):
            raise ValueError("RetryLater: after and hold are numbers of seconds")
        self.problem, self.is_attempt, self.hold = problem, is_attempt, hold
        self.after = None if after is None else max(0.0, after)

    def hold_for(self, pause: float) -> float:
        """Return for how many seconds all jobs of the name are held, if this one waits for ``pause`` seconds."""
        return pause if self.hold is True else max(0.0, self.hold)


class GiveUp(Exception):  # noqa: N818 - as above
    """Raised by a job: park it now, as no further run would help. The log has the words, and no traceback.

    ``problem`` is kept in the job's row, and is to hold no personal data.
    """

    def __init__(self, problem: str) -> None:
        self.problem = storable(str(problem))
        super().__init__(self.problem)
