"""The directory in which the workers of one supervisor count, and what becomes of the files of one that has ended.

It belongs to the supervisor, which holds a lock on it for as long as it lives: that tells it from a directory a killed
supervisor left behind. The files' format is prometheus_client's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "action-server-metrics-"
_OWNER = "owner.lock"
_READERS = "readers.lock"
# In the place of a process id, in the names of the files that all gone workers share.
_GONE = "gone"

_owned: dict[Path, int] = {}


def prepare_directory() -> Path:
    """Make the directory of a supervisor's workers, and remove those that killed supervisors left behind.

    In memory (/dev/shm) where there is such a place: it is written to with each call.
    """
    shared = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a directory of its own in it
    root = shared if os.access(shared, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    for left in root.glob(f"{_PREFIX}*"):
        _remove_if_abandoned(left)
    # It gets its final name once it is locked: another server that starts just now would take it for abandoned.
    new = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=root))
    owner = os.open(new / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(owner, fcntl.LOCK_EX)
    directory = new.rename(root / new.name.removeprefix("."))
    _owned[directory] = owner
    return directory


def forget_worker(directory: Path, pid: int) -> None:
    """Take leave of a worker that has ended: its gauges vanish, its counts are added to those of all gone workers.

    Without the adding up every worker that ever was would leave files to be read for each page.
    """
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, path=str(directory))
    with files_locked(directory, alone=True):
        for kind in ("counter", "histogram", "summary"):
            file = directory / f"{kind}_{pid}.db"
            if file.exists():
                _add(file, directory / f"{kind}_{_GONE}.db")
                file.unlink()


def cleanup(directory: Path) -> None:
    """Remove the directory, after the last worker has ended."""
    shutil.rmtree(directory, ignore_errors=True)
    owner = _owned.pop(directory, None)
    if owner is not None:
        os.close(owner)


@contextmanager
def files_locked(directory: Path, *, alone: bool = False) -> Iterator[None]:
    """Keep files from being added up while a page is made of them, and the other way round (``alone``).

    A page that missed or counted some twice would show a counter that falls, which Prometheus takes for a restart.
    """
    with open(directory / _READERS, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def _add(file: Path, to: Path) -> None:
    from prometheus_client.mmap_dict import MmapedDict

    total = MmapedDict(str(to))
    # A worker that was killed while it made the file leaves an empty one.
    with suppress(struct.error, RuntimeError):
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
    total.close()


def _remove_if_abandoned(directory: Path) -> None:
    try:
        owner = os.open(directory / _OWNER, os.O_RDWR)
    except OSError:
        # Another user's, or one that is being removed.
        return
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(owner)
