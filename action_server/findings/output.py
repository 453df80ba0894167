"""Findings as lines for people, as JSON, and as SARIF 2.1.0 for code hosts and editors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from action_server.findings.finding import Finding
from action_server.flows.check.catalogue import RULES

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_COLOURS = {"error": "bold red", "warning": "yellow"}


def show_findings(console: Console, findings: Sequence[Finding], *, checked: str = "") -> None:
    """Print `path:line:column: severity rule: sentence` and the fix below, for each finding, and how many there are."""
    for finding in findings:
        head = Text(f"{finding.where}: ", "bold")
        head.append(finding.severity, _COLOURS[finding.severity])
        head.append(f" {finding.rule}: ", "cyan")
        head.append(finding.message, "not bold")
        console.print(head, soft_wrap=True, highlight=False)
        console.print(Text(f"    {finding.fix}"), soft_wrap=True, highlight=False)
    counts = {severity: sum(f.severity == severity for f in findings) for severity in ("error", "warning")}
    said = [f"{n} {severity}{'s' if n > 1 else ''}" for severity, n in counts.items() if n]
    console.print(Text(f"{', '.join(said) or 'nothing found'}{f' ({checked})' if checked else ''}"), highlight=False)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as a value for JSON."""
    return {
        "errors": sum(f.severity == "error" for f in findings),
        "warnings": sum(f.severity == "warning" for f in findings),
        "findings": [
            {
                "rule": f.rule,
                "severity": f.severity,
                "file": f.file,
                "line": f.line,
                "column": f.column,
                "message": f.message,
                "fix": f.fix,
            }
            for f in findings
        ],
    }


def as_sarif(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """Return the findings as a SARIF log. ``version`` is this program's."""
    names = list(RULES)
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "action-server",
                        "version": version,
                        "rules": [_sarif_rule(name) for name in names],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(finding, names.index(finding.rule)) for finding in findings],
            }
        ],
    }


def _sarif_rule(name: str) -> dict[str, Any]:
    rule = RULES[name]
    return {
        "id": name,
        "shortDescription": {"text": f"{rule.what}."},
        "fullDescription": {"text": f"{rule.what}. Otherwise: {rule.why}."},
        "defaultConfiguration": {"level": rule.severity},
    }


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.file)}}
    if finding.line:
        place["region"] = {"startLine": finding.line, **({"startColumn": finding.column} if finding.column else {})}
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": f"{finding.message}. To do: {finding.fix}."},
        "locations": [{"physicalLocation": place}],
    }


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
