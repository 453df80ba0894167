"""Two replicas behind a real proxy, configured as ``deploy/proxies`` prints it: one leaves, and no call is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import ServerProcess, server
from tests.projects import project
from tests.proxies.grpc_load import call_grpc_while
from tests.proxies.load import AS_A_TOOL, MARKING, call_while
from tests.proxies.proxies import KINDS, free_port, missing, proxy

DRAIN_DELAY = "1.5"


@dataclass
class Replica:
    """A server, and its port: over gRPC its URL does not tell."""

    port: int
    process: ServerProcess

    async def stop(self) -> None:
        """Tell it to stop, and wait for its end."""
        await asyncio.to_thread(self.process.stop, signal.SIGTERM)


def ports_of(replicas: list[Replica]) -> list[int]:
    return [replica.port for replica in replicas]


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    # Proxies may give up root's rights, and look for their files all the same.
    tmp_path.chmod(0o755)
    project(tmp_path, {"actions.py": MARKING, "endpoints.yml": AS_A_TOOL})
    return tmp_path / "marks"


@contextmanager
def two_replicas(folder: Path, *more: str) -> Iterator[list[Replica]]:
    with ExitStack() as stack:
        made = []
        for port in (free_port(), free_port()):
            flags = ("--actions", "actions", "--drain-delay", DRAIN_DELAY, "--port", str(port), *more)
            running = stack.enter_context(server(folder, *flags, variables={"MARKS": str(folder / "marks")}))
            made.append(Replica(port, running))
        yield made


def require(name: str) -> None:
    """Have a proxy, or say how to get it; in CI it has to be there."""
    problem = missing(KINDS[name])
    if problem and not os.environ.get("CI"):
        pytest.skip(problem)
    assert not problem


@pytest.mark.parametrize("path", ["/webhook", "/mcp"])
def test_one_of_two_replicas_stops_under_load_and_no_call_is_lost(tmp_path: Path, marks: Path, path: str) -> None:
    """The proxy asks `/ready`; what the replica takes until it closes is answered, once."""
    require("haproxy")
    with two_replicas(tmp_path) as replicas, proxy(KINDS["haproxy"], ports_of(replicas), tmp_path / "proxy") as url:
        books = asyncio.run(call_while(url, marks, replicas[0].stop, path=path))

    assert books.answered
    assert (books.refused, books.doubled, books.lost) == ({}, [], [])


def test_one_of_two_replicas_that_speak_grpc_stops_under_load_and_no_call_is_lost(tmp_path: Path, marks: Path) -> None:
    """The proxy asks gRPC's own health check, byte by byte as its configuration has it."""
    require("haproxy")
    with (
        two_replicas(tmp_path, "--grpc") as replicas,
        proxy(KINDS["haproxy"], ports_of(replicas), tmp_path / "proxy", speaks_grpc=True) as url,
    ):
        books = asyncio.run(call_grpc_while(url.removeprefix("http://"), marks, replicas[0].stop))

    assert books.answered
    assert (books.refused, books.doubled, books.lost) == ({}, [], [])
