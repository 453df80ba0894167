"""A small project that an engine takes, and what `check` refuses in it once something is changed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from action_server.findings.rule import Severity
from action_server.flows.check.checking import Request, check
from action_server.project.tree_cache import TreeCache
from tests.projects import project

# The engine's own patterns are the same in each project, and most of what there is to read.
_FOLDER = tempfile.TemporaryDirectory(prefix="trees-")
_READ = TreeCache(Path(_FOLDER.name), "tests")

SLOTS = """
slots:
  kind: {type: categorical, values: [big, small]}
  size: {type: categorical, values: [1, 2]}
  amount: {type: float}
  ok: {type: bool}
  sure: {type: bool}
  word: {type: text}
  items: {type: list, mappings: [{type: controlled}]}
  asked: {type: text}
  given: {type: text, initial_value: a}
  unasked: {type: text}
"""
RESPONSES = """
responses:
  utter_ask_kind: [{text: Which kind?}]
  utter_ask_amount: [{text: How much?}]
  utter_ask_ok: [{text: All right?}]
  utter_ask_word: [{text: Your word?}]
  utter_ask_items: [{text: Which?}]
  utter_hi: [{text: Hi.}]
  utter_ask_asked: [{text: What?}]
actions: [action_ask_asked]
"""
CONFIG = (
    "recipe: default.v1\nlanguage: en\npipeline: [{name: CompactLLMCommandGenerator}]\n"
    "policies: [{name: FlowPolicy}, {name: RulePolicy}]\n"
)
OTHER = "other: {description: Another one., steps: [{action: utter_hi}]}"


def flow(steps: str, more: str = "") -> str:
    """Return a flow, in one line."""
    return f"main: {{description: The main one., {more}steps: [{steps}]}}"


def branch(condition: str) -> str:
    """Return a flow that looks at a condition."""
    return flow(f'{{noop: true, next: [{{if: "{condition}", then: END}}, {{else: END}}]}}')


def refusals(
    folder: Path,
    flows: Sequence[str],
    *more: str,
    domain: str = SLOTS + RESPONSES,
    extra: Mapping[str, str] | None = None,
    head: str = "",
    severity: Severity = "error",
) -> list[str]:
    """Return what is found of a severity in a project: its flows, one in a line, and more files of its domain."""
    files = {
        "domain/domain.yml": 'version: "3.1"\n' + domain,
        "data/flows.yml": head + "flows:\n" + "".join(f"  {line}\n" for line in [*flows, OTHER]),
        "config.yml": CONFIG,
    }
    files |= {f"domain/more_{number}.yml": text for number, text in enumerate(more) if text}
    files |= extra or {}
    report = check(Request(project(folder, files), "no_such_package", cache=_READ))
    # That a name in a condition has no `slots.` is a warning of ours, and refused by the engine.
    return [str(f) for f in report.findings if f.severity == severity]
