"""The same call on two replicas at once, and again, also after one of them was killed: one effect, one answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.actions.reliability.cells import OWN, SHARED, copies
from tests.actions.reliability.hosts import Host, hosts
from tests.actions.reliability.systems import EMBEDDED, REMOTE, System

pytest_plugins = ["tests.databases"]

# Each system once and each kind of call once; `make reliability` does all of them, many times.
CASES: list[tuple[str, str, str, bool]] = [
    *((name, SHARED, "book", True) for name in (*EMBEDDED, "radicale", "medplum")),
    *((name, OWN, "book", False) for name in REMOTE),
    ("sqlite", SHARED, "move", True),
    ("radicale", SHARED, "cancel", True),
]


@pytest.fixture(scope="module")
def running() -> Iterator[Sequence[Host]]:
    """Two hosts are enough."""
    with hosts(2) as found:
        yield found


@pytest.mark.parametrize(("system", "ledger", "work", "killed"), sorted(CASES), indirect=["system"])
def test_copies_of_a_call_are_done_once_and_answered_alike(
    running: Sequence[Host], system: System, ledger: str, work: str, killed: bool
) -> None:
    """Every patient hears the same from each copy, and the system has what they heard, once."""
    assert copies(running, system, ledger, 0, work, killed=killed)
