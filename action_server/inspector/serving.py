"""Adds the inspector to a worker: watches its calls, and serves the pages about the calls of all workers."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from platformdirs import user_cache_dir

from action_server.assembly import Assembly
from action_server.inspector.action_pages import ActionPages
from action_server.inspector.call_pages import CallPages
from action_server.inspector.calls_file import CallsFile
from action_server.inspector.job_pages import JobPages
from action_server.inspector.pages import Inspector, Routes
from action_server.inspector.project_view import ProjectView
from action_server.inspector.watching import CallWatch
from action_server.serving.http.app import SanicApp
from action_server.telemetry.masking import read_rules

logger = logging.getLogger(__name__)

# What is kept of calls: so many, and so many bytes altogether.
MOST_CALLS = 10_000
MOST_BYTES = 256 * 1024 * 1024


@asynccontextmanager
async def inspect(assembly: Assembly, app: SanicApp, shared_directory: Path | None) -> AsyncIterator[None]:
    """Watch the calls and serve the pages within the block."""
    settings = assembly.settings
    with _folder(is_kept=settings.dev, shared_directory=shared_directory) as folder:
        file = CallsFile(folder, MOST_CALLS, MOST_BYTES, os.getpid())
        rules = read_rules(settings.blocks.privacy)[0]
        watch = CallWatch(file, rules, assembly.executor.recorder)
        assembly.executor.recorder = watch
        project = ProjectView(settings.domain)
        inspector = Inspector(assembly, file, app, settings.dev, time.time(), project, bool(rules))
        routes = Routes(inspector)
        CallPages(inspector, routes)
        ActionPages(inspector, routes)
        JobPages(inspector, routes)
        try:
            yield
        finally:
            watch.close()


@contextmanager
def _folder(*, is_kept: bool, shared_directory: Path | None) -> Iterator[Path]:
    """Give the folder for the calls of all workers: one that stays, or one that goes with the server."""
    project = hashlib.sha256(os.fsencode(Path.cwd())).hexdigest()[:16]
    kept = Path(user_cache_dir("action-server", appauthor=False)) / "inspector" / project
    if is_kept and _can_be_written_to(kept):
        yield kept
    elif shared_directory is not None:
        yield shared_directory / "inspector"
    else:
        with tempfile.TemporaryDirectory(prefix="action-server-inspector-") as folder:
            yield Path(folder)


def _can_be_written_to(folder: Path) -> bool:
    """Make a folder, and tell if that could be done: in a container there may be no home, or one to be read only."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as exc:
        problem = f"{folder}: {exc.strerror}"
        logger.warning("inspector.not_kept", extra={"problem": problem, "instead": "calls go with the server"})
        return False
