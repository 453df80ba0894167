"""JUnit XML has a case for each test, and nothing that XML cannot hold."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from action_server.errors import SettingsError
from action_server.flows.e2e.junit import write_junit
from tests.action_server.flows.e2e.results import check, result, turn

BOOKED = check("action_book", 10)
EVENTS = [{"event": "slot", "name": "guest", "value": "Ann"}]
RESULTS = [
    result(turn("hi"), name="fine"),
    result(turn("a\x07b", events=EVENTS, failed=[BOOKED]), name="wa\x00ter", outcome="failed"),
    result(name="the menu", file="tests/more.yml", outcome="error", problem="data/flows.yml:29: needs the policy"),
]


def write(folder: Path, repeats: int = 1) -> ET.Element:
    path = folder / "out" / "junit.xml"
    write_junit(path, RESULTS, repeats=repeats)
    return ET.parse(path).getroot()  # noqa: S314 - our own file


def test_each_file_is_a_suite_and_each_test_a_case(tmp_path: Path) -> None:
    """With counts, places and seconds; the folder is made."""
    root = write(tmp_path)

    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("time")) == ("3", "1", "1", "0.750")
    assert [(s.get("name"), s.get("tests")) for s in root] == [("tests/cases.yml", "2"), ("tests/more.yml", "1")]
    case = root[0][0]
    assert (case.get("name"), case.get("file"), case.get("line")) == ("fine", "tests/cases.yml", "3")
    assert len(case) == 0


def test_a_failure_has_its_place_what_was_expected_and_what_happened(tmp_path: Path) -> None:
    """Characters XML has no way to write are replaced."""
    case = write(tmp_path)[0][1]
    failure = case.find("failure")

    assert case.get("name") == "wa\ufffdter"
    assert failure is not None
    assert failure.get("message") == "tests/cases.yml:10: action_executed: action_book"
    assert failure.text is not None
    assert "tests/cases.yml:10: expected action_executed: action_book\n\nactual:\n" in failure.text
    assert 'slot_was_set: guest = "Ann"' in failure.text


def test_a_test_that_could_not_be_played_is_an_error(tmp_path: Path) -> None:
    """With what was in the way."""
    error = write(tmp_path)[1][0].find("error")

    assert error is not None
    assert error.get("message") == "data/flows.yml:29: needs the policy"


def test_repeated_runs_have_their_number_in_the_name(tmp_path: Path) -> None:
    """CI systems would take them for one."""
    assert write(tmp_path, repeats=2)[0][0].get("name") == "fine [run 1]"


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    """With the flag."""
    with pytest.raises(SettingsError, match=r"--junit: .* cannot be written: "):
        write_junit(tmp_path, RESULTS, repeats=1)
