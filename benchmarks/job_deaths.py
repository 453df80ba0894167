"""No job lost: workers that die at every step, hosts that die as a whole, a database that is restarted in the middle.

    python -m benchmarks.job_deaths [--rounds N]

SQLite has one host of two workers, PostgreSQL two, which are process groups with a ledger each. What was measured
replaces the table of docs/reliability.md, if every job was run and is done; else it says what was not, and ends with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.action_server.jobs.job_deaths import Deaths, count_deaths, every_step
from tests.databases import postgresql_server, restart_postgresql

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- jobs: begin -->", "<!-- jobs: end -->"
SQLITE, POSTGRESQL = "SQLite, 1 host of 2 workers", "PostgreSQL, 2 hosts of 2 workers"
_HOSTS = {SQLITE: 1, POSTGRESQL: 2}
_WORKERS = 2
_PATIENCE = 300.0


class Row(NamedTuple):
    """What is done in a row: its title, on which systems, whether a host dies, and how often PostgreSQL restarts."""

    title: str
    systems: Sequence[str]
    kills_a_host: bool = False
    restart: str = ""


ROWS = (
    Row("every worker killed at each step", (SQLITE, POSTGRESQL)),
    Row("and all of a host's processes at once", (SQLITE, POSTGRESQL), kills_a_host=True),
    Row("and PostgreSQL stopped and started", (POSTGRESQL,), restart="fast"),
    Row("and PostgreSQL killed and recovered", (POSTGRESQL,), restart="immediate"),
)


def tell(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 (its only output)


@contextmanager
def system(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the URL of an empty database and a folder."""
    folder = Path(tempfile.mkdtemp(prefix="job-deaths-"))
    try:
        if name == SQLITE:
            yield f"sqlite:///{folder}/jobs.sqlite3", folder
        else:
            with postgresql_server(folder) as url:
                yield url, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _restart_often(url: str, how: str) -> None:
    """Restart the server three times, seconds after each other: in between, processes die and are replaced."""
    for _ in range(3):
        await asyncio.sleep(2)
        await asyncio.to_thread(restart_postgresql, url, how)


def measure(row: Row, name: str) -> Deaths:
    """Do a row once, on a database of its own."""
    schedule = every_step(_HOSTS[name], _WORKERS)
    with system(name) as (url, folder):
        meanwhile: Callable[[], Awaitable[object]] | None = None
        if row.restart:
            meanwhile = partial(_restart_often, url, row.restart)
        how = {"kills_a_host": row.kills_a_host, "patience": _PATIENCE}
        return asyncio.run(count_deaths(url, folder, schedule, meanwhile=meanwhile, **how))  # type: ignore[arg-type]


def table(found: dict[tuple[str, str], list[Deaths]]) -> str:
    """Return the table in Markdown."""
    lines = ["| | " + " | ".join(_HOSTS) + " |", "| --- | --- | --- |"]
    for row in ROWS:
        cells = [_cell(found[row.title, name]) if name in row.systems else "" for name in _HOSTS]
        lines.append(f"| {row.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: Sequence[Deaths]) -> str:
    deaths = sum(one.deaths.total() for one in found)
    jobs, repeats = sum(one.jobs for one in found), sum(one.repeats for one in found)
    return f"{deaths} deaths, {jobs} jobs, 0 lost, {repeats} runs repeated"


def write(text: str, page: Path) -> None:
    """Replace the table of the page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    where = f"Measured on {platform.system()} with Python {platform.python_version()} and {os.cpu_count()} cores."
    page.write_text(f"{before}{BEGIN}\n{where}\n\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> int:
    """Measure and write; return the exit code."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each row is done on each system (default: 5)")
    arguments = parser.parse_args()
    found: dict[tuple[str, str], list[Deaths]] = {}
    problems = 0
    for row in ROWS:
        for name in row.systems:
            for number in range(arguments.rounds):
                try:
                    deaths = measure(row, name)
                except (AssertionError, asyncio.TimeoutError) as exc:
                    problems += 1
                    tell(f"{name}: {row.title}, round {number}: {type(exc).__name__} {exc}")
                    continue
                found.setdefault((row.title, name), []).append(deaths)
                tell(f"{name}: {row.title}: {_cell([deaths])}")
    if not problems:
        write(table(found), PAGE)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
