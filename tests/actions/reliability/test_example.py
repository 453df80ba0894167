"""The example of docs/howto/add-a-backend.md keeps the contract that it is run on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.actions.reliability.hosts import ROOT
from tests.actions.scheduling import calendar_contract
from tests.processes import PATIENCE, environment

PAGE = ROOT / "docs" / "howto" / "add-a-backend.md"


def test_the_example_passes_the_contract_as_it_is_printed(tmp_path: Path) -> None:
    """Both files are written as the page says, and all tests of the contract run."""
    for text in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        name = text.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(text, encoding="utf-8")

    flags = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *flags, "test_board.py"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=f"{tmp_path}:{ROOT}"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) >= len(calendar_contract.__all__)
