"""A finding: a rule, a place, what is wrong there and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from action_server.findings.rule import SEVERITIES, Rule, Severity
from action_server.source import Place

_WORD = re.compile(r"<(\w+)>")


@dataclass(frozen=True)
class Finding:
    """What is wrong in one place. ``message`` is one sentence without its full stop, ``fix`` says what to do.

    ``severity_override`` is its severity where it is less certain than the rule's other findings.
    """

    rule: Rule
    place: Place
    message: str
    fix: str
    severity_override: Severity | None = None

    @classmethod
    def of(cls, rule: Rule, place: Place, **facts: object) -> Finding:
        """Make a finding in the rule's own words; ``facts`` are what they stand for, and hold nothing secret.

        Raises:
            KeyError: a fact that the words need is missing.
        """
        return cls(rule, place, _fill(rule.summary, facts), _fill(rule.fix, facts))

    @property
    def severity(self) -> Severity:
        """Return how bad it is: the rule's severity, unless it is another one here."""
        return self.severity_override or self.rule.severity


def _fill(text: str, facts: Mapping[str, object]) -> str:
    return _WORD.sub(lambda word: str(facts[word[1]]), text)


class Findings:
    """Collects findings; the same one is kept once."""

    def __init__(self) -> None:
        self._kept: dict[Finding, None] = {}

    def add(self, rule: Rule, at: Place, message: str, fix: str, severity: Severity | None = None) -> None:
        """Note a finding; its severity is the rule's, unless it is less certain here."""
        self._kept.setdefault(Finding(rule, at, message, fix, severity))

    def sorted(self) -> list[Finding]:
        """Return the findings by file, line and column."""
        return by_place(self._kept)


def by_place(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by file, line and column, then by rule."""
    return sorted(findings, key=lambda f: (f.place, f.rule.id, f.message, f.fix))


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by severity, errors first; those of one severity keep their order."""
    return sorted(findings, key=lambda f: SEVERITIES.index(f.severity))


def count(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return how many findings each severity has, errors first."""
    severities = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in SEVERITIES}
