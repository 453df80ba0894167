"""Which jobs a package of actions has: what its modules hold that is marked ``@job``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from action_server.errors import RegistrationError
from action_server.jobs.definitions import Job
from action_server.jobs.keeping import keep_jobs
from action_server.source import place_of


def find_jobs(package: str) -> Mapping[str, Job[..., Any]]:
    """Return the jobs of an imported package or module, and of everything below it, by name.

    Raises:
        RegistrationError: two share a name, or one takes or returns what cannot be JSON.
    """
    found: dict[str, Job[..., Any]] = {}
    for value in _values_in(package):
        # By its type alone: whoever asks a lazy object what it is makes it.
        if not issubclass(type(value), Job):
            continue
        first = found.setdefault(value.name, value)
        if first is not value:
            place, other = place_of(value.function), place_of(first.function)
            raise RegistrationError(f"job {value.name!r}", place, f"has the name of the one at {other}")
        value.prepare()
    return found


def may_keep_jobs(package: str) -> bool:
    """Tell whether an imported package knows what keeps jobs in its own database; if it does so, who opens it knows."""
    return any(value is keep_jobs for value in _values_in(package))


def _values_in(package: str) -> Iterator[Any]:
    below = f"{package}."
    modules = [m for name, m in list(sys.modules.items()) if name == package or name.startswith(below)]
    return (value for module in modules for value in list(vars(module).values()))
