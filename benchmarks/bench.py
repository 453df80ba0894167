"""Measures this server beside rasa-sdk and two limits: ``make bench``, or ``python -m benchmarks.bench --quick``.

All servers run at once and take turns in every round, so that a machine that is slow for a while is slow for all of
them. The servers run on core 0, the load on core 1. The result file holds each single measurement;
``report.py`` makes the tables and the plot of docs/performance.md from it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import load, payloads, probes
from benchmarks.load import Load
from benchmarks.servers import KINDS, TOKEN, Running, post, running, settle

RESULT = Path(__file__).resolve().parent / "result.json"
COMPARED = ("ours", "rasa-sdk", "bare Sanic", "commit before")
FEATURES = (
    *("ours", "with a token", "with metrics", "with a line in the log", "with traces", "as it is shipped"),
    *("as it is shipped, 1 % traced", "commit before", "commit before, as it was shipped"),
)
SHIPPED = ("as it is shipped", "rasa-sdk", "commit before, as it was shipped")

BEHIND_PROXIES = tuple(
    f"{name}{proxy}" for name in ("ours", "rasa-sdk") for proxy in ("", " behind HAProxy", " behind nginx")
)
# As HAProxy writes names of headers, and as nginx speaks to its upstreams by default.
BY_HAND = {
    "small letters": Load(b"", line="POST /webhook HTTP/1.1"),
    "HTTP/1.0": Load(b"", line="POST /webhook HTTP/1.0", headers=(("Connection", "keep-alive"),)),
}
WORKERS = ("ours", "ours, 2 workers", "rasa-sdk", "rasa-sdk, 2 workers")
# rasa-sdk answers a handful of them in a second.
LEAST_SECONDS = {"L": 2, "XL": 6}


@dataclass(frozen=True)
class Case:
    """One load, and the servers that get it. ``group`` is its table."""

    group: str
    name: str
    load: Load
    servers: tuple[str, ...] = COMPARED


def cases() -> Iterator[Case]:
    """Return what is measured."""
    for size in payloads.SIZES:
        connections = 16 if size == "XL" else 64
        servers = (*COMPARED, "Sanic + orjson")
        yield Case("noop", size, Load(payloads.body(size, "action_noop"), connections), servers)
    small = payloads.body("S", "action_noop")
    for connections in (1, 16, 256):
        yield Case("connections", f"S, {connections}", Load(small, connections))
    for size in ("S", "M"):
        yield Case("one connection per call", size, Load(payloads.body(size, "action_noop"), 64, keep_alive=False))
    for size in ("S", "M"):
        unusual = Load(payloads.body(size, "action_noop"), headers=(("TE", "trailers"),))
        yield Case("plain route", size, unusual)
    yield from proxied_cases()
    packed = (("Content-Encoding", "deflate"),)
    for size in ("S", "M"):
        deflated = payloads.deflated(size, "action_noop")
        yield Case("deflated", size, Load(deflated, 64, headers=packed), ("ours", "rasa-sdk", "commit before"))
    for action, size in (
        ("action_say", "S"),
        ("action_noop_sync", "S"),
        ("action_events", "M"),
        ("action_events", "L"),
        ("validate_bench_form", "M"),
        ("validate_bench_form", "L"),
    ):
        yield Case(
            "actions", f"{action}, {size}", Load(payloads.body(size, action)), ("ours", "rasa-sdk", "commit before")
        )
    for action in ("action_sync_50", "action_async_50"):
        yield Case("waiting actions", action, Load(payloads.body("S", action)), ("ours, 64 threads", "rasa-sdk"))
    for size in ("S", "M", "L"):
        yield Case("shipped", size, Load(payloads.body(size, "action_noop")), SHIPPED)
    yield Case("features", "S", Load(small, headers=(("Authorization", f"Bearer {TOKEN}"),)), FEATURES)
    for size in ("S", "M"):
        yield Case("workers", size, Load(payloads.body(size, "action_noop")), WORKERS)


def proxied_cases() -> Iterator[Case]:
    """Return what is measured of balancers, and of heads as they write them."""
    for size in ("S", "M", "L"):
        yield Case("behind a proxy", size, Load(payloads.body(size, "action_noop"), 16), BEHIND_PROXIES)
    for size in ("S", "M"):
        plain = Load(payloads.body(size, "action_noop"))
        yield Case("other heads", f"as wrk writes them, {size}", plain, ("ours", "rasa-sdk"))
        for name, given in BY_HAND.items():
            yield Case("other heads", f"{name}, {size}", replace(given, body=plain.body), ("ours", "rasa-sdk"))


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="one round of a second: to see that it works")
    parser.add_argument("--only", default="", help="groups, with commas: noop,features")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    if load.missing():
        sys.stderr.write(f"{load.missing()}\n")
        return 2
    rounds, seconds = (1, 1) if args.quick else (args.rounds, args.seconds)
    wanted = [case for case in cases() if not args.only or case.group in args.only.split(",")]
    begun = time.time()
    with running(sorted({name for case in wanted for name in case.servers})) as up:
        for name, server in up.items():
            prime(server)
            sys.stdout.write(f"{name} is up\n")
        samples = list(measured(wanted, up, rounds, seconds))
    once = {} if args.only else probes.all_of_them(rounds)
    result = {"about": about(begun, rounds, seconds), "samples": samples, "once": once}
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{args.out} is written; `make bench-report` makes docs/performance.md of it\n")
    return 0


def prime(server: Running) -> None:
    """Send a server the domain, and let it warm up: from then on the digest is enough."""
    for _ in range(4):
        post(server.url, payloads.first("action_noop"))
        post(server.url, payloads.first("validate_bench_form"))


def measured(wanted: list[Case], up: dict[str, Running], rounds: int, seconds: int) -> Iterator[dict[str, Any]]:
    """Measure all cases, round by round, the servers of each in an order of chance."""
    order = random.Random(payloads.SEED)  # noqa: S311
    for number in range(rounds):
        for case in wanted:
            for name in order.sample(case.servers, len(case.servers)):
                long_enough = max(seconds, LEAST_SECONDS.get(case.name.rpartition(" ")[2], 0))
                both_cores = KINDS[name].core is None
                settle(up[name].url)
                found = load.run(up[name].url, case.load, long_enough, up[name].pid, None if both_cores else 1)
                sys.stdout.write(f"{number + 1}/{rounds} {case.group}: {case.name}: {name}: {found}\n")
                sys.stdout.flush()
                yield {"group": case.group, "case": case.name, "server": name, "round": number, **asdict(found)}


def about(begun: float, rounds: int, seconds: int) -> dict[str, Any]:
    """Say where and how it was measured."""
    versions = {name: importlib.metadata.version(name) for name in ("rasa-sdk", "sanic", "uvloop", "msgspec", "orjson")}
    processor = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ": ?")
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False)  # noqa: S603
    return {
        "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime(begun)),
        "minutes": round((time.time() - begun) / 60, 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor.partition(":")[2].strip(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[2],
        "commit": commit.stdout.strip(),
        "rounds": rounds,
        "seconds": seconds,
        "versions": versions,
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    sys.exit(main())
