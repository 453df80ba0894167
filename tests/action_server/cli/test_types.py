"""The slots of a domain become a module that editors and mypy understand."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from action_server.cli.command_line import main
from tests.processes import PATIENCE
from tests.projects import project

DOMAIN = """
    slots:
      guests: {type: float}
      size: {type: categorical, values: [small, "large one"]}
      is_vip: {type: bool}
      dishes: {type: list}
      "first-name": {type: text}
      class: {type: text}
      copy: {type: any}
      2nd: {type: text}
"""
USE = """
    from domain_slots import DomainSlots, SlotName

    def right(slots: DomainSlots) -> SlotName:
        slots.guests = 3
        slots.size = "small"
        slots.first_name = "Ann"
        return "guests"

    def wrong(slots: DomainSlots) -> SlotName:
        slots.gests = 3
        slots.size = "huge"
        return "gests"
"""


def test_mypy_finds_a_misspelt_slot(folder: Path) -> None:
    """And a value that a slot cannot have; what is right is right."""
    project(folder, {"domain.yml": DOMAIN, "use.py": USE})
    assert main(["types", "--write", "domain_slots.py"]) == 0

    arguments = ["--strict", "--cache-dir", str(folder / ".mypy"), "--follow-imports=silent", "use.py"]
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
        check=False,
    )

    lines = [line.split(":")[1] for line in ended.stdout.splitlines() if "error" in line and line.startswith("use.py")]
    assert lines == ["11", "12", "13"], ended.stdout


def test_the_module_reads_and_writes_every_slot(folder: Path) -> None:
    """Whatever its name is: an alias stands for one that Python has not."""
    project(folder, {"domain.yml": DOMAIN})
    main(["types", "--write", "domain_slots.py"])
    kind = importlib.import_module("domain_slots").DomainSlots
    tracker = type("T", (), {"slots": {"first-name": "Ann", "class": "b", "copy": 1, "2nd": "x", "guests": 2.0}})()
    slots = kind.read(tracker)

    assert (slots.first_name, slots.slot_class, slots.slot_copy, slots.slot_2nd) == ("Ann", "b", 1, "x")


def test_a_file_is_checked_against_the_domain(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 while it is up to date, 1 when it is not or missing; without a flag it is printed."""
    project(folder, {"domain.yml": DOMAIN})
    missing = main(["types", "--check", "domain_slots.py"])
    main(["types", "--write", "domain_slots.py"])
    current = main(["types", "--check", "domain_slots.py"])
    project(folder, {"domain.yml": DOMAIN + "      wine: {type: bool}\n"})
    old = main(["types", "--check", "domain_slots.py"])
    capsys.readouterr()
    main(["types"])

    assert (missing, current, old) == (1, 0, 1)
    assert "wine: bool | None = None" in capsys.readouterr().out


@pytest.mark.parametrize(("file", "code"), [("data/flows.yml", 2), ("domain.yml", 0)], ids=["no domain", "no slots"])
def test_a_domain_with_nothing_in_it(folder: Path, file: str, code: int) -> None:
    """Without slots there is a class without fields; without a domain there is nothing to read."""
    project(folder, {file: "flows: {}" if code else "slots: {}"})

    assert main(["types"]) == code
