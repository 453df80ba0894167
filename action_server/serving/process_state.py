"""What the system says of a process that says nothing itself."""

from __future__ import annotations

from enum import Enum
from pathlib import Path


class ProcessState(Enum):
    """Stopped by a signal, held by a debugger of another process, or anything else: running, asleep, unknown."""

    STOPPED = "stopped"
    TRACED = "traced"
    OTHER = "other"


_STATES = {"T": ProcessState.STOPPED, "t": ProcessState.TRACED}


def state_of(pid: int) -> ProcessState:
    """Return the state of a process. Where there is no ``/proc``, as on macOS, it is ``OTHER``."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ProcessState.OTHER
    # The name before it stands in brackets and may hold anything: https://man7.org/linux/man-pages/man5/proc_pid_stat.5
    return _STATES.get(text.rpartition(")")[2].split()[0], ProcessState.OTHER)
