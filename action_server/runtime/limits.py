"""What one worker may do at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Where synchronous code runs: on the thread that imported it, on a pool of threads, or on what its objects need.
SyncThread = Literal["auto", "import", "pool"]


@dataclass(frozen=True)
class Limits:
    """Bounds of one worker. Times are in seconds; single actions may have options of their own."""

    sync_workers: int = 40
    max_domains: int = 16
    max_calls: int = 500
    # Who waits costs some memory and no thread, and is refused after `queue_timeout` if it comes to nothing. A short
    # queue refuses a burst of calls that merely wait for something, and would all have been answered.
    max_queue: int = 2000
    queue_timeout: float = 10.0


@dataclass(frozen=True)
class RequestLimits:
    """Bounds of requests. Sizes are in bytes, times in seconds."""

    max_bytes: int = 32 * 1024 * 1024
    max_header_bytes: int = 16 * 1024
    max_json_depth: int = 100
    header_timeout: float = 15.0
    body_timeout: float = 30.0
    # Of all requests of a worker together.
    max_bytes_in_flight: int = 256 * 1024 * 1024
