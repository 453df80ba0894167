"""Fixtures of the tests of settings."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, where the server is started; it has no endpoints.yml yet."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
