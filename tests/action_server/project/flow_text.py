"""Reads a flow that a test writes down."""

from __future__ import annotations

from action_server.project.flow_reader import read_flows
from action_server.project.flows import Flow
from action_server.project.places import Problem, Problems
from action_server.project.yaml_tree import parse_tree


def flow_of(text: str) -> tuple[Flow, list[Problem]]:
    """Return the flow of these steps, and the problems with it."""
    problems = Problems()
    node = parse_tree(f"x:\n  description: d\n  steps:\n{text}", "f.yml", problems)
    assert node is not None
    return read_flows(node, problems)[0], list(problems)
