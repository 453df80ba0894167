"""What is loaded is left alone by the garbage collector, and memory for bodies is not fetched anew for each of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Page faults are counted, not time: they are the same on any machine.
FAULTS = """
import gc, resource, sys
from action_server.runtime import memory

def faults():
    def once():
        for _ in range(50):
            [bytearray(b"x") * 3_000_000 for _ in range(4)]
    once()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    once()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "settled":
    memory.settle()
    assert gc.get_freeze_count() > 1000
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_large_bodies_use_the_memory_of_those_before_them() -> None:
    """Fifty times four bodies of three megabytes are not a hundred thousand new pages."""
    found = subprocess.run(
        [sys.executable, "-c", FAULTS, "settled"], capture_output=True, text=True, check=True, timeout=60
    )

    assert int(found.stdout) < 1000


GIVEN_BACK = """
import resource
from pathlib import Path
from action_server.runtime import memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

memory.settle()
bodies = [bytearray(b"x") * 1_000_000 for _ in range(40)]
# Above them, so that what is freed is not at the end.
above = bytearray(b"x") * 1_000_000
del bodies
kept = resident()
memory.return_freed()
print(kept - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_freed_memory_can_be_given_back() -> None:
    """Nearly all of forty bodies of a megabyte, wherever they lay."""
    found = subprocess.run([sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True, timeout=60)

    assert int(found.stdout) > 35_000_000
