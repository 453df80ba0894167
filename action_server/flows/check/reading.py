"""What could not be read, as findings: the reader's problems, by rule."""

from __future__ import annotations

import re

from action_server.findings.rule import Rule
from action_server.flows.check import catalogue
from action_server.flows.check.subject import Subject
from action_server.project.places import Problem
from action_server.source import Place

# A problem's text tells which rule it belongs to; whatever fits none is `unreadable`.
_RULES: tuple[tuple[str, Rule, str], ...] = (
    (r"no step has the id", catalogue.UNKNOWN_STEP, "correct the id, or write the step"),
    (r"two steps have the id", catalogue.DUPLICATE_NAME, "give one of them another id"),
    (r"also stands at|stands here (?:twice|\d+ times)", catalogue.DUPLICATE_NAME, "remove one of them, or rename it"),
    (r"^is not YAML|^cannot be read(?! as it stands)", catalogue.UNREADABLE, "correct the file; the rest was checked"),
    (r"has no key", catalogue.READABLE_WITH_CARE, "remove the key, or correct its name"),
    (r"has no domain", catalogue.UNREADABLE, "name the domain with `--domain`"),
)
_NOT_ABOUT_THE_PROJECT = re.compile(r"has no flows$")


def check_reading(subject: Subject) -> None:
    """Report what could not be read."""
    for problem in (*subject.project.problems, *subject.sources.unread):
        if not _NOT_ABOUT_THE_PROJECT.search(problem.message):
            report_problem(subject, problem)
    _check_flows_missing(subject)


def report_problem(subject: Subject, problem: Problem) -> None:
    """Report a problem of a reader, by the rule it belongs to."""
    rule, fix = catalogue.UNREADABLE, "correct it; the rest was checked"
    for pattern, other, advice in _RULES:
        if re.search(pattern, problem.message):
            rule, fix = other, advice
            break
    if rule in (catalogue.UNREADABLE, catalogue.READABLE_WITH_CARE):
        rule = catalogue.UNREADABLE if problem.severity == "error" else catalogue.READABLE_WITH_CARE
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
        subject.findings.add(catalogue.UNREADABLE, at, "the project has neither flows nor rules nor stories", fix)
