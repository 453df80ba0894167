"""Every message and page that says how to install something says what works: nothing is published."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from action_server.extras import how_to_install

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_messages_take_the_command_from_one_place() -> None:
    """Whatever package they miss, and only for extras that there are."""
    code = {path: path.read_text(encoding="utf-8") for path in (ROOT / "action_server").rglob("*.py")}
    asked = {extra for text in code.values() for extra in re.findall(r"how_to_install\(['\"](\w+)", text)}

    assert [path.name for path, text in code.items() if re.search(r"pip install (?!\S* ?-r )", text)] == ["extras.py"]
    assert asked == {"flows", "postgres"}
    assert asked <= set(EXTRAS)
    assert how_to_install("flows") == 'in a clone of this project: pip install ".[flows]"'


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_install_this_project_from_a_clone(page: Path) -> None:
    """By its name nobody gets it, and may get something else."""
    text = page.read_text(encoding="utf-8")

    assert re.findall(r"(?:pip|uv|pipx) (?:install|add)[^\n]*action-server(?!\.)", text) == []
    assert set(re.findall(r"\.\[([a-z]+)", text)) <= set(EXTRAS)
