"""The process of `jobs work`, for the length of a block or until its log says something."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.processes import PATIENCE, command, environment


@contextmanager
def working(folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run `jobs work` within the block; gives its process and its log."""
    worker = subprocess.Popen(
        command(
            *("jobs", "work", "--database", "jobs.sqlite3", "--log-format", "json"),
            *("--host", "127.0.0.1", "--metrics-port", "0"),
        ),
        cwd=folder,
        env=environment(**variables),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    try:
        yield worker, worker.stderr
    finally:
        worker.kill()
        worker.stderr.close()
        worker.wait(PATIENCE)


def work_until(folder: Path, text: str, **variables: str) -> int:
    """Run `jobs work` until its log has this text; return its exit code."""
    with working(folder, **variables) as (worker, log):
        assert any(text in line for line in log)
        worker.send_signal(signal.SIGTERM)
        return worker.wait(PATIENCE)


def page_of_work_until(folder: Path, text: str) -> tuple[int, str]:
    """Run `jobs work` until its log has this text; return its exit code, and its page of metrics."""
    with working(folder) as (worker, log):
        port = next(json.loads(line)["metrics_port"] for line in log if '"jobs.working"' in line)
        assert any(text in line for line in log)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            page = answer.read().decode()
        worker.send_signal(signal.SIGTERM)
        return worker.wait(PATIENCE), page
