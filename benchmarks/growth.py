"""Measures how cost grows in fifteen dimensions: ``make growth``.

``python -m benchmarks.growth --only slots,flows`` renews some of them. It takes a quarter of an hour, fails
where cost grows faster than the size (an exponent over 1.1) or memory over time, and puts a table and a plot into
docs/performance.md. CPU time is measured, not the clock, so that a machine with other
work changes little; the load of the machine is noted all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import growth_before, growth_peers, growth_report, growth_served, growth_stored, load
from benchmarks.bench import about
from benchmarks.commits import BEFORE
from benchmarks.points import Point

RESULT = Path(__file__).resolve().parent / "growth.json"

# The dimensions, and how they are measured at four sizes or more; with --quick at the first two.
MEASURES: dict[str, tuple[Callable[[tuple[int, ...]], Iterator[Point]], tuple[int, ...]]] = {
    "actions": (growth_served.actions, (50, 200, 800, 3200)),
    "calls": (growth_served.parts_of_calls, (10, 100, 1000, 10_000)),
    "connections": (growth_served.connections, (50, 200, 800, 3200)),
    # Seconds; the sizes are what a server answers in them.
    "values": (growth_served.distinct_values, (1, 3, 10, 30)),
    "idempotency": (lambda counts: growth_stored.measured("idempotency", counts), (1000, 10_000, 100_000, 1_000_000)),
    "bookings": (lambda counts: growth_stored.measured("bookings", counts), (1000, 10_000, 100_000, 1_000_000)),
    "waiting": (lambda counts: growth_stored.measured("waiting", counts), (100, 1000, 10_000, 100_000)),
    "flows": (lambda counts: growth_stored.measured("flows", counts), (10, 40, 160, 640)),
    "turns": (lambda counts: growth_stored.measured("turns", counts), (10, 40, 160, 640)),
    "steps": (lambda counts: growth_stored.measured("steps", counts), (10, 100, 1000, 4000)),
    "postgresql": (growth_peers.postgresql, (1000, 10_000, 100_000, 1_000_000)),
    "calendar": (growth_peers.calendar, (50, 100, 300, 1000)),
    "tools": (growth_peers.tools, (50, 500, 1500, 5000)),
    "grpc": (growth_peers.over_grpc, (50, 500, 1500, 5000)),
    "workers": (growth_peers.workers, (1, 2, 4, 8)),
}


def main() -> int:
    """Measure; return 1 if something grows too fast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", default="", help=f"renew only these of the last result, with commas: {','.join(MEASURES)}"
    )
    parser.add_argument("--quick", action="store_true", help="two sizes of each: to see that it works")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument(
        "--before",
        action="store_true",
        help=f"instead, what grew too fast at commit {BEFORE}, then and now, in one run",
    )
    args = parser.parse_args()
    if args.before:
        return growth_before.main(args.only.split(",") if args.only else [])
    if load.missing():
        sys.stderr.write(f"{load.missing()}\n")
        return 2
    wanted = args.only.split(",") if args.only else list(MEASURES)
    begun, loads = time.time(), [os.getloadavg()[0]]
    kept = json.loads(args.out.read_text(encoding="utf-8")) if args.only and args.out.exists() else {}
    parts: dict[str, list[dict[str, Any]]] = kept.get("parts", {})
    for number, name in enumerate(wanted, 1):
        measure, counts = MEASURES[name]
        parts[name] = []
        for point in measure(counts[:2] if args.quick else counts):
            parts[name].append(asdict(point))
            loads.append(os.getloadavg()[0])
            _tell(f"{number}/{len(wanted)} {(time.time() - begun) / 60:4.1f} min", point)
        facts = _about(begun, loads, kept.get("about", {}))
        # After each: what breaks off has not measured for nothing.
        args.out.write_text(json.dumps({"about": facts, "parts": parts}, indent=1) + "\n", encoding="utf-8")
    points = [Point(**point) for name in MEASURES for point in parts.get(name, [])]
    found = growth_report.faults_of(points)
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    if args.out == RESULT and not args.quick:
        growth_report.publish(points, facts)
    return int(bool(found))


def _about(begun: float, loads: list[float], earlier: dict[str, Any]) -> dict[str, Any]:
    """Say where it was measured, and with how much other work; what is kept of an earlier run counts, too."""
    facts = about(begun, 1, 0)
    return {
        **facts,
        "minutes": round(facts["minutes"] + earlier.get("minutes", 0), 1),
        "load_least": min([*loads, earlier.get("load_least", loads[0])]),
        "load_most": max([*loads, earlier.get("load_most", loads[0])]),
    }


def _tell(progress: str, point: Point) -> None:
    sys.stdout.write(
        f"{progress}  {point.dimension}, {point.unit}: {point.server} at {point.size:,}: "
        f"{point.cpu_ms:.3f} ms, {point.rss_mib:.0f} MiB\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
