"""What a process has open, as Linux tells it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Vitals:
    """What a process has open."""

    threads: int
    files: int
    memory_kb: int


def vitals_of(pid: int) -> Vitals | None:
    """Return what a process has open; None if there is no such process, or it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        files = len(os.listdir(f"/proc/{pid}/fd"))
        numbers = {name: int(re.findall(rf"{name}:\s+(\d+)", status)[0]) for name in ("Threads", "VmRSS")}
    except (OSError, IndexError):
        return None
    return Vitals(numbers["Threads"], files, numbers["VmRSS"])
