"""Measures what it costs a call that somebody looks at all of them, with a page open.

``python -m benchmarks.inspecting [--seconds 10] [--rounds 3]`` runs two servers of development, one without its pages,
and prints the rows: at 200 calls/s, each with a connection of its own as an engine's, and at full speed with wrk.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from benchmarks import load, payloads
from benchmarks.load import Load
from benchmarks.recording import RATE, cpu_of_steady
from benchmarks.servers import KINDS, post, started, with_flags

_WITHOUT, _OPEN = "without the inspector", "with its page open"


@contextmanager
def page_open(url: str) -> Iterator[None]:
    """Do what a browser does that shows the list: hear of new calls, and ask for the rows each time."""
    ended = threading.Event()

    def look() -> None:
        with urllib.request.urlopen(f"{url}/inspector/live", timeout=60) as stream:  # noqa: S310 - our own server
            for line in stream:
                if ended.is_set():
                    return
                if line.startswith(b"data"):
                    with urllib.request.urlopen(f"{url}/inspector/rows", timeout=60) as rows:  # noqa: S310
                        rows.read()

    browser = threading.Thread(target=look, daemon=True)
    browser.start()
    try:
        yield
    finally:
        ended.set()
        browser.join()


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    args = parser.parse_args()
    body = payloads.body("S", "action_noop")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        dev = with_flags(KINDS["as it is shipped"], "--dev", "--log-level", "INFO")
        kinds = {
            _WITHOUT: replace(dev, variables={**dev.variables, "ACTION_SERVER__INSPECTOR": "false"}),
            _OPEN: replace(dev, variables={**dev.variables, "XDG_CACHE_HOME": folder}),
        }
        up = {name: stack.enter_context(started(kind)) for name, kind in kinds.items()}
        for server in up.values():
            post(server.url, payloads.first("action_noop"))
        stack.enter_context(page_open(up[_OPEN].url))
        cpu: dict[str, list[float]] = {name: [] for name in up}
        for _ in range(args.rounds):
            for name, server in up.items():
                cpu[name].append(cpu_of_steady(server, body, args.seconds))
        without, opened = (statistics.median(cpu[name]) for name in (_WITHOUT, _OPEN))
        more = (opened / without - 1) * 100
        sys.stdout.write(f"S, {RATE} calls/s: {without:.0f} -> {opened:.0f} us of CPU a call, {more:+.0f} %\n")
        if not load.missing():
            for name, server in up.items():
                found = load.run(server.url, Load(body), int(args.seconds), server.pid)
                sys.stdout.write(
                    f"full speed, {name}: {found.requests_per_second:.0f} calls/s, {found.cpu:.0f} us of CPU a call\n"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
