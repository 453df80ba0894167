"""The servers that are compared, each a process of its own on a free port of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.commits import BEFORE, checkout
from benchmarks.load import pinned
from tests.proxies.proxies import KINDS as PROXIES
from tests.proxies.proxies import missing, proxy_process

ROOT = Path(__file__).resolve().parents[1]
SERVED = Path(__file__).resolve().parent / "served"
PATIENCE = 60.0
TOKEN = "bench-token-0815"  # noqa: S105 - made up


@dataclass(frozen=True)
class Kind:
    """How a server is started; ``{port}`` in its command is the port, ``commit`` that of its code if not this one."""

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    core: int | None = 0
    commit: str = ""
    # What stands in front of it, as deploy/proxies configures it.
    proxy: str = ""


@dataclass(frozen=True)
class Running:
    """A server that answers. ``seconds`` is how long that took; ``url`` is its proxy's, if it has one."""

    url: str
    pid: int
    seconds: float


def _ours(*flags: str, core: int | None = 0, **variables: str) -> Kind:
    """Our server as far as it does what rasa-sdk does: no metrics, and no line in the log for each call."""
    command = (sys.executable, "-m", "action_server", "run", "--host", "127.0.0.1", "--port", "{port}", *flags)
    given = {f"ACTION_SERVER__{name.upper()}": value for name, value in variables.items()}
    return Kind(
        (*command, "--actions", "bench_actions"),
        {"ACTION_SERVER__METRICS": "false", "ACTION_SERVER__LOG_LEVEL": "WARNING", **given},
        core,
    )


def with_flags(kind: Kind, *flags: str) -> Kind:
    """Return the same server with more flags."""
    return replace(kind, command=(*kind.command, *flags))


def _rasa(core: int | None = 0, **variables: str) -> Kind:
    return Kind((sys.executable, "-m", "rasa_sdk", "--actions", "bench_actions", "-p", "{port}"), variables, core)


def _behind(kind: Kind, proxy: str) -> Kind:
    return replace(kind, proxy=proxy)


def _before(kind: Kind) -> Kind:
    """Return the same server as it was at the commit that the tables compare with."""
    return replace(kind, commit=BEFORE)


_TRACED = Kind(
    _ours().command,
    {
        **_ours().variables,
        # A collector that is not there: spans are made, and lost when they are sent.
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "LOG_LEVEL_LIBRARIES": "CRITICAL",
    },
)

_SAMPLED = replace(
    _TRACED,
    variables={
        **_TRACED.variables,
        **_ours(metrics="true", log_level="INFO").variables,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.01",
    },
)

KINDS: dict[str, Kind] = {
    "ours": _ours(),
    "rasa-sdk": _rasa(),
    "bare Sanic": Kind((sys.executable, "limit.py", "{port}")),
    "Sanic + orjson": Kind((sys.executable, "limit.py", "{port}", "orjson")),
    "ours behind HAProxy": _behind(_ours(), "haproxy"),
    "ours behind nginx": _behind(_ours(), "nginx"),
    "rasa-sdk behind HAProxy": _behind(_rasa(), "haproxy"),
    "rasa-sdk behind nginx": _behind(_rasa(), "nginx"),
    "ours, 64 threads": _ours("--sync-workers", "64"),
    "with a token": _ours(auth__tokens=TOKEN),
    "with metrics": _ours(metrics="true"),
    "with a line in the log": _ours(log_level="INFO"),
    "with traces": _TRACED,
    "as it is shipped": _ours(metrics="true", log_level="INFO"),
    "as it is shipped, 1 % traced": _SAMPLED,
    "commit before": _before(_ours()),
    "commit before, as it was shipped": _before(_ours(metrics="true", log_level="INFO")),
    "ours, 2 workers": _ours("--workers", "2", core=None),
    "rasa-sdk, 2 workers": _rasa(core=None, ACTION_SERVER_SANIC_WORKERS="2"),
}


@contextmanager
def running(names: list[str]) -> Iterator[dict[str, Running]]:
    """Run servers within the block."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(started(KINDS[name])) for name in names}


@contextmanager
def started(kind: Kind, patience: float = PATIENCE) -> Iterator[Running]:
    """Run one server within the block, which has so many seconds to answer first; it is killed at the end."""
    port = free_port()
    command = pinned([part.format(port=port) for part in kind.command], kind.core)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACTION_SERVER", "OTEL_"))}
    begun = time.perf_counter()
    process: subprocess.Popen[Any] = subprocess.Popen(  # noqa: S603
        command,
        cwd=SERVED,
        env={**kept, "PYTHONPATH": str(checkout(kind.commit) if kind.commit else ROOT), **kind.variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _await(url, process, patience)
        seconds = time.perf_counter() - begun
        with _in_front(kind.proxy, port) if kind.proxy else nullcontext(url) as front:
            yield Running(front, process.pid, seconds)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _in_front(name: str, port: int) -> Iterator[str]:
    """Run a proxy in front of one server; gives its URL."""
    kind = PROXIES[name]
    if problem := missing(kind):
        raise RuntimeError(problem)
    # rasa-sdk has no `/ready`; nginx asks for none.
    changes = (("GET /ready", "GET /health"),) if name == "haproxy" else ()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with proxy_process(kind, [port, port], Path(folder, name), changes=changes, probe="/health") as (url, _):
            yield url


def post(url: str, body: bytes) -> int:
    """Send one call and return the status."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(f"{url}/webhook", body, headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as exc:
        return exc.code


def settle(url: str) -> None:
    """Wait until a server has worked off what a load left behind: rasa-sdk runs blocked calls to their end."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=0.2):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.1)


def _await(url: str, process: subprocess.Popen[Any], patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=1):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} does not answer")


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
