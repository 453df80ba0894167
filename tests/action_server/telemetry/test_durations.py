"""Durations are shown in milliseconds, everywhere alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from action_server.telemetry import durations

ROOT = Path(__file__).parents[3]


def test_a_duration_is_in_milliseconds_to_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A given one, and one from a reading of the clock until now."""
    monkeypatch.setattr("time.perf_counter", lambda: 12.34567)

    assert durations.milliseconds(0.0123456) == 12.3
    assert durations.milliseconds_since(12.0) == 345.7


def test_nobody_else_rounds_to_milliseconds() -> None:
    """Six places did, and each could have rounded in its own way."""
    files = [path for path in (ROOT / "action_server").rglob("*.py") if path.name != "durations.py"]
    rounding = [path.name for path in files if re.search(r"round\(.*\* 1000", path.read_text(encoding="utf-8"))]

    assert rounding == []
