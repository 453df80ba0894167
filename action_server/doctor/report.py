"""What the doctor found, for scripts."""

from __future__ import annotations

from typing import TypedDict

from action_server.doctor.examine import Examination
from action_server.findings import output


class FindingJson(output.FindingJson):
    """A finding, with the names that message and fix had here before there was one shape for all."""

    problem: str
    remedy: str


class ServiceJson(TypedDict):
    """What a service says that it understood, in lines."""

    name: str
    description: list[str]


class ReportJson(output.Counts):
    """All findings, how many there are of each severity, and what opened services understood."""

    findings: list[FindingJson]
    services: list[ServiceJson]


def as_json(examined: Examination) -> ReportJson:
    """Return the findings, and what services say, as a value for JSON."""
    report = output.as_json(examined.findings)
    return {
        "errors": report["errors"],
        "warnings": report["warnings"],
        "notes": report["notes"],
        "findings": [{**f, "problem": f["message"], "remedy": f["fix"]} for f in report["findings"]],
        "services": [{"name": name, "description": [*lines]} for name, lines in examined.descriptions.items()],
    }
