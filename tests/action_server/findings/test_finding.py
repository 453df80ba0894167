"""Findings: their words, their severity, their order."""

from __future__ import annotations

import pytest

from action_server.findings.finding import Finding, Findings, by_severity, count
from action_server.findings.rule import Rule
from action_server.source import Place

PORT = Rule("port", "warning", "the port is not <port>", fix="write <port> or <other>")
NAME = Rule("name", "error", "a name that is nobody's")
HINT = Rule("hint", "note", "good to know")


def test_a_finding_has_the_words_of_its_rule_with_the_facts() -> None:
    """A fact that looks like a word to fill in stays as it is."""
    finding = Finding.of(PORT, Place(key="--port"), port="<other>", other=2)

    assert (finding.message, finding.fix) == ("the port is not <other>", "write <other> or 2")


def test_a_finding_without_a_fact_of_its_rule_is_a_defect() -> None:
    """It is no sentence with a hole in it."""
    with pytest.raises(KeyError):
        Finding.of(PORT, Place(), port=1)


def test_the_severity_is_the_rule_s_unless_it_is_milder_here() -> None:
    """Both are what is counted and shown."""
    at = Place("a")
    found = Findings()
    found.add(NAME, at, "x", "y")
    found.add(NAME, at, "z", "y", "warning")

    assert [finding.severity for finding in found.sorted()] == ["error", "warning"]
    assert count(found.sorted()) == {"error": 1, "warning": 1, "note": 0}


def test_findings_are_sorted_by_place_and_the_same_one_is_kept_once() -> None:
    """Two rules may come to the same finding on two ways."""
    found = Findings()
    for line in (10, 9, 10):
        found.add(NAME, Place("a", line), "x", "y")

    assert [finding.place.line for finding in found.sorted()] == [9, 10]


def test_errors_come_first_and_the_others_keep_their_order() -> None:
    """What will fail is read before what may."""
    made = [Finding(rule, Place(file), "x", "y") for rule, file in ((HINT, "1"), (NAME, "2"), (PORT, "3"), (NAME, "4"))]

    assert [finding.place.file for finding in by_severity(made)] == ["2", "4", "3", "1"]
