"""Measures what it costs a call that somebody looks at all of them: without the pages, with them, with one open.

``python -m benchmarks.inspecting [--seconds 10] [--rounds 3]`` runs two servers of development, one without its pages,
and prints a table: CPU of a call at 200 calls/s, each with a connection of its own as an engine's, and calls at full
speed with wrk. Browsers compute elsewhere: one is stood in for by what it asks of the server.
"""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from urllib.parse import urlsplit

from benchmarks import load, payloads
from benchmarks.load import Load
from benchmarks.recording import RATE, cpu_of_steady
from benchmarks.servers import KINDS, Running, post, started, with_flags

_OFF, _ON, _OPEN = "`inspector: false`", "no page open", "the list open"
_STATES = (_OFF, _ON, _OPEN)
# Before the first measurement of a server, in seconds: it has just started.
_SETTLE = 3


@contextmanager
def page_open(url: str) -> Iterator[None]:
    """Do what a browser does that shows the list: hear of new calls, and ask for the rows each time."""
    ended = threading.Event()
    host = urlsplit(url).netloc

    def look() -> None:
        stream, rows = (http.client.HTTPConnection(host, timeout=60) for _ in range(2))
        stream.request("GET", "/inspector/live")
        news = stream.getresponse()
        while not ended.is_set() and (line := news.readline()):
            if line.startswith(b"data"):
                rows.request("GET", "/inspector/rows")
                rows.getresponse().read()
        stream.close()
        rows.close()

    browser = threading.Thread(target=look, daemon=True)
    browser.start()
    try:
        yield
    finally:
        ended.set()
        # It hears of the next call, or that the stream is still there.
        browser.join(15)


def counted(url: str) -> tuple[int, int]:
    """Return the number of the newest call that is kept, and how many the list says came too fast."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", "/inspector/rows")
    text = connection.getresponse().read().decode()
    connection.close()
    newest, missed = re.search(r"/inspector/calls/(\d+)", text), re.search(r"([\d,]+) calls came faster", text)
    return int(newest[1]) if newest else 0, int(missed[1].replace(",", "")) if missed else 0


def measure(up: dict[str, Running], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the CPU of a call at an even rate, in microseconds, of each state in turn."""
    body = payloads.body("S", "action_noop")
    cpu: dict[str, list[float]] = {state: [] for state in _STATES}
    for number in range(rounds):
        # Whoever is first has the machine as the others left it.
        for state in (*_STATES[number % 3 :], *_STATES[: number % 3]):
            server = up[state]
            with page_open(server.url) if state == _OPEN else nullcontext():
                cpu[state].append(cpu_of_steady(server, body, seconds))
    return cpu


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    args = parser.parse_args()
    write = sys.stdout.write
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        dev = with_flags(KINDS["as it is shipped"], "--dev", "--log-level", "INFO")
        off = replace(dev, variables={**dev.variables, "ACTION_SERVER__INSPECTOR": "false"})
        on = stack.enter_context(started(replace(dev, variables={**dev.variables, "XDG_CACHE_HOME": folder})))
        up = {_OFF: stack.enter_context(started(off)), _ON: on, _OPEN: on}
        for server in (up[_OFF], on):
            post(server.url, payloads.first("action_noop"))
        time.sleep(_SETTLE)
        write(
            f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, Linux {platform.machine()}, Python "
            f"{platform.python_version()}, {args.rounds} rounds of {args.seconds:g} s, load of the machine "
            f"{os.getloadavg()[0]:.1f}\n\n"
        )
        cpu = measure(up, args.rounds, args.seconds)
        first = statistics.median(cpu[_OFF])
        write(f"| S, {RATE} calls/s | CPU us/call (least - most) | more |\n|---|---|---|\n")
        for state in _STATES:
            middle = statistics.median(cpu[state])
            spread = f"{min(cpu[state]):.0f} - {max(cpu[state]):.0f}"
            write(f"| {state} | {middle:.0f} ({spread}) | {(middle / first - 1) * 100:+.0f} % |\n")
        if not load.missing():
            at_full_speed(up, int(args.seconds))
    return 0


def at_full_speed(up: dict[str, Running], seconds: int) -> None:
    """Print how many calls each state takes, and what became of them in the list."""
    body = payloads.body("S", "action_noop")
    sys.stdout.write("\n| S, full speed | calls/s | CPU us/call | kept | counted |\n|---|---|---|---|---|\n")
    for state in _STATES:
        server = up[state]
        before = (0, 0) if state == _OFF else counted(server.url)
        with page_open(server.url) if state == _OPEN else nullcontext():
            found = load.run(server.url, Load(body), seconds, server.pid)
        time.sleep(_SETTLE)
        after = (0, 0) if state == _OFF else counted(server.url)
        kept, missed = after[0] - before[0], after[1] - before[1]
        sys.stdout.write(f"| {state} | {found.requests_per_second:,.0f} | {found.cpu:.0f} | {kept:,} | {missed:,} |\n")


if __name__ == "__main__":
    sys.exit(main())
