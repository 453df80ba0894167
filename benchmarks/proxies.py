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
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.proxy_cases import CASES, GRPC_CASES, GRPC_KILLS, KILLS, TWENTY, Case, reload_proxy
from benchmarks.proxy_sites import Site, site_behind
from tests.proxies.load import Books
from tests.proxies.proxies import KINDS, missing

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- proxies: begin -->", "<!-- proxies: end -->"
Cells = dict[tuple[str, str], str]
# Twenty drains take three minutes: of the proxy whose checks find out first.
_OF_ONE_PROXY = {TWENTY: "haproxy"}


def cell_of(books: Books) -> str:
    """Return what stands in the table: lost, doubled, ran unanswered and failed, of how many calls."""
    total = len(books.answered) + len(books.refused)
    return f"{len(books.lost)} / {len(books.doubled)} / {len(books.ran_unanswered)} / {len(books.refused)} of {total:,}"


def measure(name: str, workers: int, folder: Path, wanted: str) -> Iterator[tuple[str, Books]]:
    """Run the cases that have ``wanted`` in their names behind a proxy."""
    for speaks_grpc, cases in ((False, CASES), (True, GRPC_CASES)):
        chosen = {title: case for title, case in cases.items() if wanted in title and _is_for(name, title, case)}
        if not chosen:
            continue
        with site_behind(name, workers, folder / str(speaks_grpc), speaks_grpc=speaks_grpc) as site:
            for title, case in chosen.items():
                yield title, asyncio.run(_awaited(case, site))


def _is_for(name: str, title: str, case: Case) -> bool:
    # Caddy's file has `admin off`: a change of it is a restart.
    return _OF_ONE_PROXY.get(title, name) == name and not (case is reload_proxy and name == "caddy")


async def _awaited(case: Case, site: Site) -> Books:
    return await case(site)


def read_cells(page: Path) -> Cells:
    """Return what stands in the table of the page."""
    table = page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    lines = [[part.strip() for part in line.strip("|").split(" | ")] for line in table.splitlines() if "|" in line]
    if not lines:
        return {}
    (_, *names), _, *rows = lines
    return {(row, name): cell for row, *cells in rows for name, cell in zip(names, cells, strict=True) if cell != "-"}


def table_of(cells: Cells, names: list[str]) -> str:
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
    parser.add_argument("--proxies", nargs="*", choices=KINDS, default=list(KINDS), help="only these")
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2], help="of each replica (default: 1 2)")
    parser.add_argument("--cases", default="", help="only those that have this in their names")
    arguments = parser.parse_args()
    problems = [problem for name in arguments.proxies if (problem := missing(KINDS[name]))]
    cells: Cells = {}
    folder = Path(tempfile.mkdtemp(prefix="proxies-"))
    folder.chmod(0o755)
    try:
        for name in arguments.proxies if not problems else ():
            for workers in arguments.workers:
                for title, books in measure(name, workers, folder / f"{name}-{workers}", arguments.cases):
                    row = f"{title}; {workers} worker{'s' if workers > 1 else ''}"
                    cells[row, name] = cell_of(books)
                    _tell(f"{name}: {row}: {books}")
                    if books.doubled or books.lost or (books.ran_unanswered and title not in (KILLS, GRPC_KILLS)):
                        problems.append(f"{name}: {row}: {books}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _tell("\n".join(problems))
    if not problems:
        # What was not measured this time stays what it was.
        write(table_of(read_cells(PAGE) | cells, list(KINDS)), PAGE)
    return 1 if problems else 0


def _tell(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 (its only output)


if __name__ == "__main__":
    sys.exit(main())
