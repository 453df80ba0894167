"""What an installation brings along, beside rasa-sdk's: packages, megabytes, time until it serves. ``make footprint``.

Each is installed into an empty virtual environment, from the same registry; CPU time is the median of five starts of a
project of one action, from the start of the process until `/health` answers.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.load import cpu_seconds, rss_kb, tree_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- made by benchmarks/footprint.py -->", "<!-- end of the footprint -->"
# Name, what pip installs, and the module that serves.
CASES = (
    ("rasa-sdk", ("rasa-sdk==3.21.1",), "rasa_sdk"),
    ("ours, a bot without a store, tokens or flows", (".",), "action_server"),
    ("ours, with everything but the clinic", (".[client,flows,jwt,postgres,store]",), "action_server"),
    ("ours, the clinic (`make run`)", (".[clinic,flows]",), "action_server"),
)
_STARTS = 5
_QUIET = subprocess.DEVNULL
_PATIENCE = 60.0
_ACTION = """
from rasa_sdk import Action


class ActionHello(Action):
    def name(self):
        return "action_hello"

    def run(self, dispatcher, tracker, domain):
        return []
"""


def main() -> int:
    """Install each case, measure, and write the table into docs/performance.md; return the exit code."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    lines = ["| | packages | MB | s of CPU until it answers | MiB then |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="footprint-") as name:
        for index, (title, wanted, module) in enumerate(CASES):
            folder = Path(name) / str(index)
            sys.stderr.write(f"{title}: installing\n")
            python = _install(folder, wanted)
            lines.append(
                f"| {title} | {_packages(python)} | {_megabytes(folder)} | {_starts(python, module, folder)} |"
            )
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.stdout.write(f"{table}\n")
    return 0


def _install(folder: Path, wanted: tuple[str, ...]) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), *wanted], check=True, cwd=ROOT)  # noqa: S603
    return python


def _packages(python: Path) -> int:
    """Count what was installed, pip and setuptools aside."""
    command = [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    found = json.loads(listed)
    return len({entry["name"].lower() for entry in found} - {"pip", "setuptools"})


def _megabytes(folder: Path) -> int:
    """Return the size of the packages in millions of bytes, without pip's and setuptools' own and compiled files."""
    kept = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "__pycache__")
    files = (path for path in folder.glob("lib/*/site-packages/**/*") if path.is_file())
    own = (
        path for path in files if not any(part.partition("-")[0] in kept for part in path.parts[len(folder.parts) :])
    )
    return round(sum(path.stat().st_size for path in own) / 1e6)


def _starts(python: Path, module: str, folder: Path) -> str:
    (folder / "actions.py").write_text(_ACTION, encoding="utf-8")
    measured = [_start(python, module, folder) for _ in range(_STARTS)]
    cpu, memory = (statistics.median(values) for values in zip(*measured, strict=True))
    return f"{cpu:.2f} | {memory:.0f}"


def _start(python: Path, module: str, folder: Path) -> tuple[float, float]:
    """Return the CPU time of a server until `/health` answers, in seconds, and the memory it holds then, in MiB."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [str(python), "-m", module, "--actions", "actions", "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, stdout=_QUIET, stderr=_QUIET)  # noqa: S603
    try:
        _await(port, process)
        return cpu_seconds(process.pid), rss_kb(process.pid) / 1024
    finally:
        # All of them, and at once: rasa-sdk's first process may go on for ever after a SIGTERM in its start.
        for pid in tree_of(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()
    raise SystemExit(f"port {port} does not answer")


if __name__ == "__main__":
    sys.exit(main())
