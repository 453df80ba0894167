"""What grew too fast at an earlier commit, then and now, in one run: ``make growth ARGS=--before``.

Each figure is CPU time of a process that is started for it, by turns with the other commit's; two are none: how many
bookings failed, and how long a call waited. Puts a table into docs/performance.md.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import growth_report, sizes
from benchmarks.bench import about
from benchmarks.commits import BEFORE, ROOT, checkout
from benchmarks.growth_served import Client, cost_of, kind
from benchmarks.load import cpu_seconds
from benchmarks.servers import started

RESULT = Path(__file__).resolve().parent / "growth-before.json"
BEGIN, END = "<!-- made by benchmarks/growth_before.py -->", "<!-- end of growth_before -->"
OURS, SDK = "ours", "rasa-sdk"
# Seconds in which a server starts: the earlier one looks for the place of each of thousands of classes.
_PATIENCE = 600.0
_NEEDED_THEN = "opening-hours-py==2.1.4"


@dataclass(frozen=True)
class Row:
    """What one thing costs at each size. ``figure`` returns milliseconds, or a number if ``counts``."""

    title: str
    figure: Callable[[str, int], float]
    sizes: tuple[int, ...]
    servers: tuple[str, ...] = (BEFORE, OURS)
    counts: bool = False


def _code_of(server: str) -> Path:
    return ROOT if server == OURS else checkout(server)


@functools.cache
def _needed_then() -> Path:
    """Return a folder with the package that the clinic of the earlier commit needs and this one does not."""
    folder = checkout(BEFORE) / "needed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), _NEEDED_THEN]
    subprocess.run(command, check=True)  # noqa: S603
    return folder


def _run(server: str, *arguments: str, folder: Path | None = None, said: str = "") -> str:
    """Run a program of the commit's code; return what it prints."""
    code = _code_of(server)
    # The working directory comes first: there, what is to be run; then the commit's code, then what measures.
    path = ":".join(str(part) for part in (folder or code, code, ROOT, *([] if server == OURS else [_needed_then()])))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACTION_SERVER")}
    return subprocess.run(  # noqa: S603
        [sys.executable, *arguments],
        cwd=folder or code,
        env={**kept, "PYTHONPATH": path},
        input=said,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _cpu(run: Callable[[], object]) -> float:
    """Return the CPU time of the processes that were started, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def _stored(name: str) -> Callable[[str, int], float]:
    return lambda server, size: float(_run(server, "-m", "benchmarks.growth_rows", name, str(size)))


def _list(each: int | None) -> Callable[[str, int], float]:
    def figure(server: str, size: int) -> float:
        with tempfile.TemporaryDirectory(prefix="growth-") as folder:
            sizes.write_actions(Path(folder, "grown_actions"), size, each or size)
            if server == SDK:
                with started(kind(SDK, "grown_actions", Path(folder))) as up:
                    return cpu_seconds(up.pid) * 1000
            command = ("-m", "action_server", "list", "--actions", "grown_actions")
            return _cpu(lambda: _run(server, *command, folder=Path(folder)))

    return figure


def _metrics(server: str, size: int) -> float:
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        sizes.write_actions(Path(folder, "grown_actions"), size)
        # One was called: what was never called is none of the page's.
        with started(kind(server, "grown_actions", Path(folder), metrics=True), _PATIENCE) as up, Client(up) as client:
            client.post(sizes.call("action_0"))
            return cost_of(up, lambda: client.get("/metrics"))


def _after_get(server: str, size: int) -> float:
    del size
    with started(kind(server, "growth_actions")) as up, Client(up) as client:
        client.get("/health")
        return cost_of(up, lambda: client.post(sizes.call("action_none")))


def _returned(action: str) -> Callable[[str, int], float]:
    def figure(server: str, size: int) -> float:
        with started(kind(server, "growth_actions")) as up, Client(up) as client:
            return cost_of(up, lambda: client.post(sizes.call(action, text=str(size))))

    return figure


def _of_bot(measure: Callable[[str, Path], float]) -> Callable[[str, int], float]:
    def figure(server: str, size: int) -> float:
        with tempfile.TemporaryDirectory(prefix="growth-") as folder:
            bot = sizes.write_bot(Path(folder, "bot"), size, 6)
            sizes.write_actions(bot / "actions", 1)
            return measure(server, bot)

    return figure


def _turn(server: str, bot: Path) -> float:
    """One turn of a chat: what a conversation of 31 turns costs more than one, which has the start in it."""
    said = ("what a lovely morning", "something about parcels please", "my contract")
    # The first keeps what it has read of the project.
    _, few, many = (
        _cpu(lambda count=count: _run(server, "-m", "action_server", "chat", folder=bot, said=_lines(said, count)))  # type: ignore[misc]
        for count in (1, 1, 31)
    )
    return (many - few) / 30


def _lines(said: tuple[str, ...], count: int) -> str:
    return "".join(f"{said[number % len(said)]}\n" for number in range(count))


def _check(server: str, bot: Path) -> float:
    return _cpu(lambda: _run(server, "-m", "action_server", "check", folder=bot))


def _checked_again(server: str, bot: Path) -> float:
    _check(server, bot)
    return _check(server, bot)


def _chat(server: str, bot: Path) -> float:
    return _cpu(lambda: _run(server, "-m", "action_server", "chat", folder=bot, said="hello\n"))


_BOTH = (BEFORE, OURS, SDK)
_ROWS_STORED = (1000, 10_000, 100_000, 1_000_000)
ROWS: dict[str, Row] = {
    "module": Row("`list`, all actions in one module (rasa-sdk: its start)", _list(None), (50, 100, 200, 400), _BOTH),
    "modules": Row("`list`, modules of 50 actions (rasa-sdk: its start)", _list(50), (5000,), _BOTH),
    "booking": Row("a booking, and its end, among past ones", _stored("booking"), _ROWS_STORED),
    "failed": Row("of 50 bookings at once, failed", _stored("failed"), (1_000_000,), counts=True),
    "delivery": Row("a delivery to the CRM among waiting ones", _stored("delivery"), (100, 1000, 10_000, 100_000)),
    "cleaning": Row(
        "longest wait of a call while old rows go (clock)", _stored("cleaning"), (10_000, 100_000, 1_000_000)
    ),
    "metrics": Row("`/metrics`, one action was called, of", _metrics, (50, 250, 1000)),
    "get": Row("a call on a connection that had sent a GET", _after_get, (1,), _BOTH),
    "events": Row("a call that returns events", _returned("action_set"), (10, 100, 1000, 10_000), _BOTH),
    "messages": Row("a call that returns messages", _returned("action_tell"), (10, 100, 1000, 10_000), _BOTH),
    "turn": Row("a turn of `chat`, flows", _of_bot(_turn), (10, 100, 1000)),
    "chat": Row("`chat` with one line, flows", _of_bot(_chat), (10, 100, 1000)),
    "check": Row("`check`, flows", _of_bot(_check), (10, 100, 1000)),
    "again": Row("`check` again, nothing changed, flows", _of_bot(_checked_again), (10, 100, 1000)),
    "activity": Row("an activity in the embedded CRM, contacts", _stored("activity"), _ROWS_STORED),
}


def main(only: list[str]) -> int:
    """Measure, and publish the table; with ``only`` these rows are renewed, the others are the last run's."""
    begun, loads = time.time(), [os.getloadavg()[0]]
    kept: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if only and RESULT.exists() else {}
    found: dict[str, dict[str, list[float]]] = kept.get("rows", {})
    for name in only or ROWS:
        row = ROWS[name]
        figures: dict[str, list[float]] = {server: [] for server in row.servers}
        for size in row.sizes:
            for server in row.servers:
                figures[server].append(row.figure(server, size))
                loads.append(os.getloadavg()[0])
                told = f"{server} at {size:,}: {_shown(row, figures[server][-1])}"
                sys.stdout.write(f"{(time.time() - begun) / 60:4.1f} min  {row.title}: {told}\n")
                sys.stdout.flush()
        found[name] = figures
        facts = {**about(begun, 1, 0), "load_least": min(loads), "load_most": max(loads)}
        RESULT.write_text(json.dumps({"about": facts, "rows": found}, indent=1) + "\n", encoding="utf-8")
    growth_report.put(table(found, facts), BEGIN, END)
    return 0


def table(found: dict[str, dict[str, list[float]]], facts: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        f"{facts['when']}, commit {facts['commit']} beside {BEFORE}, {facts['cores']} cores of {facts['processor']}, "
        f"Python {facts['python']}; load of the machine {facts['load_least']:.1f} to {facts['load_most']:.1f}."
    )
    yield ""
    yield f"| what | sizes | {BEFORE} | now | rasa-sdk |"
    yield "|---|---|---|---|---|"
    for name, row in ROWS.items():
        if name in found:
            cells = (", ".join(_shown(row, one) for one in found[name].get(server, [])) for server in _BOTH)
            yield f"| {row.title} | {', '.join(map(growth_report.short, row.sizes))} | {' | '.join(cells)} |"


def _shown(row: Row, figure: float) -> str:
    return f"{figure:.0f}" if row.counts else growth_report.milliseconds(figure)
