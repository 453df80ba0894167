"""Functions with ``@action``: which there are, which slots they are given, and which they return."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from action_server.project.engine_names import action_of_function
from action_server.project.python.facts import UNKNOWN, ClassFacts, Method, PythonFacts, SlotField, Use, place_of
from action_server.project.python.faults import Function, find_faults
from action_server.project.python.imports import Imports, dotted_name
from action_server.project.python.nodes import nodes_of
from action_server.project.python.returned_slots import returned_items
from action_server.source import Place

# What a slot can hold, by the last name of the type; classes of the project count as data if they derive from these.
_BUILTIN = {"str", "int", "float", "bool", "bytes", "list", "dict", "set", "frozenset", "tuple", "object"}
_OF_TYPING = {"Any", "Text", "List", "Dict", "Set", "FrozenSet", "Tuple", "Sequence", "Mapping", "Union", "Optional"}
_OF_LIBRARIES = {"date", "datetime", "time", "timedelta", "Decimal", "UUID", "EmailStr", "HttpUrl", "AnyUrl"}
_DATA = frozenset(_BUILTIN | _OF_TYPING | _OF_LIBRARIES | {"PositiveInt", "NonNegativeInt", "PositiveFloat"})
_DATA_BASES = frozenset({"BaseModel", "Enum", "StrEnum", "IntEnum", "TypedDict"})


@dataclass(frozen=True)
class TypedFunction:
    """A function with ``@action``: what stands of it in the facts, and its text, for what other files say of it."""

    facts: ClassFacts
    node: Function


def find_functions(tree: ast.Module, module: str, file: str, imports: Imports) -> Iterator[TypedFunction]:
    """Yield the functions of a module that are actions."""
    names = _decorator_names(tree)
    for node in tree.body if names else ():
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        marks = [d for d in node.decorator_list if dotted_name(d.func if isinstance(d, ast.Call) else d) in names]
        if not marks:
            continue
        faults = tuple(find_faults(node, None, tree, file, imports))
        run = Method("run", place_of(node, file), None, isinstance(node, ast.AsyncFunctionDef), faults)
        name, returns = _name(node, marks[0]), tuple(_names_in(node.returns))
        at = place_of(node, file)
        facts = ClassFacts(module, node.name, at, ("Action",), {"run": run}, name, returns=returns)
        yield TypedFunction(facts, node)


def find_slots(function: TypedFunction, facts: PythonFacts, file: str) -> Iterator[Use]:
    """Yield the slots that a function is given as parameters, and those that it returns."""
    owner, node = function.facts.name, function.node
    slots_classes = {cls.name for cls in facts.subclasses_of(frozenset({"Slots"}))}
    data = _DATA | ({cls.name for cls in facts.subclasses_of(_DATA_BASES)} - slots_classes)
    for argument in (*node.args.args, *node.args.kwonlyargs):
        slot = _slot_of(argument)
        if slot and slot != "domain" and _is_data(argument.annotation, data):
            yield Use("reads slot", slot, Place(file, argument.lineno, argument.col_offset + 1), owner)
    classes = {cls.name: cls for cls in facts.classes}
    for name in function.facts.returns:
        if name not in slots_classes:
            yield from (Use("sets slot", field.slot, field.at, owner) for field in _fields(name, classes))
    items = [(k, v) for k, v in returned_items(node) if isinstance(k, ast.Constant) and isinstance(k.value, str)]
    if not {"event", "timestamp"} <= {key.value for key, _ in items}:
        for key, value in items:
            constant = value.value if isinstance(value, ast.Constant) else UNKNOWN
            yield Use("sets slot", str(key.value), place_of(key, file), owner, constant)


def _decorator_names(tree: ast.Module) -> frozenset[str]:
    """Return what the decorator is called in a file; other things in it may have the same name."""
    found = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module == "action_server":
            found |= {alias.asname or alias.name for alias in node.names if alias.name == "action"}
        elif isinstance(node, ast.Import):
            found |= {f"{a.asname or a.name}.action" for a in node.names if a.name == "action_server"}
    return frozenset(found)


def _name(node: Function, mark: ast.expr) -> str | None:
    """Return the action's name; None if it is made by code."""
    for keyword in mark.keywords if isinstance(mark, ast.Call) else ():
        if keyword.arg != "name":
            continue
        value = keyword.value
        if not isinstance(value, ast.Constant):
            return None
        if value.value is not None:
            return str(value.value)
    return action_of_function(node.name)


def _parsed(annotation: ast.expr | None) -> ast.expr | None:
    """Return an annotation, one that stands in quotes as what is in them."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return None
    return annotation


def _parts(annotation: ast.Subscript) -> list[ast.expr]:
    inner = annotation.slice
    return list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]


def _is_data(annotation: ast.expr | None, data: frozenset[str]) -> bool:
    """Tell whether a slot surely can hold what an annotation says; a class that nobody knows may be a service."""
    node = _parsed(annotation)
    if isinstance(node, ast.Constant):
        return node.value is None or node.value is Ellipsis
    if isinstance(node, ast.BinOp):
        return _is_data(node.left, data) and _is_data(node.right, data)
    if isinstance(node, ast.Subscript):
        kind = dotted_name(node.value).rpartition(".")[2]
        if kind == "Annotated":
            return _is_data(_parts(node)[0], data)
        return kind == "Literal" or (kind in data and all(_is_data(part, data) for part in _parts(node)))
    return node is not None and dotted_name(node).rpartition(".")[2] in data


def _names_in(annotation: ast.expr | None) -> Iterator[str]:
    """Yield the last names of the classes in a return type: those of a union or a tuple, none of a list's items."""
    node = _parsed(annotation)
    if isinstance(node, ast.BinOp):
        yield from _names_in(node.left)
        yield from _names_in(node.right)
    elif isinstance(node, ast.Subscript):
        kind = dotted_name(node.value).rpartition(".")[2]
        parts = _parts(node)[:1] if kind == "Annotated" else _parts(node)
        for part in parts if kind in ("Annotated", "Optional", "Union", "tuple", "Tuple") else ():
            yield from _names_in(part)
    elif node is not None and dotted_name(node):
        yield dotted_name(node).rpartition(".")[2]


def _slot_of(argument: ast.arg) -> str | None:
    """Return the slot's name: the parameter's, or the alias of its field; None if that is made by code."""
    node = _parsed(argument.annotation)
    calls = [c for c in ast.walk(node) if isinstance(c, ast.Call)] if node is not None else []
    aliases = [k.value for call in calls for k in call.keywords if k.arg in ("alias", "validation_alias")]
    if not aliases:
        return argument.arg
    alias = aliases[0]
    return str(alias.value) if isinstance(alias, ast.Constant) and isinstance(alias.value, str) else None


def _fields(name: str, classes: Mapping[str, ClassFacts], seen: frozenset[str] = frozenset()) -> Iterator[SlotField]:
    """Yield the fields of a class and of those it derives from, as far as they are written."""
    cls = classes.get(name)
    if cls is None or name in seen:
        return
    for base in cls.bases:
        yield from _fields(base, classes, seen | {name})
    yield from (field for field in cls.fields if field.is_written)
