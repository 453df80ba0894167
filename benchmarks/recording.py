"""Measures what it costs to record every call: at 200 calls/s, and what is dropped at full speed.

``python -m benchmarks.recording [--seconds 10] [--rounds 3]`` runs two servers as they are shipped, one of which
records, and prints the rows. At 200 calls/s each call has a connection of its own, as an engine's has.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from urllib.parse import urlsplit

from benchmarks import load, payloads
from benchmarks.load import Load
from benchmarks.servers import KINDS, Running, post, started, with_flags

RATE = 200
# Longer than a recorder waits until it makes files of what is in its backlog, and that takes; in seconds.
_REST = 6
_PLAIN, _RECORDING = "as it is shipped", "recording"


async def steady(url: str, body: bytes, seconds: float) -> int:
    """Send calls at an even rate, whatever the answers take; return how many."""
    calls = int(RATE * seconds)
    begun = time.perf_counter()
    sent = []
    for number in range(calls):
        await asyncio.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
        sent.append(asyncio.create_task(_call(url, body)))
    await asyncio.gather(*sent)
    return calls


async def _call(url: str, body: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    head = (
        "POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    if b" 200" not in answer[:20]:
        raise RuntimeError(answer[:200].decode(errors="replace"))


def recorded(url: str) -> dict[str, int]:
    """Return what a server says of its recordings, by outcome."""
    time.sleep(1)
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as page:  # noqa: S310 - our own server
        text = page.read().decode()
    found = re.findall(r'^action_server_recordings_total\{result="(\w+)"\} ([\d.e+]+)', text, re.MULTILINE)
    return {result: int(float(calls)) for result, calls in found}


def cpu_of_steady(server: Running, body: bytes, seconds: float) -> float:
    """Return the CPU of one call, in microseconds."""
    time.sleep(_REST)
    before = load.cpu_seconds(server.pid)
    calls = asyncio.run(steady(server.url, body, seconds))
    return (load.cpu_seconds(server.pid) - before) / calls * 1e6


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        shipped = KINDS[_PLAIN]
        kinds = {_PLAIN: shipped, _RECORDING: with_flags(shipped, "--record", folder)}
        up = {name: stack.enter_context(started(kind)) for name, kind in kinds.items()}
        for server in up.values():
            post(server.url, payloads.first("action_noop"))
        for size in ("S", "M"):
            body = payloads.body(size, "action_noop")
            cpu: dict[str, list[float]] = {name: [] for name in up}
            for _ in range(args.rounds):
                for name, server in up.items():
                    cpu[name].append(cpu_of_steady(server, body, args.seconds))
            plain, recording = (statistics.median(cpu[name]) for name in (_PLAIN, _RECORDING))
            more = (recording / plain - 1) * 100
            sys.stdout.write(
                f"{size}, {RATE} calls/s: {plain:.0f} -> {recording:.0f} us of CPU a call, {more:+.0f} %\n"
            )
        sys.stdout.write(f"recordings: {recorded(up[_RECORDING].url)}\n")
        if not load.missing():
            full = Load(payloads.body("S", "action_noop"))
            for name, server in up.items():
                found = load.run(server.url, full, int(args.seconds), server.pid)
                sys.stdout.write(f"full speed, {name}: {found.requests_per_second:.0f} calls/s\n")
            sys.stdout.write(f"recordings: {recorded(up[_RECORDING].url)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
