"""A finding: a rule, a place, what is wrong there and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from action_server.flows.check.catalogue import RULES
from action_server.project.places import Place, Severity


@dataclass(frozen=True, order=True)
class Finding:
    """What is wrong in one place. Lines and columns count from 1; 0 is the file as a whole.

    ``message`` is one sentence without its full stop, ``fix`` says what to do.
    """

    file: str
    line: int
    column: int
    rule: str
    message: str
    fix: str
    severity: Severity

    @property
    def where(self) -> str:
        """Return ``file:line:column``, as far as it is known."""
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])


class Findings:
    """Collects findings; the same one is kept once."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}

    def add(self, rule: str, at: Place, message: str, fix: str, severity: Severity | None = None) -> None:
        """Note a finding; its severity is the rule's, unless it is less certain here."""
        finding = Finding(at.file, at.line, at.column, rule, message, fix, severity or RULES[rule].severity)
        self._found.setdefault(finding)

    def sorted(self) -> list[Finding]:
        """Return the findings by file, line and column."""
        return sorted(self._found)
