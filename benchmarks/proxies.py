"""Proxies by cases: what two replicas behind each real proxy lose, do twice, or do and answer to nobody.

``python -m benchmarks.proxies`` runs nginx, HAProxy, Apache and Caddy as ``deploy/proxies`` configures them, sends
calls that each leave a mark, and stops, kills and restarts replicas meanwhile. What it counted goes into the table of
proxies in docs/reliability.md, cell by cell; it ends with 1 if a cell could not be measured, if a call was lost or ran
twice, or ran unanswered where its replica was not killed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.proxy_cases import CASES, GRPC_CASES, GRPC_OFTEN, KILLS, OFTEN, TWENTY, Case, reload_proxy
from benchmarks.proxy_sites import Site, site_behind
from benchmarks.proxy_times import TIMED_CASES
from tests.action_server.security.certificates import make_files
from tests.proxies.load import Books
from tests.proxies.others import OTHERS
from tests.proxies.proxies import KINDS, missing, tls_changes

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- proxies: begin -->", "<!-- proxies: end -->"
Cells = dict[tuple[str, str], str]
Wanted = Callable[[str], bool]
# Twenty drains take two minutes and more, and are of those that check: in a whole run of the one that finds out first.
_TWENTY_BEHIND = "haproxy"
_CHECKING = ("haproxy", "apache", "caddy", "envoy", "traefik")
_EVERY = KINDS | OTHERS


def cell_of(books: Books) -> str:
    """Return what stands in the table: lost, doubled, ran unanswered and failed, of how many calls."""
    total = len(books.answered) + len(books.refused)
    return f"{len(books.lost)} / {len(books.doubled)} / {len(books.ran_unanswered)} / {len(books.refused)} of {total:,}"


def measure(name: str, workers: int, folder: Path, wanted: Wanted) -> Iterator[tuple[str, Books | Exception]]:
    """Run the cases that are wanted behind a proxy; gives what went wrong in the place of a case that could not run."""
    is_whole = wanted("")
    for speaks_grpc, cases in ((False, CASES), (True, GRPC_CASES)):
        chosen = {
            title: case
            for title, case in cases.items()
            if wanted(title) and _is_for(name, title, case, workers, is_whole=is_whole)
        }
        if not chosen or (speaks_grpc and not _EVERY[name].grpc_file):
            continue
        left = list(chosen)
        while left:
            # Anew where something went wrong: a replica may be gone, and what comes next would meet what is left.
            its_folder = folder / f"{speaks_grpc}-{len(left)}"
            try:
                with site_behind(name, workers, its_folder, speaks_grpc=speaks_grpc) as site:
                    outcome: Books | Exception = Books()
                    while left and isinstance(outcome, Books):
                        title = left.pop(0)
                        outcome = _outcome(chosen[title], site)
                        yield title, outcome
            except (AssertionError, OSError, subprocess.TimeoutExpired) as exc:
                # The replicas or the proxy could not be started, or stopped.
                if left:
                    yield left.pop(0), exc


def measure_timed(names: Sequence[str], folder: Path, wanted: Wanted) -> Iterator[tuple[str, str, Books | Exception]]:
    """Run the cases that wait, behind all proxies at once; gives proxy, case and outcome."""

    def run(name: str, title: str) -> Books | Exception:
        its_folder, timed = folder / f"{name}-{title.replace(' ', '-')}", TIMED_CASES[title]
        changes, flags = list(timed.changes.get(name, ())), list(timed.flags)
        if timed.tls:
            changes += tls_changes(name, files["ca.pem"])
            flags += ["--ssl-certificate", str(files["server.pem"]), "--ssl-keyfile", str(files["server.key"])]
        try:
            with site_behind(name, 1, its_folder, actions=timed.actions, changes=changes, flags=flags) as site:
                return _outcome(timed.case, site)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as exc:
            return exc

    folder.mkdir(exist_ok=True)
    files = make_files(folder)
    cells = [(name, title) for title in TIMED_CASES if wanted(title) for name in names]
    with ThreadPoolExecutor(max(1, len(names))) as threads:
        for (name, title), outcome in zip(cells, threads.map(lambda cell: run(*cell), cells), strict=True):
            yield name, title, outcome


def _outcome(case: Case, site: Site) -> Books | Exception:
    try:
        return asyncio.run(_awaited(case, site))
    except Exception as exc:  # noqa: BLE001 - the other cells are measured all the same
        return exc


def _is_for(name: str, title: str, case: Case, workers: int, *, is_whole: bool) -> bool:
    if title == TWENTY:
        return name == _TWENTY_BEHIND if is_whole else name in _CHECKING
    if title == OFTEN and is_whole:
        # Twenty are enough.
        return name != _TWENTY_BEHIND
    if workers > 1 and title == GRPC_OFTEN:
        # One drain is enough: each worker has a socket of its own, and knows nothing of the other one.
        return False
    # Caddy's file has `admin off`: a change of it is a restart.
    return not (case is reload_proxy and (name == "caddy" or name in OTHERS))


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
    """Measure, and write each cell when it is there; return the exit code."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--proxies", nargs="*", choices=_EVERY, default=list(KINDS), help="only these, or others")
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2], help="of each replica (default: 1 2)")
    parser.add_argument("--cases", nargs="*", default=[""], help="only those that have one of these in their names")
    parser.add_argument(
        "--print-only", action="store_true", help="leave the page as it is, as where others are measured"
    )
    arguments = parser.parse_args()
    problems = [problem for name in arguments.proxies if (problem := missing(_EVERY[name]))]
    folder = Path(tempfile.mkdtemp(prefix="proxies-"))
    folder.chmod(0o755)
    try:
        for name, row, outcome in _measured(arguments, folder) if not problems else ():
            _tell(f"{name}: {row}: {outcome}")
            problems += [f"{name}: {row}: {outcome}"] if is_fault(row, outcome) else []
            if isinstance(outcome, Books) and name in KINDS and not arguments.print_only:
                # At once, so that an interruption loses nothing. What was not measured this time stays what it was.
                write(table_of(read_cells(PAGE) | {(row, name): cell_of(outcome)}, list(KINDS)), PAGE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _tell("\n".join(problems))
    return 1 if problems else 0


def _measured(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str, Books | Exception]]:
    def wanted(title: str) -> bool:
        return any(part in title for part in arguments.cases)

    for name in arguments.proxies:
        for workers in arguments.workers:
            for title, outcome in measure(name, workers, folder / f"{name}-{workers}", wanted):
                yield name, f"{title}; {workers} worker{'s' if workers > 1 else ''}", outcome
    if 1 in arguments.workers:
        for name, title, outcome in measure_timed([n for n in arguments.proxies if n in KINDS], folder, wanted):
            yield name, f"{title}; 1 worker", outcome


def is_fault(row: str, outcome: Books | Exception) -> bool:
    """Tell whether a cell may not be: a call was lost or doubled, or ran unanswered though nobody was killed."""
    if isinstance(outcome, Exception):
        return True
    is_kill = KILLS in row
    return bool(outcome.doubled or outcome.lost or (outcome.ran_unanswered and not is_kill))


def _tell(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 (its only output)


if __name__ == "__main__":
    sys.exit(main())
