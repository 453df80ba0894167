"""A rule: one kind of finding, with the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

# The most severe first.
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
# How it is known what engines do: read in rasa-pro 3.21.0, run with rasa 3.6.21 or pypred 0.4.0; without it is ours.
READ, RUN = "read", "run"


@dataclass(frozen=True)
class Rule:
    """What can be wrong: ``error`` if calls will fail, ``warning`` if they may, ``note`` if it is good to know.

    ``summary`` says when there is a finding, ``why`` what happens otherwise, ``fix`` what to do; each is a sentence
    without its full stop. ``<words>`` of a summary and a fix stand for facts that a finding fills in. ``section`` is
    the part of the subject it is about, ``known`` how it is known what happens otherwise.
    """

    id: str
    severity: Severity
    summary: str
    why: str = ""
    fix: str = ""
    section: str = ""
    known: str = ""


def rules_in(names: Mapping[str, object]) -> dict[str, Rule]:
    """Return the rules among a module's names (its ``globals()``) by their ids, in the order they are written in."""
    return {rule.id: rule for rule in names.values() if isinstance(rule, Rule)}
