"""What holds a worker's code up, and what only looks on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import PATIENCE, environment

IS_DEBUGGED = "from action_server.serving.heartbeat import is_debugged; print(is_debugged())"
STEPPED_THROUGH = f"""
import bdb, sys
debugger = bdb.Bdb()
debugger.reset()
sys.settrace(debugger.trace_dispatch)
{IS_DEBUGGED}
"""
# No measuring but the test's own.
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
MEASURED_IN_C, MEASURED_IN_PYTHON = (
    f"""
import coverage
measuring = coverage.Coverage(data_file=None, config_file=False)
measuring.set_option("run:core", {core!r})
measuring.start()
{IS_DEBUGGED}
measuring.stop()
"""
    for core in ("ctrace", "pytrace")
)


@pytest.mark.parametrize(
    ("script", "debugged"),
    [(IS_DEBUGGED, False), (MEASURED_IN_C, False), (MEASURED_IN_PYTHON, False), (STEPPED_THROUGH, True)],
    ids=["nothing", "coverage in C", "coverage in Python", "a debugger"],
)
def test_a_debugger_is_told_from_what_counts_lines(script: str, debugged: bool) -> None:
    """Under coverage a worker that hangs is replaced as ever; while somebody steps through its code, it is not."""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(**UNMEASURED),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert ended.stdout == f"{debugged}\n"
