"""The tree in docs/decisions.md is the tree on disk: each room, its tier and its packages, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.test_layers import PLATFORM, ROOT, TIERS

PAGE = ROOT / "docs" / "decisions.md"
# What is no room: the package's own names, the other way to start it, and the mark that it has types.
LOOSE = {"__init__.py", "__main__.py", "py.typed"}
# A tier's number, names two blanks apart, then what they are, behind more blanks.
_LINE = re.compile(r" {1,5}(?:(?P<tier>\d{1,2})  )?(?P<names>[\w.]+/?(?:  [\w.]+/?)*)(?:\s{3,}(?P<what>.*)|\s*)")
# A line that goes on with what the one above it says.
_MORE = re.compile(r"\s{12,}(?P<what>.*)")


@dataclass(frozen=True)
class Drawn:
    """A room as the page shows it: ``tier`` is None for what is no room; ``packages`` are those inside of it."""

    tier: int | None
    packages: frozenset[str]


def drawn_tree(page: str) -> dict[str, Drawn]:
    """Read the tree of the platform: from its name to the next line that is not indented."""
    section = page.partition("## The tree")[2].partition("\n## ")[0]
    block = re.search(r"```text\n(.*?)```", section, re.DOTALL)
    assert block is not None, "the section has no block of text"
    found: dict[str, Drawn] = {}
    tier: int | None = None
    names: list[str] = []
    for line in block[1].partition(f"{PLATFORM}/")[2].splitlines()[1:]:
        if not line.startswith(" "):
            break
        match = _MORE.fullmatch(line) or _LINE.fullmatch(line)
        assert match is not None, f"what is this line? {line}"
        if "names" in match.groupdict():
            tier = int(match["tier"]) if match["tier"] else tier
            names = match["names"].split()
        inside = {word.rstrip("/") for word in re.findall(r"\b\w+/", match["what"] or "")}
        for name in names:
            before = found[name].packages if name in found else frozenset()
            found[name] = Drawn(tier, before | inside)
    return found


def tree_on_disk(folder: Path) -> dict[str, frozenset[str]]:
    """Return the rooms of a package, folders with a slash, each with the packages inside of it."""
    found = {}
    for path in folder.iterdir():
        if (path / "__init__.py").exists():
            found[f"{path.name}/"] = frozenset(inner.parent.name for inner in path.glob("*/__init__.py"))
        elif path.suffix == ".py" or path.name in LOOSE:
            found[path.name] = frozenset()
    return found


def differences(drawn: Mapping[str, Drawn], on_disk: Mapping[str, frozenset[str]], tiers: list[set[str]]) -> list[str]:
    """Say in a line each what the page shows and the disk does not, the other way round, and wrong tiers."""
    number = {name: tier for tier, rooms in enumerate(tiers) for name in rooms}
    found = [f"{name} is drawn and is not there" for name in sorted(drawn.keys() - on_disk.keys())]
    found += [f"{name} is there and is not drawn" for name in sorted(on_disk.keys() - drawn.keys())]
    for name in sorted(drawn.keys() & on_disk.keys()):
        room = name.removesuffix("/").removesuffix(".py")
        expected = None if name in LOOSE else number.get(room)
        if drawn[name].tier != expected:
            found.append(f"{name} is drawn in tier {drawn[name].tier} and is in {expected}")
        found += [f"{name}{p}/ is drawn and is not there" for p in sorted(drawn[name].packages - on_disk[name])]
        found += [f"{name}{p}/ is there and is not drawn" for p in sorted(on_disk[name] - drawn[name].packages)]
    return found


def test_the_tree_of_the_decisions_is_the_tree_on_disk() -> None:
    """Whoever adds a room, or a package to one, draws it; tiers are those of the table in test_layers.py."""
    drawn = drawn_tree(PAGE.read_text(encoding="utf-8"))

    assert differences(drawn, tree_on_disk(ROOT / PLATFORM), TIERS) == []


PAGE_OF_THREE = """
## The tree

```text
action_server/
  __init__.py  py.typed        public names
  0  low.py            what is
                       low
     deep.py
  1  room/             http/ (app, fast), grpc/
                       mcp/
actions/               the clinic
  booking              the use case
```

## How it works
"""
DISK = {
    "__init__.py": frozenset[str](),
    "py.typed": frozenset[str](),
    "low.py": frozenset[str](),
    "deep.py": frozenset[str](),
    "room/": frozenset({"http", "grpc", "mcp"}),
}
PLANTED_TIERS = [{"low", "deep"}, {"room"}]


def test_a_page_that_shows_what_is_there_is_right() -> None:
    """Numbers hold for the lines below them, and descriptions may go on."""
    assert differences(drawn_tree(PAGE_OF_THREE), DISK, PLANTED_TIERS) == []


WRONG: list[tuple[str, str, str, str]] = [
    ("a room that is gone", "deep.py", "deep.py  gone.py", "gone.py is drawn and is not there"),
    ("a room nobody drew", "     deep.py\n", "", "deep.py is there and is not drawn"),
    ("a module that is a folder", "deep.py", "deep/", "deep/ is drawn and is not there"),
    ("another tier", "  1  room/", "  3  room/", "room/ is drawn in tier 3 and is in 1"),
    ("a package that is gone", "grpc/", "grpc/, ftp/", "room/ftp/ is drawn and is not there"),
    ("a package nobody drew", "mcp/", "", "room/mcp/ is there and is not drawn"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_page_that_differs_is_told_where(right: str, wrong: str, said: str) -> None:
    """One line for each difference."""
    page = PAGE_OF_THREE.replace(right, wrong, 1)

    assert said in differences(drawn_tree(page), DISK, PLANTED_TIERS)
