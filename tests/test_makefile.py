"""`make` says what it does from the first moment on: nobody sits before a silent terminal."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.processes import PATIENCE, ROOT, environment

# Stands for a Python: makes an environment in which it stands for everything else, and says what it was asked to do.
PYTHON = """#!/bin/sh
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/action-server" ;;
esac
[ "$1" != "-m" ] || echo "asked: $*"
"""


@pytest.mark.parametrize("target", ["run", "check"])
def test_a_first_make_shows_what_it_is_doing(tmp_path: Path, target: str) -> None:
    """Each long step is announced before it begins, and pip shows what it fetches."""
    python = tmp_path / "python"
    python.write_text(PYTHON, encoding="utf-8")
    python.chmod(0o755)
    make = ["make", "--no-print-directory", target, f"PYTHON={python}", f"VENV={tmp_path}/venv"]
    # Of a make around this one.
    own = {name: value for name, value in environment().items() if name not in ("MAKEFLAGS", "MAKELEVEL")}

    ended = subprocess.run(make, cwd=ROOT, env=own, capture_output=True, text=True, timeout=PATIENCE, check=False)

    lines = ended.stdout.splitlines()
    asked = [number for number, line in enumerate(lines) if line.startswith("asked: -m")]
    assert lines[0].startswith(f"making an environment in {tmp_path}/venv (once; ")
    assert lines[asked[1] - 1].startswith(f"installing into {tmp_path}/venv (once; ")
    assert lines[asked[1]].startswith("asked: -m pip --disable-pip-version-check install --constraint constraints.txt")
    assert not [line for line in lines if "--quiet" in line or " -q " in line]
