"""The doctor's findings for scripts."""

from __future__ import annotations

from collections.abc import Sequence

from action_server.findings import output
from action_server.findings.finding import Finding


class FindingJson(output.FindingJson):
    """A finding, with the names that message and fix had here before there was one shape for all."""

    problem: str
    remedy: str


class ReportJson(output.Counts):
    """All findings, and how many there are of each severity."""

    findings: list[FindingJson]


def as_json(findings: Sequence[Finding]) -> ReportJson:
    """Return the findings as a value for JSON."""
    report = output.as_json(findings)
    return {
        "errors": report["errors"],
        "warnings": report["warnings"],
        "notes": report["notes"],
        "findings": [{**f, "problem": f["message"], "remedy": f["fix"]} for f in report["findings"]],
    }
