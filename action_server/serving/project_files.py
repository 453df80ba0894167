"""The files a worker runs from the project, and whether they have changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

# When each file was changed, in nanoseconds.
Snapshot = dict[str, int]


def snapshot(files: Iterable[str]) -> Snapshot:
    """Return when each of the files, and each Python file beside them, was changed (nanoseconds)."""
    folders = {Path(file).parent for file in files}
    found = {*files, *(str(path) for folder in folders for path in folder.glob("*.py"))}
    return {file: changed for file in found if (changed := _change_time(file))}


def imported_files() -> Snapshot:
    """Return what this process imported from the project: below the working directory, but not installed there."""
    project = os.getcwd() + os.sep
    files = {os.path.abspath(f) for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None))}
    own = {f for f in files if f.startswith(project) and not f.startswith(sys.prefix) and f.endswith(".py")}
    return snapshot(own)


def _change_time(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0
