"""Every message and page that says how to install something says what works: nothing is published."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from action_server.extras import PACKAGES, how_to_install

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
    assert asked == set()
    assert set(PACKAGES) <= set(EXTRAS)
    assert how_to_install("flows") == 'in a clone of this project: pip install ".[flows]"'


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_install_this_project_from_a_clone(page: Path) -> None:
    """By its name nobody gets it, and may get something else."""
    text = page.read_text(encoding="utf-8")

    assert re.findall(r"(?:pip|uv|pipx) (?:install|add)[^\n]*action-server(?!\.)", text) == []
    assert set(re.findall(r"\.\[([a-z]+)", text)) <= set(EXTRAS)


def test_each_package_of_an_extra_is_listed_by_the_name_it_is_imported_by() -> None:
    """What a new line of pyproject.toml brings would be missed without a word."""
    other = {"pyjwt": ("jwt", "cryptography"), "tomli": ("tomli",)}
    for extra, names in PACKAGES.items():
        listed = [re.split(r"[\[<>=!;]", line)[0].strip().lower() for line in EXTRAS[extra]]
        brought = [name for package in listed if package != "action-server" for name in other.get(package, (package,))]
        assert sorted(names) == sorted(brought), extra
