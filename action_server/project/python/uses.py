"""Finds the constants in Python code that name slots, responses, actions and payloads."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeGuard

from action_server.project.python.facts import UNKNOWN, Use, UseKind, place_of
from action_server.project.python.imports import Imports
from action_server.project.python.nodes import nodes_of


def find_uses(tree: ast.Module, file: str, imports: Imports) -> tuple[list[Use], set[str]]:
    """Return the uses of a file, and the names that it looks for with `in` before it uses them."""
    finder = _Finder(file, imports, _constants(tree))
    finder.visit(tree)
    return finder.found, finder.guarded


class _Finder(ast.NodeVisitor):
    def __init__(self, file: str, imports: Imports, constants: Mapping[str, str]) -> None:
        self.found: list[Use] = []
        self.guarded: set[str] = set()
        self._file = file
        self._imports = imports
        self._constants = constants
        self._owner = ""

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer = self._owner
        for decorator in node.decorator_list:
            self._visit_decorator(decorator, outer or node.name)
        self._owner = outer or node.name
        self.generic_visit(node)
        self._owner = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer = self._owner
        # A function that stands alone may be an action itself.
        self._owner = outer or node.name
        for decorator in node.decorator_list:
            self._visit_decorator(decorator, self._owner)
        self.generic_visit(node)
        self._owner = outer

    def visit_Compare(self, node: ast.Compare) -> None:
        if any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops):
            if isinstance(node.left, ast.Constant):
                self.guarded.add(str(node.left.value))
            elif isinstance(node.left, ast.Name) and node.left.id in self._constants:
                self.guarded.add(self._constants[node.left.id])
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        # Buttons are often gathered in a list first.
        if {"title", "payload"} <= _texts(node).keys():
            self._add_use("payload", _texts(node)["payload"])
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if _is_slots(node.value):
            kind: UseKind = "reads slot" if isinstance(node.ctx, ast.Load) else "sets slot"
            self._add_use(kind, node.slice)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            self._visit_method_call(node, node.func)
        full = self._imports.full_name(node.func)
        if full == "rasa_sdk.events.SlotSet":
            value = _argument(node, 1, "value")
            self._add_use("sets slot", _argument(node, 0, "key"), value)
        elif full == "rasa_sdk.events.FollowupAction":
            self._add_use("action", _argument(node, 0, "name"))
        self.generic_visit(node)

    def _visit_method_call(self, node: ast.Call, function: ast.Attribute) -> None:
        is_tracker = isinstance(function.value, ast.Name) and function.value.id == "tracker"
        if (function.attr == "get_slot" and is_tracker) or (function.attr == "get" and _is_slots(function.value)):
            self._add_use("reads slot", _argument(node, 0, "key"))
        elif function.attr == "utter_message":
            self._add_use("response", _keyword(node, "response"))
            self._add_use("response", _keyword(node, "template"))
            for button in _buttons(_keyword(node, "buttons")):
                self._add_button(button)
        elif function.attr in ("utter_template", "utter_response") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and str(name.value).startswith("utter_"):
                self._add_use("response", name)

    def _visit_decorator(self, node: ast.expr, owner: str) -> None:
        if not isinstance(node, ast.Call) or self._imports.full_name(node.func) not in (
            "action_server.idempotent",
            "action_server.idempotency.rules.idempotent",
        ):
            return
        key = _keyword(node, "key")
        for element in key.elts if isinstance(key, (ast.Tuple, ast.List)) else [key]:
            self._add_use("key slot", element, owner=owner)

    def _add_button(self, button: ast.Dict) -> None:
        keys = _texts(button)
        if "payload" in keys:
            if "title" not in keys:
                self._add_use("payload", keys["payload"])
        elif keys and len(keys) == len(button.keys):
            # All keys are known: what it has stands for the button.
            self._add_use("button", ast.copy_location(ast.Constant(",".join(keys)), button))

    def _add_use(
        self, kind: UseKind, node: ast.expr | None, value: ast.expr | None = None, owner: str | None = None
    ) -> None:
        name = self._constants.get(node.id) if isinstance(node, ast.Name) else node.value if _is_text(node) else None
        if node is not None and name:
            place = place_of(node, self._file)
            constant = value.value if isinstance(value, ast.Constant) else UNKNOWN
            self.found.append(Use(kind, str(name), place, self._owner if owner is None else owner, constant))


def _constants(tree: ast.Module) -> Mapping[str, str]:
    """Return the names that the module gives a text to, and that mean nothing else anywhere in it."""
    stores = Counter(
        [node.id for node in nodes_of(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)]
        + [node.arg for node in nodes_of(tree) if isinstance(node, ast.arg)]
    )
    return {
        target.id: str(node.value.value)
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and _is_text(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and stores[target.id] == 1
    }


def _texts(node: ast.Dict) -> Mapping[str, ast.expr]:
    """Return what stands at each key that is a constant text."""
    return {str(key.value): value for key, value in zip(node.keys, node.values, strict=True) if _is_text(key)}


def _is_slots(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "slots"
        and isinstance(node.value, ast.Name)
        and node.value.id == "tracker"
    )


def _argument(node: ast.Call, position: int, name: str) -> ast.expr | None:
    if any(isinstance(a, ast.Starred) for a in node.args):
        return None
    return node.args[position] if len(node.args) > position else _keyword(node, name)


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in node.keywords if k.arg == name), None)


def _is_text(node: ast.expr | None) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _buttons(node: ast.expr | None) -> Iterator[ast.Dict]:
    for button in node.elts if isinstance(node, (ast.List, ast.Tuple)) else ():
        if isinstance(button, ast.Dict):
            yield button
