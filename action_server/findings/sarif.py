"""Findings as a log of SARIF 2.1.0, for code hosts and editors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from action_server.findings.finding import Finding
from action_server.findings.rule import Rule
from action_server.source import Place

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_sarif(
    findings: Sequence[Finding], rules: Collection[Rule], version: str, *, otherwise: str = "."
) -> dict[str, Any]:
    """Return the findings as a SARIF log. ``rules`` are all there are, ``version`` is this program's.

    ``otherwise`` is the file that stands for places in none, as a flag: code hosts refuse results without a file.
    """
    ids = [rule.id for rule in rules]
    driver = {"name": "action-server", "version": version, "rules": [_rule(rule) for rule in rules]}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, ids.index(finding.rule.id), otherwise) for finding in findings],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": rule.id,
        "shortDescription": {"text": f"{rule.summary}."},
        "fullDescription": {"text": f"{rule.summary}." + (f" Otherwise: {rule.why}." if rule.why else "")},
        "defaultConfiguration": {"level": rule.severity},
        "properties": {"tags": [rule.section]},
    }
    if rule.fix:
        made["help"] = {"text": f"To do: {rule.fix}."}
    return made


def _result(finding: Finding, index: int, otherwise: str) -> dict[str, Any]:
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": f"{finding.message}. To do: {finding.fix}."},
        "locations": [_location(finding.place, otherwise)],
    }


def _location(place: Place, otherwise: str) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.file or otherwise)}}
    if place.line:
        physical["region"] = {"startLine": place.line, **({"startColumn": place.column} if place.column else {})}
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.key:
        location["logicalLocations"] = [{"fullyQualifiedName": place.key}]
    return location


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
