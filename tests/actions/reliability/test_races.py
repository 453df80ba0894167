"""Four hosts, two hundred patients, ten times: ten appointments in the system itself, whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.actions.reliability.cells import LOOKS, OWN, SHARED, broken_race, race
from tests.actions.reliability.faults import FAULTS
from tests.actions.reliability.hosts import Host
from tests.actions.reliability.systems import EMBEDDED, System
from tests.actions.transport.fault_proxy import ProxyProcess, proxy_process

pytest_plugins = ["tests.databases"]

# Xandikos once, where it is different: it takes as long as all others together.
WHOLE = [*((name, SHARED) for name in (*EMBEDDED, "radicale")), ("medplum", OWN)]
# Each fault on one of two systems; by turns with one ledger and with four, with a transport that tries again by itself
# and with one that does not. `make reliability` does all of them on all.
BROKEN = [
    ("medplum" if number % 2 else "radicale", OWN if number // 2 % 2 else SHARED, number // 2, name)
    for number, name in enumerate(FAULTS)
]
# Together, so that each system is started once.
USED = [("xandikos", OWN, 1, "used")]
NOTHING = [(system, ledger, 1, "nothing") for system, ledger in WHOLE]
RACES = sorted([*NOTHING, *USED, *BROKEN], key=lambda race: race[0])


@pytest.fixture(scope="module")
def proxy(system: System) -> Iterator[ProxyProcess]:
    """A proxy that breaks requests to the system."""
    with proxy_process(system.place.origin) as found:
        yield found


@contextmanager
def proxy_for(fault: str, request: pytest.FixtureRequest, system: System) -> Iterator[ProxyProcess]:
    """Return a proxy; a new one for what hangs."""
    if "hang" in FAULTS[fault].action:
        with proxy_process(system.place.origin) as found:
            yield found
    else:
        yield request.getfixturevalue("proxy")


@pytest.mark.parametrize(("system", "ledger", "seed", "broken"), RACES, indirect=["system"])
def test_of_two_hundred_patients_ten_get_the_ten_times(
    running: Sequence[Host], system: System, ledger: str, seed: int, broken: str, request: pytest.FixtureRequest
) -> None:
    """Who was told a reference has that appointment, whatever became of the answer to the request that made it, and
    nobody else has one: all others were told that the time is taken.
    """
    if broken in ("nothing", "used"):
        race(running, system, ledger, seed, LOOKS if broken == "used" else 0)
    else:
        with proxy_for(broken, request, system) as proxy:
            broken_race(running, system, proxy, ledger, seed, FAULTS[broken])
