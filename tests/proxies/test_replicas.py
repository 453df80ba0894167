"""Two replicas behind a real proxy, configured as ``deploy/proxies`` prints it: one leaves, and no call is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import ServerProcess, server
from tests.projects import project
from tests.proxies.load import MARKING, call_while
from tests.proxies.proxies import KINDS, missing, proxy

DRAIN_DELAY = "1.5"


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    # Proxies may give up root's rights, and look for their files all the same.
    tmp_path.chmod(0o755)
    project(tmp_path, {"actions.py": MARKING})
    return tmp_path / "marks"


@pytest.fixture
def replicas(tmp_path: Path, marks: Path) -> Iterator[list[ServerProcess]]:
    flags = ("--actions", "actions", "--drain-delay", DRAIN_DELAY)
    with ExitStack() as stack:
        yield [stack.enter_context(server(tmp_path, *flags, variables={"MARKS": str(marks)})) for _ in range(2)]


def port_of(replica: ServerProcess) -> int:
    return int(replica.url.rpartition(":")[2])


@pytest.mark.parametrize("name", ["haproxy"])
def test_one_of_two_replicas_stops_under_load_and_no_call_is_lost(
    tmp_path: Path, marks: Path, replicas: list[ServerProcess], name: str
) -> None:
    """The proxy asks `/ready`; what the replica takes until it closes is answered, once."""
    problem = missing(KINDS[name])
    if problem and not os.environ.get("CI"):
        pytest.skip(problem)
    assert not problem

    async def stop_one() -> None:
        await asyncio.to_thread(replicas[0].stop, signal.SIGTERM)

    with proxy(KINDS[name], [port_of(replica) for replica in replicas], tmp_path / "proxy") as url:
        books = asyncio.run(call_while(url, marks, stop_one))

    assert books.answered
    assert (books.refused, books.doubled, books.lost) == ({}, [], [])
