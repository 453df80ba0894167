"""Load by wrk, and what a server's processes used for it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

INSTALL = "wrk is missing: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS)"
_TICKS = os.sysconf("SC_CLK_TCK")

_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/json"
{headers}
"""
_BY_HAND = """
local request_by_hand = "{line}\\r\\n{lines}content-length: " .. #wrk.body .. "\\r\\n\\r\\n" .. wrk.body
request = function() return request_by_hand end
"""
_DONE = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"requests": %d, "us": %d, "p50": %d, "p99": %d, "errors": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout + e.status))
end
"""


@dataclass(frozen=True)
class Load:
    """What is sent: to ``/webhook``, over so many connections, for so long.

    With a ``line`` the request is written by hand: that request line, and names of headers in small letters.
    """

    body: bytes
    connections: int = 64
    keep_alive: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    line: str = ""


@dataclass(frozen=True)
class Measured:
    """What came of it. Times are in microseconds; ``cpu`` is the server's, for each request."""

    requests_per_second: float
    p50: float
    p99: float
    cpu: float
    rss_kb: int
    errors: int
    requests: int = 0


def missing() -> str:
    """Say what has to be installed, if anything."""
    return "" if shutil.which("wrk") else INSTALL


def pinned(command: list[str], core: int | None) -> list[str]:
    """Return a command that runs on one core, where that can be said."""
    if core is None or shutil.which("taskset") is None or (os.cpu_count() or 1) < 2:
        return command
    return ["taskset", "-c", str(core), *command]


def run(url: str, load: Load, seconds: int, pid: int, core: int | None = 1) -> Measured:
    """Send a load to a server, whose first process is ``pid``."""
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, "body")
        body.write_bytes(load.body)
        headers = list(load.headers) if load.keep_alive else [*load.headers, ("Connection", "close")]
        lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers)
        script = _SCRIPT.format(body=body, headers=lines)
        if load.line:
            given = [("host", "127.0.0.1"), ("content-type", "application/json"), *headers]
            script += _BY_HAND.format(line=load.line, lines="".join(f"{n.lower()}: {v}\\r\\n" for n, v in given))
        return run_script(url, script, load.connections, seconds, pid, core)


def run_script(url: str, script: str, connections: int, seconds: int, pid: int, core: int | None = 1) -> Measured:
    """Send what a script of wrk's makes to ``/webhook``."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as file:
        file.write(script + _DONE)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", file.name]
        before = cpu_seconds(pid)
        output = subprocess.run(  # noqa: S603
            pinned([*command, f"{url}/webhook"], core), capture_output=True, text=True, check=True
        ).stdout
        used = cpu_seconds(pid) - before
    found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk said: {output}")
    result = json.loads(found[1])
    count = max(1, result["requests"])
    rate = result["requests"] / result["us"] * 1e6
    cost = used / count * 1e6
    return Measured(rate, result["p50"], result["p99"], cost, rss_kb(pid), result["errors"], count)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of those it started, user and system."""
    fields = [Path(f"/proc/{p}/stat").read_text(encoding="ascii").rpartition(")")[2].split() for p in tree_of(pid)]
    return sum(int(f[11]) + int(f[12]) for f in fields) / _TICKS


def rss_kb(pid: int) -> int:
    """Resident memory of a process and of those it started, in KiB."""
    texts = [Path(f"/proc/{p}/status").read_text(encoding="utf-8") for p in tree_of(pid)]
    return sum(int(found[1]) for text in texts if (found := re.search(r"VmRSS:\s+(\d+)", text)))


def pss_kb(pid: int) -> int:
    """Return the memory of a process and of those it started, in KiB: what several share counts once in all."""
    texts = [Path(f"/proc/{p}/smaps_rollup").read_text(encoding="utf-8") for p in tree_of(pid)]
    return sum(int(found[1]) for text in texts if (found := re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)))


def tree_of(pid: int) -> list[int]:
    """Return a process and those it started, and so on."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text(encoding="ascii").split():
            found += tree_of(int(child))
    return found
