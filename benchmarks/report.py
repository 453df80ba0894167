"""Makes the tables and the plot of docs/performance.md from a result of ``bench.py``: ``make bench-report``."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.bench import RESULT

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.svg"
BEGIN, END = "<!-- made by benchmarks/report.py -->", "<!-- end -->"
TITLES = {
    "noop": "An action that does nothing, 64 connections (XL 16), keep-alive",
    "connections": "The same by number of connections",
    "one connection per call": "One connection for each call, as engines do it, 64 at once",
    "plain route": "The plain route, which everything unusual takes (here: a header `TE: trailers`)",
    "behind a proxy": "Behind HAProxy and nginx as in deploy/proxies, 16 connections; CPU of the server alone",
    "other heads": "Names of headers in small letters, and HTTP/1.0",
    "deflated": "Compressed requests",
    "actions": "Actions that do something, 64 connections",
    "waiting actions": "Actions that wait for 50 ms, 64 connections, 64 threads",
    "shipped": "As it is shipped, with metrics and a line in the log for each call, of which rasa-sdk has neither",
    "features": "What each feature costs (S, 64 connections)",
    "workers": "Two workers on two cores that the load needs as well",
}
# What a script of its own measures. Whatever a file `result-*.json` has measured later than the whole run counts.
MORE_TITLES = {"grpc": "Over gRPC, 16 connections (`python -m benchmarks.grpc_rows`)"}

COLUMNS = (
    *("load", "server", "calls/s (least - most)", "p50 ms", "p99 ms", "CPU us/call", "MiB"),
    *("x rasa-sdk", "x bare Sanic"),
)

Samples = list[dict[str, Any]]


def main() -> int:
    """Write the page's tables and the plot; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, nargs="?", default=RESULT)
    args = parser.parse_args()
    if not args.result.exists():
        sys.stderr.write(f"there is no {args.result}; run `make bench` first\n")
        return 2
    result = json.loads(args.result.read_text(encoding="utf-8"))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(args.result.parent.glob("result-*.json"))]
    left, *lefts = latest([result, *parts])
    tables = "\n".join([*about(result["about"]), *groups(left), *once(result["once"])])
    for part, samples in zip(parts, lefts, strict=True):
        tables += "\n".join(["", "", *about(part["about"]), *groups(samples)]) if samples else ""
    PAGE.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")
    PLOT.write_text(plot.bars(medians(result["samples"], "noop")), encoding="utf-8")
    sys.stdout.write(f"{PAGE} and {PLOT} are written\n")
    return 0


def latest(results: list[dict[str, Any]]) -> list[Samples]:
    """Return the samples of each run without the groups that a later one (``bench --only``) has measured again."""
    found: dict[str, str] = {}
    for result in results:
        for group in {sample["group"] for sample in result["samples"]}:
            found[group] = max(found.get(group, ""), result["about"]["when"])
    return [[s for s in r["samples"] if found[s["group"]] == r["about"]["when"]] for r in results]


def about(facts: dict[str, Any]) -> Iterator[str]:
    """Say where the numbers come from."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    how = f"{facts['rounds']} rounds, {facts['seconds']} s for each load, {facts['minutes']} minutes in all"
    where = f"{facts['cores']} cores ({facts['processor']}), {facts['system']}, Python {facts['python']}"
    yield (
        f"Measured on {facts['when']} at commit {facts['commit']}: {how}; {where}, {versions}. "
        f"The machine's load before it was {facts['load_before']:.1f}."
    )


def medians(samples: Samples, group: str) -> dict[str, dict[str, float]]:
    """Return calls a second by case and server."""
    found: dict[str, dict[str, float]] = {}
    of_group = [s for s in samples if s["group"] == group]
    for case, server in dict.fromkeys((s["case"], s["server"]) for s in of_group):
        rates = [s["requests_per_second"] for s in of_group if (s["case"], s["server"]) == (case, server)]
        found.setdefault(case, {})[server] = statistics.median(rates)
    return found


def groups(samples: Samples) -> Iterator[str]:
    """Make a table of each group of loads."""
    for group, title in {**TITLES, **MORE_TITLES}.items():
        rows = list(_rows([s for s in samples if s["group"] == group]))
        if rows:
            yield from ("", f"### {title}", "")
            yield f"| {' | '.join(COLUMNS)} |"
            yield "|---" * len(COLUMNS) + "|"
            yield from rows


def _rows(samples: Samples) -> Iterator[str]:
    by_case: dict[str, dict[str, Samples]] = {}
    for sample in samples:
        by_case.setdefault(sample["case"], {}).setdefault(sample["server"], []).append(sample)
    for case, servers in by_case.items():
        rates = {name: _median(of, "requests_per_second") for name, of in servers.items()}
        # In the order of speed, ours where it stands.
        for name in sorted(servers, key=lambda name: (not name.startswith("ours"), -rates[name])):
            of = servers[name]
            every = [s["requests_per_second"] for s in of]
            cells = [
                case,
                f"**{name}**" if name.startswith("ours") else name,
                f"{_number(rates[name])} ({_number(min(every))} - {_number(max(every))})",
                *(f"{_median(of, key) / 1000:.1f}" for key in ("p50", "p99")),
                _number(_median(of, "cpu")),
                f"{_median(of, 'rss_kb') / 1024:.0f}",
                *(_ratio(rates, name, to) for to in ("rasa-sdk", "bare Sanic")),
            ]
            errors = sum(s["errors"] for s in of)
            yield f"| {' | '.join(cells)} |" + (f" {errors} errors" if errors else "")


def once(found: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    """Make the table of what is measured without a flood."""
    if not found:
        return
    servers = list(dict.fromkeys(server for values in found.values() for server in values if "," not in server))
    yield from ("", "### Starting, memory, probes, domains", "", f"| | {' | '.join(servers)} |")
    yield "|---|" + "---|" * len(servers)
    for what, values in found.items():
        cells = [_spread(values.get(server, [])) for server in servers]
        yield f"| {what} | {' | '.join(cells)} |"


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    return f"{_number(statistics.median(values))} ({_number(min(values))} - {_number(max(values))})"


def _ratio(rates: dict[str, float], name: str, to: str) -> str:
    # Of a server that answered nothing in its time there is no multiple.
    return f"{rates[name] / rates[to]:.2f}" if name != to and rates.get(to) else ""


def _median(samples: Samples, key: str) -> float:
    return float(statistics.median(sample[key] for sample in samples))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
