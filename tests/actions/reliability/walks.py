"""Random walks on each system, for the long run: patients and people do anything in any order."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

from tests.actions.scheduling import embedded_walks
from tests.actions.scheduling.caldav import walks as caldav
from tests.actions.scheduling.fhir import variants as fhir
from tests.actions.scheduling.fhir.walks import fhir_walks
from tests.actions.scheduling.walking import Open, walk_many

# What runs the system, and on which of its variants is walked.
_WALKS: Mapping[str, tuple[Callable[[], AbstractContextManager[Open]], Sequence[str]]] = {
    "sqlite": (partial(embedded_walks.embedded_walks, ["sqlite"]), ["sqlite"]),
    "postgresql": (partial(embedded_walks.embedded_walks, ["postgresql"]), ["postgresql"]),
    "radicale": (caldav.caldav_walks, [name for name in caldav.VARIANTS if name.startswith("radicale")]),
    "xandikos": (caldav.caldav_walks, [name for name in caldav.VARIANTS if name.startswith("xandikos")]),
    "medplum": (fhir_walks, list(fhir.VARIANTS)),
}
# So many processes walk at the same time, each on a server of its own: a walk waits for that half of its time.
PROCESSES = 3


def walk_on(system: str, walks: int, seed: int = 0, processes: int = PROCESSES) -> int:
    """Walk so often on a system of that kind, and return how often; fails with the steps of what went wrong.

    Which walks these are does not hang on the number of processes.
    """
    seeds = [range(seed + first, seed + walks, processes) for first in range(processes)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        told = [line for lines in pool.map(_walk, [system] * processes, seeds) for line in lines]
    assert not told, "\n".join(told)
    return walks


def _walk(system: str, seeds: Sequence[int]) -> Sequence[str]:
    """Walk from these seeds and return the steps of the walks that have a fault."""
    logging.disable(logging.CRITICAL)
    runs, variants = _WALKS[system]
    with runs() as opens:
        faulty = walk_many(opens, variants, seeds)
    return [step for walked in faulty for step in walked.steps]
