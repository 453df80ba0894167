"""The dimensions that a server has, over HTTP, with rasa-sdk beside it."""

from __future__ import annotations

import http.client
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import load, sizes
from benchmarks.commits import checkout
from benchmarks.load import cpu_seconds, rss_kb
from benchmarks.points import Point
from benchmarks.servers import ROOT, Kind, Running, started

SERVERS = ("ours", "rasa-sdk")
# CPU time is counted in ticks of 10 ms: a measurement goes on until it is made of so many seconds, or took so many.
_LEAST_CPU, _LONGEST = 0.4, 3.0
_SCRIPT = """
local body = [==[{body}]==]
local count = {first}
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  count = count + 1
  return wrk.format(nil, nil, nil, (string.gsub(body, "SENDER", "sender-" .. count)))
end
"""


def kind(server: str, actions: str, folder: Path | None = None, *, metrics: bool = False) -> Kind:
    """Return how a server is started: ours, a commit's or rasa-sdk. ``folder`` holds the package of its actions."""
    code = ROOT if server in SERVERS else checkout(server)
    variables = {"PYTHONPATH": f"{code}:{folder}" if folder else str(code), "ACTION_SERVER__LOG_LEVEL": "WARNING"}
    variables["ACTION_SERVER__METRICS"] = str(metrics).lower()
    if server == "rasa-sdk":
        return Kind((sys.executable, "-m", "rasa_sdk", "--actions", actions, "-p", "{port}"), variables)
    command = (sys.executable, "-m", "action_server", "run", "--host", "127.0.0.1", "--port", "{port}")
    return Kind((*command, "--actions", actions), variables)


def actions(counts: tuple[int, ...]) -> Iterator[Point]:
    """Start with packages of actions; then have a page of metrics made after each was called."""
    for count in counts:
        folder = Path(tempfile.mkdtemp(prefix="growth-"))
        try:
            sizes.write_actions(folder / "grown_actions", count)
            for server in SERVERS:
                with started(kind(server, "grown_actions", folder)) as up:
                    yield point("actions", "start", server, count, cpu_seconds(up.pid) * 1000, up)
            with started(kind("ours", "grown_actions", folder, metrics=True)) as up, Client(up) as client:
                for number in range(count):
                    client.post(sizes.call(f"action_{number}"))
                cost = cost_of(up, lambda: client.get("/metrics"))
                yield point("actions", "page of metrics", "ours", count, cost, up)
        finally:
            shutil.rmtree(folder)


def parts_of_calls(counts: tuple[int, ...]) -> Iterator[Point]:
    """Send calls with many slots and events, and calls that are answered with many events and messages."""
    cases: tuple[tuple[str, str, Callable[[int], bytes]], ...] = (
        ("slots", "call", lambda count: sizes.call("action_none", slots=count)),
        ("events", "call", lambda count: sizes.call("action_none", events=count)),
        ("returned events", "call", lambda count: sizes.call("action_set", text=str(count))),
        ("returned messages", "call", lambda count: sizes.call("action_tell", text=str(count))),
    )
    for server in SERVERS:
        with started(kind(server, "growth_actions")) as up, Client(up) as client:
            for dimension, unit, body_of in cases:
                for count in counts:
                    body = body_of(count)
                    cost = cost_of(up, lambda body=body: client.post(body))  # type: ignore[misc]
                    before = rss_kb(up.pid) / 1024
                    cost_of(up, lambda body=body: client.post(body))  # type: ignore[misc]
                    yield Point(dimension, unit, server, count, cost, before, rss_kb(up.pid) / 1024)


def connections(counts: tuple[int, ...]) -> Iterator[Point]:
    """Hold connections that have sent one request and are silent; one more sends calls."""
    for server in SERVERS:
        with started(kind(server, "growth_actions")) as up, ExitStack() as open_ones, Client(up) as client:
            address = urlsplit(up.url)
            held = 0
            for count in counts:
                for _ in range(count - held):
                    idle = open_ones.enter_context(socket.create_connection((address.hostname, address.port)))
                    idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                    idle.recv(4096)
                held = count
                cost = cost_of(up, lambda: client.post(sizes.call("action_none")))
                yield point("connections", "call", server, count, cost, up)


def distinct_values(seconds: tuple[int, ...]) -> Iterator[Point]:
    """Send calls of conversations of which each is another, for so long each; the size is how many there were."""
    for server in SERVERS:
        with started(kind(server, "growth_actions")) as up:
            sent = 0
            for duration in seconds:
                body = sizes.call("action_none", sender="SENDER").decode()
                found = load.run_script(up.url, _SCRIPT.format(body=body, first=sent), 16, duration, up.pid)
                sent += found.requests
                yield Point("distinct values", "call", server, sent, found.cpu / 1000, found.rss_kb / 1024)


class Client:
    """One connection that is kept."""

    def __init__(self, up: Running) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(up.url).netloc, timeout=120)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, body: bytes, path: str = "/webhook") -> None:
        """Send a call."""
        self._send("POST", path, body)

    def get(self, path: str) -> None:
        """Ask for a page."""
        self._send("GET", path, None)

    def _send(self, method: str, path: str, body: bytes | None) -> None:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{method} {path} was answered with {response.status}")


def cost_of(up: Running, send: Callable[[], None]) -> float:
    """Return the server's CPU time for one request, in milliseconds."""
    for _ in range(3):
        send()
    begun, first = time.monotonic(), cpu_seconds(up.pid)
    count, batch = 0, 1
    while True:
        for _ in range(batch):
            send()
        count += batch
        batch = min(2 * batch, 2000)
        used = cpu_seconds(up.pid) - first
        if used >= _LEAST_CPU or time.monotonic() - begun > _LONGEST:
            return used / count * 1000


def point(dimension: str, unit: str, server: str, size: int, cost: float, up: Running) -> Point:
    """Return what one thing cost, with the server's memory."""
    return Point(dimension, unit, server, size, cost, rss_kb(up.pid) / 1024)
