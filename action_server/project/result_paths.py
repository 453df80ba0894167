"""The ways that a Jinja expression takes into the ``result`` of a tool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import TemplateError, nodes

from action_server.project.conditions import parse_expression

Key = str | int
# What Jinja finds in a dict before its keys: `result.items` is a method and no key.
METHODS = frozenset(name for name in dir(dict) if not name.startswith("_"))


@dataclass(frozen=True)
class ResultPath:
    """Keys from ``result`` on. ``is_whole``: the expression is nothing else. ``method`` is a dict's method at its end
    that is not called, so that the slot would hold no value; empty if there is none."""

    keys: tuple[Key, ...]
    is_whole: bool
    method: str = ""


def paths_in(expression: str) -> list[ResultPath]:
    """Return the longest ways of an expression, [] for one that cannot be read."""
    try:
        tree = parse_expression(expression)
    except TemplateError:
        return []
    return list(_paths(tree, is_whole=True, is_called=False))


def _paths(node: nodes.Node, *, is_whole: bool, is_called: bool) -> Iterator[ResultPath]:
    steps = _steps(node)
    if steps is not None:
        yield _path(steps, is_whole=is_whole, is_called=is_called)
        return
    for child in node.iter_child_nodes():
        yield from _paths(child, is_whole=False, is_called=isinstance(node, nodes.Call) and child is node.node)


def _steps(node: nodes.Node) -> list[tuple[Key, bool]] | None:
    """Return the keys from `result` to a node, and whether each is after a dot; None if it does not begin there."""
    if isinstance(node, nodes.Name):
        return [] if node.name == "result" else None
    if isinstance(node, nodes.Getattr):
        below = _steps(node.node)
        return None if below is None else [*below, (node.attr, True)]
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        below = _steps(node.node)
        key = node.arg.value
        is_key = isinstance(key, (str, int)) and not isinstance(key, bool)
        return None if below is None or not is_key else [*below, (key, False)]
    return None


def _path(steps: list[tuple[Key, bool]], *, is_whole: bool, is_called: bool) -> ResultPath:
    for index, (key, has_dot) in enumerate(steps):
        if has_dot and key in METHODS:
            is_last = index == len(steps) - 1
            method = "" if is_last and is_called else str(key)
            return ResultPath(tuple(k for k, _ in steps[:index]), is_whole=False, method=method)
    return ResultPath(tuple(key for key, _ in steps), is_whole)
