"""Which full name a name in a file stands for, by the file's imports."""

from __future__ import annotations

import ast

from action_server.project.python.nodes import nodes_of


def dotted_name(node: ast.AST) -> str:
    """Return `a.b.c` for a chain of names; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


class Imports:
    """The imports of a file, those inside of functions too."""

    def __init__(self, tree: ast.Module) -> None:
        self._full: dict[str, str] = {}
        for node in nodes_of(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._add(alias.asname or alias.name.partition(".")[0], alias.name if alias.asname else None)
            elif isinstance(node, ast.ImportFrom):
                origin = "." * node.level + (node.module or "")
                for alias in node.names:
                    self._add(alias.asname or alias.name, f"{origin}.{alias.name}")
        for name in _names_bound(tree):
            # Somebody else's name as well: what it stands for depends on the place.
            self._full.pop(name, None)

    def full_name(self, node: ast.AST) -> str:
        """Return the full name of an imported thing: `requests.get` for `r.get` after `import requests as r`."""
        name = dotted_name(node)
        first, dot, rest = name.partition(".")
        full = self._full.get(first)
        return f"{full}{dot}{rest}" if full else ""

    def _add(self, name: str, full: str | None) -> None:
        found = full or name
        if self._full.setdefault(name, found) != found:
            self._full[name] = ""


def words_of_imports(tree: ast.Module) -> frozenset[str]:
    """Return the words of all names that a file imports: `actions`, `booking` and `book` of `actions.booking.book`."""
    names: list[str] = []
    for node in nodes_of(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names += [alias.name for alias in node.names]
            names.append(getattr(node, "module", None) or "")
    return frozenset(word for name in names for word in name.split("."))


def _names_bound(tree: ast.Module) -> set[str]:
    """Return the names that something other than an import binds."""
    return {name for node in nodes_of(tree) if (name := _name_bound_by(node))}


def _name_bound_by(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return None if isinstance(node.ctx, ast.Load) else node.id
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)):
        return node.name
    return None
