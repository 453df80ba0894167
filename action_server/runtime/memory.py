"""How a worker's memory is managed once all is loaded: what will stay, and what requests need again and again."""

from __future__ import annotations

import ctypes
import gc
import sys

# glibc's numbers (malloc.h), and bytes: a block below the first is taken from memory the process has, and that is given
# back only beyond the second. By default each body of more than 128 KiB is new memory that the kernel fills with zeros,
# which costs more than decoding it.
_TRIM_THRESHOLD, _KEPT = -1, 64 * 1024 * 1024
_MMAP_THRESHOLD, _LARGEST = -3, 32 * 1024 * 1024


def settle() -> None:
    """Say that what is loaded now will stay. To be called once, before the first request.

    The garbage collector no longer walks through it, and freed memory is kept for the next request, up to 64 MiB.
    """
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        _keep_freed_memory()


def return_freed() -> None:
    """Give the system what was freed and is kept for the next request: a few milliseconds for tens of megabytes."""
    if sys.platform == "linux":
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if malloc_trim is not None:
            malloc_trim(0)


def _keep_freed_memory() -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # There is none in musl.
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _KEPT)
