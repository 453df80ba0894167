"""What could not be read, as findings: the reader's problems, by rule."""

from __future__ import annotations

import re

from action_server.flows.check.subject import Subject
from action_server.project.places import Place, Problem

# A problem's text tells which rule it belongs to; whatever fits none is `unreadable`.
_RULES: tuple[tuple[str, str, str], ...] = (
    (r"no step has the id", "unknown-step", "correct the id, or write the step"),
    (r"two steps have the id", "duplicate-name", "give one of them another id"),
    (r"also stands at|stands here twice", "duplicate-name", "remove one of them, or rename it"),
    (r"^is not YAML|^cannot be read", "unreadable", "correct the file; the rest was checked"),
    (r"has no key", "readable-with-care", "remove the key, or correct its name"),
    (r"has no domain", "unreadable", "name the domain with `--domain`"),
)
_NOT_ABOUT_THE_PROJECT = re.compile(r"has no flows$")


def check_reading(subject: Subject) -> None:
    """Report what could not be read."""
    for problem in (*subject.project.problems, *subject.sources.unread):
        if not _NOT_ABOUT_THE_PROJECT.search(problem.message):
            _report(subject, problem)
    _check_flows_missing(subject)


def _report(subject: Subject, problem: Problem) -> None:
    rule, fix = "unreadable", "correct it; the rest was checked"
    for pattern, name, advice in _RULES:
        if re.search(pattern, problem.message):
            rule, fix = name, advice
            break
    if rule in ("unreadable", "readable-with-care"):
        rule = "unreadable" if problem.severity == "error" else "readable-with-care"
    at = Place(file=problem.file, line=problem.line, column=problem.column)
    subject.findings.add(rule, at, problem.message, fix, problem.severity)


def _check_flows_missing(subject: Subject) -> None:
    """A classic project has no flows; one that has neither flows nor rules nor stories has nothing to do."""
    project = subject.project
    if project.flows or project.has_rules or project.has_stories or not subject.is_whole:
        return
    if not any(subject.sources.sections("flows")):
        at = Place(file=project.domain_files[0] if project.domain_files else project.root)
        fix = "name the folder with `--data`"
        subject.findings.add("unreadable", at, "the project has neither flows nor rules nor stories", fix)
