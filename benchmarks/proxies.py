"""Proxies by cases: what two replicas behind each real proxy lose, do twice, or do and answer to nobody.

``python -m benchmarks.proxies`` runs nginx, HAProxy, Apache and Caddy as ``deploy/proxies`` configures them, sends
calls that each leave a mark, and stops, kills and restarts replicas meanwhile. What it counted replaces the table of
proxies in docs/reliability.md; it ends with 1 if a call ran twice, or ran unanswered where its replica was not killed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.processes import ServerProcess, server
from tests.projects import project
from tests.proxies.load import MARKING, Books, call_while
from tests.proxies.proxies import KINDS, free_port, missing, proxy_process

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- proxies: begin -->", "<!-- proxies: end -->"
# Seconds. The delay is twice the longest time between two checks of deploy/proxies.
DRAIN_DELAY = 2.0
BETWEEN = 1.5
KILLS = "kill -9 of one, which starts again"


@dataclass
class Replica:
    """A server on a port of its own, which can be started again there."""

    folder: Path
    workers: int
    port: int = field(default_factory=free_port)
    _stack: ExitStack = field(default_factory=ExitStack)
    _running: ServerProcess | None = None

    def start(self) -> None:
        """Start, and return when it takes calls."""
        flags = ("--actions", "actions", "--port", str(self.port), "--workers", str(self.workers))
        running = server(
            self.folder, *flags, "--drain-delay", str(DRAIN_DELAY), variables={"MARKS": str(self.folder / "marks")}
        )
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

    async def restart(self, number: int, by: signal.Signals = signal.SIGTERM) -> None:
        """End a replica and start it again, and wait until the proxy has had time to see it."""
        await asyncio.to_thread(self.replicas[number].stop, by)
        await asyncio.to_thread(self.replicas[number].start)
        await asyncio.sleep(BETWEEN)


async def drain_one(site: Site) -> Books:
    """Stop one replica, and start it again."""
    return await call_while(site.url, site.marks, lambda: site.restart(0))


async def drain_often(site: Site) -> Books:
    """Stop the replicas by turns, eight times."""

    async def work() -> None:
        for number in range(8):
            await site.restart(number % 2)

    return await call_while(site.url, site.marks, work)


async def kill_one(site: Site) -> Books:
    """Kill a replica with all that it is doing."""
    return await call_while(site.url, site.marks, lambda: site.restart(0, signal.SIGKILL))


async def large_bodies(site: Site) -> Books:
    """Send bodies of 2 MB while one replica is restarted."""
    return await call_while(site.url, site.marks, lambda: site.restart(1), callers=2, body_bytes=2_000_000)


async def packed_bodies(site: Site) -> Books:
    """Send bodies that are packed while one replica is restarted."""
    return await call_while(site.url, site.marks, lambda: site.restart(0), body_bytes=20_000, packed=True)


async def old_version(site: Site) -> Books:
    """Speak HTTP/1.0 while one replica is restarted."""
    return await call_while(site.url, site.marks, lambda: site.restart(1), version=aiohttp.HttpVersion10)


async def reload_proxy(site: Site) -> Books:
    """Have the proxy read its configuration again, three times."""

    async def work() -> None:
        for _ in range(3):
            site.reload_proxy()
            await asyncio.sleep(BETWEEN)

    return await call_while(site.url, site.marks, work)


CASES: dict[str, Callable[[Site], Awaitable[Books]]] = {
    "drain of one": drain_one,
    "eight drains, by turns": drain_often,
    KILLS: kill_one,
    "2 MB, drain of one": large_bodies,
    "gzip, drain of one": packed_bodies,
    "HTTP/1.0, drain of one": old_version,
    "the proxy reads its configuration again": reload_proxy,
}


@contextmanager
def site_behind(name: str, workers: int, folder: Path) -> Iterator[Site]:
    """Run two replicas behind a proxy within the block."""
    # Proxies may give up root's rights, and look for their files all the same.
    folder.mkdir()
    folder.chmod(0o755)
    project(folder, {"actions.py": MARKING})
    replicas = [Replica(folder, workers) for _ in range(2)]
    with ExitStack() as stack:
        for replica in replicas:
            stack.callback(replica.stop)
            replica.start()
        ports = [replica.port for replica in replicas]
        url, reload = stack.enter_context(proxy_process(KINDS[name], ports, folder / "proxy"))
        yield Site(url, folder / "marks", replicas, reload)


def cell_of(books: Books) -> str:
    """Return what stands in the table: lost, doubled, ran unanswered and failed, of how many calls."""
    total = len(books.answered) + len(books.refused)
    return f"{len(books.lost)} / {len(books.doubled)} / {len(books.ran_unanswered)} / {len(books.refused)} of {total:,}"


def measure(name: str, workers: int, folder: Path) -> Iterator[tuple[str, Books]]:
    """Run every case behind a proxy."""
    with site_behind(name, workers, folder) as site:
        for title, case in CASES.items():
            if case is reload_proxy and name == "caddy":
                # Its file has `admin off`: a change of it is a restart.
                continue
            yield title, asyncio.run(_awaited(case(site)))


async def _awaited(work: Awaitable[Books]) -> Books:
    return await work


def table_of(cells: dict[tuple[str, str], str], names: list[str]) -> str:
    """Return the table in Markdown."""
    rows = [["lost / doubled / ran unanswered / failed", *names], ["---"] * (len(names) + 1)]
    rows += [[row, *(cells.get((row, name), "-") for name in names)] for row in dict.fromkeys(row for row, _ in cells)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def write(table: str, page: Path) -> None:
    """Replace the table of the page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    where = f"Measured on {platform.system()} with Python {platform.python_version()} and {os.cpu_count()} cores."
    page.write_text(f"{before}{BEGIN}\n{where}\n\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> int:
    """Measure and write; return the exit code."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--proxies", nargs="*", choices=KINDS, default=list(KINDS), help="only these, without a page")
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2], help="of each replica (default: 1 2)")
    arguments = parser.parse_args()
    problems = [problem for name in arguments.proxies if (problem := missing(KINDS[name]))]
    cells: dict[tuple[str, str], str] = {}
    folder = Path(tempfile.mkdtemp(prefix="proxies-"))
    folder.chmod(0o755)
    try:
        for name in arguments.proxies if not problems else ():
            for workers in arguments.workers:
                for title, books in measure(name, workers, folder / f"{name}-{workers}"):
                    row = f"{title}; {workers} worker{'s' if workers > 1 else ''}"
                    cells[row, name] = cell_of(books)
                    _tell(f"{name}: {row}: {books}")
                    if books.doubled or books.lost or (books.ran_unanswered and title != KILLS):
                        problems.append(f"{name}: {row}: {books}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _tell("\n".join(problems))
    if not problems and set(arguments.proxies) == set(KINDS):
        write(table_of(cells, arguments.proxies), PAGE)
    return 1 if problems else 0


def _tell(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 (its only output)


if __name__ == "__main__":
    sys.exit(main())
