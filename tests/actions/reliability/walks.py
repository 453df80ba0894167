"""Random walks on each system, for the long run: patients and people do anything in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from tests.actions.scheduling import embedded_walks
from tests.actions.scheduling.caldav import walks as caldav
from tests.actions.scheduling.fhir import variants as fhir
from tests.actions.scheduling.fhir.walks import fhir_walks
from tests.actions.scheduling.walking import Open, walk_many

# What runs the system, and on which of its variants is walked.
_WALKS: Mapping[str, tuple[Callable[[], AbstractContextManager[Open]], Sequence[str]]] = {
    "sqlite": (embedded_walks.embedded_walks, embedded_walks.VARIANTS),
    "radicale": (caldav.caldav_walks, [name for name in caldav.VARIANTS if name.startswith("radicale")]),
    "xandikos": (caldav.caldav_walks, [name for name in caldav.VARIANTS if name.startswith("xandikos")]),
    "medplum": (fhir_walks, list(fhir.VARIANTS)),
}


def can_walk_on(system: str) -> bool:
    """Say whether there are walks for a system."""
    return system in _WALKS


def walk_on(system: str, walks: int, seed: int = 0) -> int:
    """Walk so often on a system of that kind, and return how often; fails with the steps of what went wrong."""
    runs, variants = _WALKS[system]
    with runs() as opens:
        faulty = walk_many(opens, variants, walks, seed=seed)
    assert not faulty, "\n".join(step for walked in faulty for step in walked.steps)
    return walks
