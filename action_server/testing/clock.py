"""A clock that stands still: what the actions' own modules read of the time, and the times of a conversation's events.

Only names of the author's modules are replaced, for as long as calls run: libraries and the event loop keep the real
time, so that timeouts work.
"""

from __future__ import annotations

import datetime as real
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from action_server.errors import SettingsError


class FixedClock:
    """A moment that changes only by :meth:`advance`. One without a time zone is local time."""

    def __init__(self, moment: str | real.datetime | float) -> None:
        self._seconds = _seconds_of(moment)
        self._stand_ins = _stand_ins(self)

    def time(self) -> float:
        """Return the seconds since 1970."""
        return self._seconds

    def now(self, tz: real.tzinfo | None = None) -> real.datetime:
        """Return the moment, in a time zone or without one in local time."""
        return real.datetime.fromtimestamp(self._seconds, tz)

    def advance(self, by: real.timedelta | float) -> None:
        """Let time pass: a timedelta or seconds."""
        self._seconds += by.total_seconds() if isinstance(by, real.timedelta) else by

    @contextmanager
    def seen_by(self, package: str) -> Iterator[None]:
        """Let the modules of a package read this clock within the block."""
        replaced: list[tuple[ModuleType, str, Any]] = []
        names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
        for module in [sys.modules[name] for name in names]:
            for name, value in list(vars(module).items()):
                stand_in = self._stand_ins.get(id(value))
                if stand_in is not None:
                    replaced.append((module, name, value))
                    setattr(module, name, stand_in)
        try:
            yield
        finally:
            for module, name, value in replaced:
                setattr(module, name, value)


class _Like(type):
    """Makes real datetimes instances of what stands for their class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__mro__[1])


def _stand_ins(clock: FixedClock) -> Mapping[int, Any]:
    """Return what stands for the modules and classes that tell the time, by their ids."""

    class FixedDatetime(real.datetime, metaclass=_Like):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return real.datetime(*args, **kwargs)

        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Any:
            return clock.now(tz)

        @classmethod
        def utcnow(cls) -> Any:
            return clock.now(real.timezone.utc).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return clock.now()

    class FixedDate(real.date, metaclass=_Like):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return real.date(*args, **kwargs)

        @classmethod
        def today(cls) -> Any:
            return clock.now().date()

    def nanoseconds() -> int:
        return int(clock.time() * 1_000_000_000)

    modules = (
        (real, _module_like(real, datetime=FixedDatetime, date=FixedDate)),
        (time, _module_like(time, time=clock.time, time_ns=nanoseconds)),
    )
    functions = ((time.time, clock.time), (time.time_ns, nanoseconds))
    classes = ((real.datetime, FixedDatetime), (real.date, FixedDate))
    return {id(kept): stand_in for pairs in (modules, functions, classes) for kept, stand_in in pairs}


def _module_like(module: ModuleType, **changed: Any) -> ModuleType:
    stand_in = ModuleType(module.__name__)
    vars(stand_in).update({**vars(module), **changed})
    return stand_in


def _seconds_of(moment: str | real.datetime | float) -> float:
    if isinstance(moment, str):
        try:
            # Python 3.10 does not read the Z.
            moment = real.datetime.fromisoformat(moment.replace("Z", "+00:00"))
        except ValueError:
            raise SettingsError(f"set_clock({moment!r})", "is no time, such as '2026-12-24T18:00:00'") from None
    return moment.timestamp() if isinstance(moment, real.datetime) else float(moment)
