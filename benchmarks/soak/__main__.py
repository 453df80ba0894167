"""A soak: good, slow, failing and hostile calls for minutes, workers killed, blocked and stopped, and then an audit.

``python -m benchmarks.soak --seconds 600 --faults 6`` serves the clinic and some actions of its own from a temporary
folder and calls them from several clients. Six times each a worker is killed, is blocked by a call that never lets its
event loop run again, and is stopped (SIGSTOP). It verifies that each of them was named in the log and replaced while
calls went on; that every booking that was answered is in the database exactly once and no time has two of them; that
every answered call has one line in the log and one count in the metrics; and that nothing is left open. Exit code 1
when something of that is not so. All traffic stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.soak.books import Books
from benchmarks.soak.checks import Check, checks_of_bookings, checks_of_calls, checks_of_end, checks_of_metrics
from benchmarks.soak.client import PATIENCE
from benchmarks.soak.faults import checks_of_faults, entry_of
from benchmarks.soak.leftovers import checks_of_rest, look, most_of, page, wait_until_settled
from benchmarks.soak.server import Server, serve
from benchmarks.soak.traffic import Plan, say, traffic


async def run(server: Server, plan: Plan) -> tuple[Books, list[Check]]:
    """Do all of it."""
    books = Books()
    await server.wait_until_ready()
    say(f"serving on port {server.port}, seed {plan.seed}")
    before = await look(server, books)
    start = most_of(server)
    await traffic(server, plan, books)
    say("waiting until it is idle")
    left = await wait_until_settled(server, start)
    after = await look(server, books, max(before.values()))
    metrics = await page(server)
    lines_then = list(server.log.lines())
    pids = server.pids()
    server.process.terminate()
    code = await asyncio.to_thread(server.process.wait, PATIENCE)
    lines = server.log.lines()
    return books, [
        *checks_of_calls(books, lines),
        *checks_of_bookings(books, server.database),
        *checks_of_metrics(metrics, lines_then, books),
        *checks_of_rest(start, left, (before, after)),
        *checks_of_faults(books, plan.faults, lines),
        *checks_of_end(server, code, pids),
    ]


def report(plan: Plan, books: Books, checks: Sequence[Check]) -> dict[str, Any]:
    """Return the figures as JSON."""
    latencies = sorted(o.ended - o.started for o in books.outcomes.values() if o.status and o.action == "soak_quick")
    return {
        "seconds": plan.seconds,
        "workers": plan.workers,
        "seed": plan.seed,
        "calls": len(books.outcomes),
        "attacks": books.hostile.total(),
        "statuses": dict(sorted(Counter(str(o.status) for o in books.outcomes.values()).items())),
        "bookings": sum(map(len, books.references.values())),
        "cut_by_faults": len(books.cut()),
        "quick_p50_ms": round(latencies[len(latencies) // 2] * 1000, 1) if latencies else None,
        "quick_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1) if latencies else None,
        "faults": [entry_of(fault) for fault in books.faults],
        "checks": [vars(check) for check in checks],
        "ok": all(check.ok for check in checks),
    }


def lines_of(figures: dict[str, Any]) -> list[str]:
    """Return the figures for people: the numbers, each fault and each check in a line."""
    numbers = [f"{name:15} {value}" for name, value in figures.items() if name not in ("faults", "checks")]
    faults = [_line_of(fault) for fault in figures["faults"]]
    checks = [f"{'ok  ' if check['ok'] else 'FAIL'} {check['name']}: {check['found']}" for check in figures["checks"]]
    return [*numbers, *faults, *checks]


def _line_of(fault: dict[str, Any]) -> str:
    parts = [
        f"{fault['fault']:8} {fault['worker']}: {fault['named']} (after {fault['named_after_s']} s)",
        f"replaced by {fault['replaced_by']} after {fault['replaced_after_s']} s",
        f"{fault['answered_meanwhile']} calls answered meanwhile",
        *fault["problems"],
    ]
    return "; ".join(parts)


def print_report(figures: dict[str, Any], *, as_json: bool) -> int:
    """Print the figures and return the exit code: 1 if a check failed."""
    print(json.dumps(figures, indent=2) if as_json else "\n".join(lines_of(figures)))  # noqa: T201 - its output
    return 0 if figures["ok"] else 1


def arguments() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120, help="how long calls are sent")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of the server")
    parser.add_argument(
        "--faults", type=int, default=0, help="how often a worker is killed, how often blocked and how often stopped"
    )
    parser.add_argument("--max-blocked", type=float, default=3, help="the server's setting of that name, in seconds")
    parser.add_argument("--clients", type=int, default=12, help="clients; each has at most four calls open")
    parser.add_argument("--rate", type=float, default=60, help="how often a second something new is begun, about")
    parser.add_argument("--seed", type=int, default=1, help="of the choices that clients make")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the soak; 0 when all is well."""
    given = arguments().parse_args(argv)
    if given.faults and (given.workers < 2 or given.max_blocked <= 0):
        arguments().error("--faults needs --workers 2 or more, and a --max-blocked of more than 0")
    plan = Plan(
        seconds=given.seconds,
        workers=given.workers,
        faults=given.faults,
        max_blocked=given.max_blocked,
        clients=min(given.clients, 64),
        rate=min(given.rate, 500),
        seed=given.seed,
    )
    with serve(plan.workers, plan.max_blocked) as server:
        books, checks = asyncio.run(run(server, plan))
    return print_report(report(plan, books, checks), as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
