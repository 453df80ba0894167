"""A process is killed at each step of a booking, a move and a cancellation, and somebody looks at what it left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.actions.reliability.cells import WORKS, deaths
from tests.actions.reliability.hosts import Host, hosts
from tests.actions.reliability.systems import System

pytest_plugins = ["tests.databases"]


@pytest.fixture(scope="module")
def running() -> Iterator[Sequence[Host]]:
    """One host is enough: it has its deaths in processes of its own."""
    with hosts(1) as found:
        yield found


# Whatever the work is, on a ledger alone and with a system elsewhere.
DEATHS = [*(("sqlite", work) for work in WORKS), ("postgresql", "book")]
DEATHS += [("radicale", "book"), ("xandikos", "cancel"), ("medplum", "move")]


@pytest.mark.parametrize(("system", "work"), sorted(DEATHS), indirect=["system"])
def test_a_process_killed_at_any_step_leaves_all_of_it_or_nothing(
    running: Sequence[Host], system: System, work: str
) -> None:
    """By turns the call is repeated at once or the sweeper comes first: ledger and system agree, and the next patient
    is offered what is free and gets it.
    """
    first, *steps, reply = deaths(running[0], system, work)

    assert (first, reply) == ("before a commit", "after a commit")
    if system.place.is_remote:
        *requests, last = steps
        assert last == "before a commit"
        assert len(requests) >= {"book": 3, "move": 6, "cancel": 2}[work]
