"""Findings as text for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

from rich.console import Console
from rich.text import Text

from action_server.findings.escaping import escape_controls
from action_server.findings.finding import Finding, count

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "blue"}
_INDENT = 4


class FindingJson(TypedDict):
    """A finding for scripts. ``where`` is the place as people read it; ``line`` and ``column`` are 0 if not known."""

    rule: str
    severity: str
    where: str
    file: str
    line: int
    column: int
    key: str
    message: str
    fix: str


class Counts(TypedDict):
    """How many findings there are of each severity."""

    errors: int
    warnings: int
    notes: int


class ReportJson(Counts):
    """All findings for scripts."""

    findings: list[FindingJson]


def show_findings(console: Console, findings: Sequence[Finding], *, checked: str = "") -> None:
    """Print `place: severity rule: sentence` and the fix below, for each finding, and how many there are.

    A terminal gets lines of its width. Through a pipe a finding stays on one line and its fix on another: tools read
    them. ``checked`` says what was looked at.
    """
    for finding in findings:
        head = Text(escape_controls(f"{finding.place.exact}: "), "bold")
        head.append(finding.severity, _COLOURS[finding.severity])
        head.append(f" {finding.rule.id}: ", "cyan")
        head.append(escape_controls(finding.message), "not bold")
        _print(console, head)
        print_line(console, f"{' ' * _INDENT}{finding.fix}")
    counts = [f"{n} {severity}{'s' if n > 1 else ''}" for severity, n in count(findings).items() if n]
    print_line(console, f"{', '.join(counts) or 'nothing found'}{f' ({checked})' if checked else ''}")


def print_line(console: Console, text: str, style: str = "", *, indent: int = _INDENT) -> None:
    """Print a text that may come from outside: one line through a pipe, on a terminal lines of its width.

    What steers a terminal is escaped, and from the second line on all are indented by ``indent``: no text, however
    long, begins a line of its own.
    """
    _print(console, Text(escape_controls(text), style), indent)


def _print(console: Console, text: Text, indent: int = _INDENT) -> None:
    for line in _wrap(console, text, indent) if console.is_terminal else [text]:
        console.print(line, soft_wrap=True, highlight=False)


def _wrap(console: Console, text: Text, indent: int) -> Iterator[Text]:
    """Break a text into lines of the console's width, the second and all further ones indented."""
    for number, line in enumerate(text.wrap(console, max(console.width - indent, indent))):
        line.rstrip()
        yield Text(" " * indent).append_text(line) if number else line


def as_json(findings: Sequence[Finding]) -> ReportJson:
    """Return the findings as a value for JSON."""
    counts = count(findings)
    return {
        "errors": counts["error"],
        "warnings": counts["warning"],
        "notes": counts["note"],
        "findings": [_as_json(finding) for finding in findings],
    }


def _as_json(finding: Finding) -> FindingJson:
    return {
        "rule": finding.rule.id,
        "severity": finding.severity,
        "where": finding.place.exact,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "key": finding.place.key,
        "message": finding.message,
        "fix": finding.fix,
    }
