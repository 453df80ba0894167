"""The options of ``@job``: how often and for how long a job is tried. They are checked when they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from action_server.errors import JobError
from action_server.nearest import did_you_mean

_LONGEST_EXPONENT = 60
# Seconds: three centuries. Above are infinity and what a database has no exact number for.
_LONGEST = 1e10
_OF_THE_JOB = ("name", "on_giving_up")
_MAY_BE_NONE = ("timeout", "every", "at_once")
_MAY_BE_ZERO = ("backoff", "longest_backoff")
_LEAST = {"retries": 0, "at_once": 1}


@dataclass(frozen=True)
class Rules:
    """How often and for how long a job is tried. All times are in seconds.

    Attributes:
        retries: how often it is run again after it raised; a shutdown or a killed process is no try.
        backoff: the pause before the first retry; each further one is twice as long, up to ``longest_backoff``.
        timeout: what one run may take; None sets no limit.
        deadline: when everything has to be over, counted from when it was asked for.
        every: the job is periodic: it runs by itself, and again so long after each run that ended well. It is retried
            without an end, and has no deadline.
        at_once: how many of its runs there may be at a time in one worker; None sets no limit but the worker's own.
        forgets: when it is done, its arguments and its conversation are deleted from its row.
    """

    retries: int = 3
    backoff: float = 1.0
    longest_backoff: float = 300.0
    timeout: float | None = 300.0
    deadline: float = 86_400.0
    every: float | None = None
    at_once: int | None = None
    forgets: bool = False

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Rules:
        """Return the rules of an author's options. Raises :class:`JobError` if one is unknown, or of another kind."""
        known = [one.name for one in fields(cls)]
        for name, value in options.items():
            if name not in known:
                raise JobError(f"@job has no option {name!r}{did_you_mean(name, (*known, *_OF_THE_JOB))}")
            if value is not None or name not in _MAY_BE_NONE:
                _check(name, value)
        return cls(**options)

    def pause(self, attempt: int) -> float:
        """Return how long to wait after so many tries, the first one included."""
        return min(self.backoff * 2.0 ** min(attempt - 1, _LONGEST_EXPONENT), self.longest_backoff)


def check_seconds(what: str, value: object, *, may_be_zero: bool = False) -> None:
    """Raise :class:`JobError`, which names ``what``, unless this is a number of seconds."""
    is_one = _is_number(value, float) and (0 if may_be_zero else 1e-9) <= value <= _LONGEST  # type: ignore[operator]
    if not is_one:
        least = "0 or more" if may_be_zero else "more than 0"
        raise JobError(f"{what} is a number of seconds, {least}, and not {value!r}")


def check_count(what: str, value: object, least: int) -> None:
    """Raise :class:`JobError`, which names ``what``, unless this is a whole number, ``least`` or more."""
    if not _is_number(value, int) or value < least:  # type: ignore[operator]
        raise JobError(f"{what} is a whole number, {least} or more, and not {value!r}")


def _check(name: str, value: object) -> None:
    what = f"a job's `{name}`"
    if name in _LEAST:
        check_count(what, value, _LEAST[name])
    elif name != "forgets":
        check_seconds(what, value, may_be_zero=name in _MAY_BE_ZERO)
    elif not isinstance(value, bool):
        raise JobError(f"{what} is True or False, and not {value!r}")


def _is_number(value: object, kind: type) -> bool:
    # True is an int in Python, and nobody means the number.
    return isinstance(value, (int, kind)) and not isinstance(value, bool)
