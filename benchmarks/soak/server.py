"""The server that a soak is run against: the clinic and the soak's own actions, in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.soak.client import TOKEN
from benchmarks.soak.log import Log
from benchmarks.soak.vitals import vitals_of

ROOT = Path(__file__).resolve().parents[2]
ACTIONS = ROOT / "benchmarks" / "served" / "soak_actions.py"
KINDS = ("knee", "heart", "skin", "teeth", "eyes", "back", "feet", "hands")
SYNC_WORKERS = 8
MAX_REQUEST = 1024 * 1024
# In seconds: a worker may take `--start-timeout` to start, 120 s, and is then tried once more.
LOG_PATIENCE = 180.0


def settings(database: Path) -> str:
    """Return the endpoints.yml: a clinic that is always open, so that there is something to book all along."""
    kinds = {kind: {"minutes": 15, "resource": f"room {kind}"} for kind in KINDS}
    block = {
        "auth": {"tokens": [TOKEN]},
        "actions": {"soak_too_slow*": {"timeout": 0.2}},
        "services": {
            "clinic": {
                "database": str(database),
                "opening_hours": "24/7",
                "holidays": None,
                "horizon_days": 30,
                "start_every_minutes": 15,
                "appointment_types": kinds,
            }
        },
    }
    # JSON is YAML.
    return json.dumps({"action_server": block})


class Server:
    """The server under test, its log in a file that every worker appends to.

    A worker that has answered nothing for ``max_blocked`` seconds is replaced.
    """

    def __init__(self, folder: Path, workers: int, max_blocked: float) -> None:
        self.folder = folder
        self.database = folder / "clinic.sqlite3"
        self.log = Log(folder / "server.log")
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        shutil.copy(ACTIONS, folder)
        (folder / "endpoints.yml").write_text(settings(self.database), encoding="utf-8")
        self.port = 0
        self.process = self._launch(workers, max_blocked)

    def _launch(self, workers: int, max_blocked: float) -> subprocess.Popen[bytes]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ACTION_SERVER", "SANIC_", "LOG_LEVEL"))}
        arguments = [
            *("--host", "127.0.0.1", "--port", "0", "--log-format", "json", "--actions", ACTIONS.stem),
            *("--workers", str(workers), "--sync-workers", str(SYNC_WORKERS), "--grace", "10", "--drain-delay", "0"),
            *("--max-request-bytes", str(MAX_REQUEST), "--header-timeout", "2", "--body-timeout", "2"),
            *("--max-blocked", str(max_blocked)),
        ]
        with self.log.path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the server we test
                [sys.executable, "-m", "action_server", "run", *arguments],
                cwd=self.folder,
                env={**kept, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.scratch)},
                stderr=log,
                stdout=subprocess.DEVNULL,
            )

    async def wait_until_ready(self) -> None:
        """Wait until it takes calls. Raises :class:`RuntimeError`, with the end of the log, if it does not."""
        line = await self.wait_for("server.ready")
        if line is None:
            raise RuntimeError(f"the server is not ready:\n{self.log.path.read_text(encoding='utf-8')[-3000:]}")
        self.port = int(line["url"].rpartition(":")[2])

    async def wait_for(self, event: str, start: int = 0) -> dict[str, Any] | None:
        """Return the first line with this event, from line ``start`` on; None if it does not come."""
        deadline = time.monotonic() + LOG_PATIENCE
        while (line := self.log.find(event, start)) is None:
            if time.monotonic() > deadline or self.process.poll() is not None:
                return self.log.find(event, start)
            await asyncio.sleep(0.05)
        return line

    def pids(self) -> list[int]:
        """Return the processes of all workers there ever were."""
        return [line["pid"] for line in self.log.lines() if line["event"] == "worker.loaded"]

    def alive(self) -> list[int]:
        """Return the processes of the workers that run."""
        return [pid for pid in self.pids() if vitals_of(pid) is not None]

    def kill(self) -> None:
        """End it with its workers, whatever state they are in."""
        # One that is blocked or stopped does not notice that nobody is there any more.
        workers = self.alive()
        self.process.kill()
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serve(workers: int, max_blocked: float) -> Iterator[Server]:
    """Provide a server in a folder of its own; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        server = Server(Path(folder), workers, max_blocked)
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.kill()
