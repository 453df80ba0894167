"""Reads Python files by `ast`: nothing is imported, and only constants count."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from action_server.project.python.facts import ClassFacts, Method, ModuleFacts, PythonFacts, SlotField, place_of
from action_server.project.python.faults import find_faults
from action_server.project.python.functions import TypedFunction, find_functions, find_slots
from action_server.project.python.imports import Imports, dotted_name, words_of_imports
from action_server.project.python.nodes import nodes_of
from action_server.project.python.returned_slots import find_returned_slots
from action_server.project.python.uses import find_uses
from action_server.regular_file import read_bytes
from action_server.source import Place, shorten


def read_package(path: Path, package: str) -> PythonFacts:
    """Read a package's folder, or the one file of a module."""
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    modules: list[ModuleFacts] = []
    functions: list[list[TypedFunction]] = []
    unread: list[tuple[Place, str]] = []
    for file in files:
        name = shorten(str(file))
        try:
            with warnings.catch_warnings():
                # An invalid escape sequence in somebody's text.
                warnings.simplefilter("ignore")
                tree = ast.parse(read_bytes(file), filename=name)
            found, typed = _read_module(tree, name, _module_name(file, path, package))
            modules.append(found)
            functions.append(typed)
        except SyntaxError as exc:
            unread.append((Place(file=name, line=exc.lineno or 1, column=max(exc.offset or 0, 0)), exc.msg))
        except (OSError, ValueError, RecursionError, MemoryError) as exc:
            unread.append((Place(file=name, line=1), f"cannot be read ({type(exc).__name__})"))
    facts = PythonFacts(tuple(modules), tuple(unread))
    # What a function is given and returns may be classes of other files.
    return replace(
        facts, modules=tuple(_with_slots(m, typed, facts) for m, typed in zip(modules, functions, strict=True))
    )


def _with_slots(module: ModuleFacts, typed: list[TypedFunction], facts: PythonFacts) -> ModuleFacts:
    uses = [use for function in typed for use in find_slots(function, facts, module.file)]
    return replace(module, uses=(*module.uses, *uses)) if uses else module


def _module_name(file: Path, root: Path, package: str) -> str:
    if root.is_file():
        return package
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])


def _read_module(tree: ast.Module, file: str, module: str) -> tuple[ModuleFacts, list[TypedFunction]]:
    imports = Imports(tree)
    uses, guarded = find_uses(tree, file, imports)
    names_of_actions: set[int] = set()
    classes = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            constant = _action_name(node)
            if constant is not None:
                names_of_actions.add(id(constant))
            classes.append(_read_class(node, constant, module, file, imports, tree))
    strings = {
        node.value
        for node in nodes_of(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in names_of_actions
    }
    uses += [use for node in tree.body if isinstance(node, ast.ClassDef) for use in find_returned_slots(node, file)]
    imported, assigned = words_of_imports(tree), _assigned(tree, file)
    typed = list(find_functions(tree, module, file, imports))
    classes += [function.facts for function in typed]
    facts = ModuleFacts(
        module, tuple(classes), tuple(uses), frozenset(guarded), frozenset(strings), file, imported, assigned
    )
    return facts, typed


def _assigned(tree: ast.Module, file: str) -> dict[str, Place]:
    return {
        node.id: place_of(node, file)
        for statement in reversed(tree.body)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _read_class(
    node: ast.ClassDef, name: ast.Constant | None, module: str, file: str, imports: Imports, tree: ast.Module
) -> ClassFacts:
    methods = {}
    for item in node.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            methods[item.name] = Method(
                item.name,
                place_of(item, file),
                _arguments(item),
                isinstance(item, ast.AsyncFunctionDef),
                tuple(find_faults(item, node, tree, file, imports)),
            )
    return ClassFacts(
        module,
        node.name,
        place_of(node, file),
        tuple(dotted_name(base).rpartition(".")[2] for base in node.bases if dotted_name(base)),
        methods,
        str(name.value) if name is not None else None,
        tuple(_slot_fields(node, file)),
    )


def _action_name(node: ast.ClassDef) -> ast.Constant | None:
    """Return the constant that `name()` returns, if it does nothing else."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "name":
            statements = [s for s in item.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            returned = statements[0].value if len(statements) == 1 and isinstance(statements[0], ast.Return) else None
            return returned if isinstance(returned, ast.Constant) and isinstance(returned.value, str) else None
    return None


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int | None:
    arguments = node.args
    is_static = any(isinstance(d, ast.Name) and d.id in ("staticmethod", "classmethod") for d in node.decorator_list)
    if arguments.vararg or arguments.kwonlyargs or arguments.defaults or (is_static or node.decorator_list):
        return None
    return len(arguments.posonlyargs) + len(arguments.args) - 1


def _slot_fields(node: ast.ClassDef, file: str) -> Iterator[SlotField]:
    for item in node.body:
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        name = item.target.id
        if name.startswith("_") or "ClassVar" in ast.dump(item.annotation) or name == "model_config":
            continue
        calls = [c for c in ast.walk(item) if isinstance(c, ast.Call) and dotted_name(c.func).endswith("Field")]
        aliases = [k.value for call in calls for k in call.keywords if k.arg in ("alias", "validation_alias")]
        if any(not (isinstance(a, ast.Constant) and isinstance(a.value, str)) for a in aliases):
            continue
        constants = [a.value for a in aliases if isinstance(a, ast.Constant)]
        is_required = item.value is None and not calls
        is_written = not any(k.arg == "exclude" for call in calls for k in call.keywords)
        yield SlotField(str(constants[0]) if constants else name, place_of(item, file), is_required, is_written)
