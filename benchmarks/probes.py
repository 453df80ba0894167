"""What is measured without a flood of requests: starting, memory at rest, probes under load, two assistants."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any

from benchmarks import load, payloads
from benchmarks.load import Load, rss_kb
from benchmarks.servers import KINDS, Running, post, started

_COMPARED = ("ours", "rasa-sdk")
_IMPORTED = {"ours": "action_server.serving.worker", "rasa-sdk": "rasa_sdk.endpoint"}
_EXCHANGES = 50
# Seconds: longer than a server of ours takes to see that there are no large bodies any more.
_REST = 11.0


def all_of_them(rounds: int) -> dict[str, Any]:
    """Measure everything here, the servers in turns."""
    found: dict[str, dict[str, list[float]]] = {}

    def note(what: str, server: str, value: float) -> None:
        found.setdefault(what, {}).setdefault(server, []).append(value)
        sys.stdout.write(f"{what}: {server}: {value:.1f}\n")

    for _ in range(rounds):
        for name in _COMPARED:
            with started(KINDS[name]) as server:
                note("start to first answer, ms", name, server.seconds * 1000)
                note("memory at rest, MiB", name, rss_kb(server.pid) / 1024)
                note("449 after the first exchange, of 100", name, alternating(server))
                note("memory some seconds after 64 connections with L, MiB", name, memory_after_large(server))
            note("import, ms", name, import_seconds(_IMPORTED[name]) * 1000)
        for name in ("ours, 64 threads", "rasa-sdk"):
            with started(KINDS[name]) as server:
                note("p99 of /health under 64 blocking calls, ms", name.partition(",")[0], health_p99(server) * 1000)
    return found


def import_seconds(module: str) -> float:
    """Return how long a fresh interpreter takes to import a module, beyond starting."""

    def seconds(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
        return time.perf_counter() - begun

    return max(0.0, seconds(f"import {module}") - seconds("pass"))


def alternating(server: Running) -> int:
    """Let two assistants call in turns; return how many of a hundred later calls are answered with 449."""
    domains = [payloads.domain(), {**payloads.domain(), "version": "3.0"}]
    for domain in domains:
        post(server.url, payloads.without_domain("action_noop", domain))
        post(server.url, payloads.first("action_noop", domain))
    asked = 0
    for _ in range(_EXCHANGES):
        for domain in domains:
            if post(server.url, payloads.without_domain("validate_bench_form", domain)) == 449:
                asked += 1
                post(server.url, payloads.first("validate_bench_form", domain))
    return asked


def memory_after_large(server: Running) -> float:
    """Return the memory of all processes of a server when large bodies are over, in MiB, pages they share once."""
    load.run(server.url, Load(payloads.body("L", "action_noop"), 64), 2, server.pid)
    time.sleep(_REST)
    return load.pss_kb(server.pid) / 1024


def health_p99(server: Running) -> float:
    """Return the 99th percentile of ``/health`` while 64 clients call an action that blocks for 50 ms, in seconds."""
    post(server.url, payloads.first("action_noop"))
    flood = Load(payloads.body("S", "action_sync_50"), 64)
    thread = threading.Thread(target=load.run, args=(server.url, flood, 4, server.pid))
    thread.start()
    time.sleep(0.5)
    times: list[float] = []
    until = time.monotonic() + 3
    while time.monotonic() < until:
        begun = time.perf_counter()
        with urllib.request.urlopen(f"{server.url}/health", timeout=60):  # noqa: S310 - our own server
            times.append(time.perf_counter() - begun)
        time.sleep(0.005)
    thread.join()
    return max(times) if len(times) < 100 else statistics.quantiles(times, n=100)[98]
