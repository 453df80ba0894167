"""What breaks between a host and its system, at places that a seed chooses."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.actions.reliability.systems import Place
from tests.actions.transport.fault_proxy import Fault

# Every system is written to at least so often in a race, and asked or written to so often altogether.
_WRITES, _REQUESTS = 10, 30
_EACH = 3

FAULTS: Mapping[str, Fault] = {
    "connection reset before the request": Fault("reset"),
    "connection reset after the request": Fault("forward_then_reset"),
    "500 before the request": Fault("answer", status=500),
    "500 after the request": Fault("forward_then_answer", status=500),
    "time-out before the request": Fault("hang"),
    "time-out after the request": Fault("forward_then_hang"),
    "429 too many requests": Fault("answer", status=429, headers=(("Retry-After", "0"),)),
}
# For the kinds that hang: so that nobody waits for long. What is cut off by chance on a slow machine is one more fault.
_IMPATIENT = {"read_timeout": 1, "total_timeout": 4}


def planned(fault: Fault, place: Place, seed: int) -> Sequence[Fault]:
    """Return six of the fault: three meet writes, three whatever is asked."""
    chance = random.Random(seed)  # noqa: S311 (not a secret)
    # The one write that makes an appointment one, and everything.
    method = "PUT" if place.kind == "caldav" else "POST"
    writes = [replace(fault, method=method, nth=nth) for nth in chance.sample(range(1, _WRITES + 1), _EACH)]
    return writes + [replace(fault, nth=nth) for nth in chance.sample(range(1, _REQUESTS + 1), _EACH)]


def transport_for(fault: Fault, seed: int) -> Mapping[str, Any]:
    """Return the limits under which the fault is met; for every other seed the transport repeats nothing by itself."""
    return {**(_IMPATIENT if "hang" in fault.action else {}), "attempts": 1 if seed % 2 else 3}
