"""What holds a worker's code up, and what only looks on."""

from __future__ import annotations

import bdb
import sys
from collections.abc import Callable
from typing import Any

import coverage
import pytest

from action_server.serving.heartbeat import is_debugged

Tracer = Callable[..., Any]


def tracer_of_coverage() -> Tracer:
    """The tracer that a program measured by coverage has, whatever measures this test."""
    before = sys.gettrace()
    measuring = coverage.Coverage(data_file=None, config_file=False)
    measuring.start()
    tracer = sys.gettrace()
    measuring.stop()
    sys.settrace(before)
    assert tracer is not None
    return tracer


def tracer_of_a_debugger() -> Tracer:
    """The tracer that ``breakpoint()`` sets."""
    debugger = bdb.Bdb()
    debugger.reset()
    return debugger.trace_dispatch


@pytest.mark.parametrize(("tracer", "debugged"), [(tracer_of_coverage, False), (tracer_of_a_debugger, True)])
def test_a_debugger_is_told_from_what_counts_lines(tracer: Callable[[], Tracer], debugged: bool) -> None:
    """Under coverage a worker that hangs is replaced as ever; while somebody steps through its code, it is not."""
    before = sys.gettrace()
    sys.settrace(tracer())
    try:
        found = is_debugged()
    finally:
        sys.settrace(before)

    assert found is debugged
