"""Reads the files of both assistants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CALM = ROOT / "assistant"
CLASSIC = CALM / "classic"


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def flows() -> dict[str, Any]:
    found: dict[str, Any] = read(CALM / "data" / "flows.yml")["flows"]
    return found


def steps(nodes: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the steps of a flow, those written inside a branch included."""
    for node in nodes:
        yield node
        for branch in branches(node):
            target = branch.get("then", branch.get("else"))
            if isinstance(target, list):
                yield from steps(target)


def branches(step: dict[str, Any]) -> list[dict[str, Any]]:
    following = step.get("next")
    return following if isinstance(following, list) else []


def targets(step: dict[str, Any]) -> Iterator[str]:
    following = step.get("next")
    if isinstance(following, str):
        yield following
    for branch in branches(step):
        target = branch.get("then", branch.get("else"))
        if isinstance(target, str):
            yield target


def all_steps() -> list[dict[str, Any]]:
    return [step for flow in flows().values() for step in steps(flow["steps"])]


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(CLASSIC / "data" / "rules.yml")["rules"]
    return found


def rule_entries(kind: str) -> list[Any]:
    return [e[kind] for rule in rules() for e in (*rule.get("condition", []), *rule["steps"]) if kind in e]


def e2e_entries() -> Iterator[tuple[str, Any]]:
    for case in read(CALM / "tests" / "e2e_test_cases.yml")["test_cases"]:
        for step in case["steps"]:
            for assertion in step["assertions"]:
                yield from assertion.items()
