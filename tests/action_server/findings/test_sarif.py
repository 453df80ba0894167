"""Findings as SARIF 2.1.0."""

from __future__ import annotations

from typing import Any

from action_server.findings.finding import Finding
from action_server.findings.rule import Rule
from action_server.findings.sarif import as_sarif
from action_server.source import Place

NAME = Rule("name", "error", "a name that is nobody's", why="it is never called", section="names")
PORT = Rule("port", "warning", "the port is not <port>", fix="write <port>", section="settings")
RULES = (NAME, PORT)


def result_of(finding: Finding) -> dict[str, Any]:
    (run,) = as_sarif([finding], RULES, "1.0", otherwise="endpoints.yml")["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == finding.rule.id
    return dict(result)


def test_the_log_lists_all_rules_with_their_words() -> None:
    """Those without a finding as well, so that a code host knows them."""
    (run,) = as_sarif([], RULES, "1.2.3")["runs"]
    driver = run["tool"]["driver"]

    assert (driver["name"], driver["version"]) == ("action-server", "1.2.3")
    assert driver["rules"][0] == {
        "id": "name",
        "shortDescription": {"text": "a name that is nobody's."},
        "fullDescription": {"text": "a name that is nobody's. Otherwise: it is never called."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["names"]},
    }
    assert driver["rules"][1]["help"] == {"text": "To do: write <port>."}


def test_a_result_has_its_place_by_line_and_column() -> None:
    """A path is a URI; what is not known is left out, since lines count from 1."""
    exact = result_of(Finding(NAME, Place("a part/flows.yml", 3, 7), "x", "y", "note"))
    whole = result_of(Finding(NAME, Place("/bot/flows.yml"), "x", "y"))

    assert exact["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a%20part/flows.yml"},
                "region": {"startLine": 3, "startColumn": 7},
            }
        }
    ]
    assert (exact["level"], exact["message"]["text"]) == ("note", "x. To do: y.")
    assert whole["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "file:///bot/flows.yml"}}}]


def test_a_result_without_a_file_has_one_all_the_same() -> None:
    """Code hosts refuse a log with results that are in no file; the flag is a logical location."""
    (location,) = result_of(Finding.of(PORT, Place(key="--url"), port=1))["locations"]

    assert location == {
        "physicalLocation": {"artifactLocation": {"uri": "endpoints.yml"}},
        "logicalLocations": [{"fullyQualifiedName": "--url"}],
    }
