"""`action-server flows graph`: what is drawn, and where it is written."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from action_server.cli.command_line import main
from action_server.errors import SettingsError
from tests.action_server.flows.cafe import Cafe, open_cafe
from tests.processes import ROOT

CASES = """
test_cases:
  - test_case: water
    steps:
      - user: order a drink
      - user: tea
      - bot: water
  - test_case: nothing
    steps: [{user: pay the bill}]
"""


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    return open_cafe(tmp_path, monkeypatch)


def test_a_graph_highlights_what_tests_come_to(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """A test that does not pass is said, and drawn as far as it came."""
    cafe.write("tests/cases.yml", CASES)

    assert cafe.graph("order_drink", "--executed", "tests/cases.yml", "-k", "water") == 0

    printed = capsys.readouterr()
    assert printed.out.startswith("flowchart TD\n")
    assert "class f0n0,f0n1,f0n2,f0n3,f0n4 run" in printed.out
    assert "tests/cases.yml:3: water: failed" in printed.err


def test_graphs_are_written_to_files(cafe: Cafe) -> None:
    """One flow into a file, several as SVG into a folder."""
    assert cafe.graph("pay_bill", "--format", "svg", "--output", "one.svg") == 0
    assert cafe.graph("--format", "svg", "--output", "all") == 0
    assert cafe.graph("--output", "all.mmd") == 0

    assert ET.parse(cafe.folder / "one.svg").getroot().get("aria-label") == "pay the bill"  # noqa: S314 - our own file
    assert {path.name for path in (cafe.folder / "all").iterdir()} == {"order_drink.svg", "pay_bill.svg", "look_up.svg"}
    assert (cafe.folder / "all.mmd").read_text().count("subgraph") == 3


def test_a_folder_takes_one_flow_as_it_takes_several(cafe: Cafe) -> None:
    """One that is there, or that is written with a slash; a file each."""
    (cafe.folder / "there").mkdir()

    assert cafe.graph("pay_bill", "--format", "svg", "--output", "there") == 0
    assert cafe.graph("pay_bill", "--format", "svg", "--output", "new/") == 0
    assert cafe.graph("--output", "there") == 0

    found = {str(path.relative_to(cafe.folder)) for path in cafe.folder.glob("*/*") if path.suffix in (".svg", ".mmd")}
    flows = ("order_drink", "pay_bill")
    assert {"there/pay_bill.svg", "new/pay_bill.svg", *(f"there/{flow}.mmd" for flow in flows)} <= found


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["order_drinks"], "'order_drinks': is no flow of .*; did you mean 'order_drink'"),
        (["--format", "svg"], "--output: several flows as SVG need a folder"),
        (["--output", "domain.yml/x.mmd"], "--output: domain.yml/x.mmd cannot be written"),
    ],
)
def test_a_graph_that_cannot_be_drawn_says_why(cafe: Cafe, flags: list[str], problem: str) -> None:
    """In one line."""
    with pytest.raises(SettingsError, match=problem):
        cafe.graph(*flags)


def test_flows_may_stand_behind_who_understands(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """They are not taken for the file of a script."""
    assert cafe.graph("--understand", "offline", "pay_bill") == 0

    assert "order_drink" not in capsys.readouterr().out


def test_the_picture_of_the_page_is_what_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """The clinic's flow, byte by byte."""
    flags = ["--project", str(ROOT / "assistant"), "--format", "svg"]
    assert main(["flows", "graph", "book_appointment", *flags]) == 0

    assert capsys.readouterr().out == (ROOT / "docs/flow.svg").read_text(encoding="utf-8")
