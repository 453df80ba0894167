"""Finds the slots that the validators and extractors of a form's class return: `return {"size": slot_value}`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from action_server.project.python.facts import UNKNOWN, Use, place_of

# Arguments of each, with `self`.
_ARGUMENTS = {"validate": 5, "extract": 4}


def find_returned_slots(cls: ast.ClassDef, file: str) -> Iterator[Use]:
    """Yield the constant keys of returned dicts, also of those that a variable holds first."""
    for method in cls.body:
        if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_validator(method):
            for key, value in returned_items(method):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    constant = value.value if isinstance(value, ast.Constant) else UNKNOWN
                    yield Use("returns slot", key.value, place_of(key, file), cls.name, constant)


def _is_validator(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    verb, _, slot = method.name.partition("_")
    return bool(slot) and len(method.args.args) == _ARGUMENTS.get(verb)


def returned_items(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[ast.expr | None, ast.expr]]:
    """Yield the keys and values of the dicts that a function returns."""
    nodes = list(_own_nodes(method))
    values = [node.value for node in nodes if isinstance(node, ast.Return) and node.value is not None]
    values += [part for value in values if isinstance(value, ast.IfExp) for part in (value.body, value.orelse)]
    names = {value.id for value in values if isinstance(value, ast.Name)}
    for node in nodes:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name) and target.id in names:
                values.append(node.value)
            elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id in names:
                yield target.slice, node.value
    for value in values:
        if isinstance(value, ast.Dict):
            yield from zip(value.keys, value.values, strict=True)
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
            for keyword in value.keywords:
                # A place of its own, as a key of a dict in braces has.
                yield ast.copy_location(ast.Constant(keyword.arg), keyword), keyword.value


def _own_nodes(method: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(method):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield node
            yield from _own_nodes(node)
