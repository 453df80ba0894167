"""An earlier commit of this project, to be measured beside this one in the same run."""

from __future__ import annotations

import atexit
import functools
import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What the tables compare with: the last commit before the rooms, the log line and the big bodies were worked on.
BEFORE = "6bf6db4"


@functools.cache
def checkout(commit: str) -> Path:
    """Return a folder with the server's and the clinic's code as it was at a commit; it goes when this process ends.

    Raises:
        RuntimeError: the commit is not in this clone.
    """
    command = ["git", "archive", commit, "action_server", "actions"]
    packed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603
    if packed.returncode:
        raise RuntimeError(f"commit {commit} is not in this clone; a shallow one needs `git fetch --unshallow` first")
    folder = Path(tempfile.mkdtemp(prefix="action-server-before-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
