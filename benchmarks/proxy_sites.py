"""Two replicas behind a real proxy, which can be stopped, killed and started again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.processes import ServerProcess, server
from tests.projects import project
from tests.proxies.load import AS_A_TOOL, MARKING
from tests.proxies.others import OTHERS
from tests.proxies.proxies import KINDS, free_port, proxy_process

# Seconds. The delay is twice the longest time between two checks of deploy/proxies.
DRAIN_DELAY = 2.0
BETWEEN = 1.5


@dataclass
class Replica:
    """A server on a port of its own, which can be started again there."""

    folder: Path
    workers: int
    speaks_grpc: bool = False
    flags: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    _stack: ExitStack = field(default_factory=ExitStack)
    _running: ServerProcess | None = None

    def start(self) -> None:
        """Start, and return when it takes calls."""
        flags = ["--actions", "actions", "--port", str(self.port), "--workers", str(self.workers)]
        flags += ["--grpc"] if self.speaks_grpc else []
        flags += ["--drain-delay", str(DRAIN_DELAY), "--database", str(self.folder / "answers.sqlite3")]
        running = server(self.folder, *flags, *self.flags, variables={"MARKS": str(self.folder / "marks")})
        self._running = self._stack.enter_context(running)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it with a signal, and return when it has ended."""
        if self._running is not None:
            self._running.stop(number)
        self._stack.close()


@dataclass
class Site:
    """Two replicas behind a proxy."""

    url: str
    marks: Path
    replicas: list[Replica]
    reload_proxy: Callable[[], None]

    @property
    def target(self) -> str:
        """The proxy's host and port, as gRPC wants them."""
        return self.url.removeprefix("http://")

    async def restart(self, number: int, by: signal.Signals = signal.SIGTERM) -> None:
        """End a replica and start it again, and wait until the proxy has had time to see it."""
        await asyncio.to_thread(self.replicas[number].stop, by)
        await asyncio.to_thread(self.replicas[number].start)
        await asyncio.sleep(BETWEEN)


@contextmanager
def site_behind(
    name: str,
    workers: int,
    folder: Path,
    *,
    speaks_grpc: bool = False,
    actions: str = MARKING,
    changes: Sequence[tuple[str, str]] = (),
    flags: Sequence[str] = (),
) -> Iterator[Site]:
    """Run two replicas behind a proxy within the block.

    ``changes`` are words of the proxy's file and what stands there instead, ``flags`` those of the replicas beside the
    usual ones.
    """
    # Proxies may give up root's rights, and look for their files all the same.
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)
    folder.chmod(0o755)
    project(folder, {"actions.py": actions, "endpoints.yml": AS_A_TOOL})
    replicas = [Replica(folder, workers, speaks_grpc, flags) for _ in range(2)]
    with ExitStack() as stack:
        for replica in replicas:
            stack.callback(replica.stop)
            replica.start()
        ports = [replica.port for replica in replicas]
        process = proxy_process(
            (KINDS | OTHERS)[name], ports, folder / "proxy", speaks_grpc=speaks_grpc, changes=changes
        )
        url, reload = stack.enter_context(process)
        yield Site(url, folder / "marks", replicas, reload)
