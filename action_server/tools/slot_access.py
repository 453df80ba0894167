"""Whether a piece of code names all slots that it reads: what it hands on or looks up by a variable is not seen."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

_TRACKER = "tracker"
# What of a tracker leads to all slots.
_ALL_SLOTS = frozenset(
    {"current_slot_values", "current_state", "slots_to_validate", "form_slots_to_validate", "__dict__"}
)
_OF_NAMED_SLOT = frozenset({"get", "pop"})


def shows_all_slots(node: ast.AST, is_followed: Callable[[ast.expr], bool]) -> bool:
    """Tell whether every slot that is read within ``node`` is named there.

    ``is_followed`` tells of the function of a call whether its text is looked at, too.
    """
    known = {id(part) for part in _harmless(node, is_followed)}
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and (
            part.attr in _ALL_SLOTS or (part.attr == "slots" and id(part) not in known)
        ):
            return False
        if isinstance(part, ast.Name) and part.id == _TRACKER and id(part) not in known:
            return False
        if isinstance(part, ast.Call) and _is_get_slot(part.func) and not _is_text(_first_argument(part)):
            return False
    return True


def takes_tracker(node: ast.AST) -> bool:
    """Tell whether a class, or a function, has a `run` whose tracker is called so, which is how its uses are found."""
    functions = [node] if not isinstance(node, ast.ClassDef) else node.body
    runs = [f for f in functions if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef))]
    named = [f for f in runs if not isinstance(node, ast.ClassDef) or f.name == "run"]
    return all(any(a.arg == _TRACKER for a in (*f.args.posonlyargs, *f.args.args)) for f in named)


def words_of(part: ast.AST) -> set[str]:
    """Return the text or the name that a node is."""
    if isinstance(part, ast.Constant) and isinstance(part.value, str):
        return {part.value}
    if isinstance(part, ast.Attribute):
        return {part.attr}
    return {part.id} if isinstance(part, ast.Name) else set()


def _harmless(node: ast.AST, is_followed: Callable[[ast.expr], bool]) -> Iterator[ast.AST]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            # What is asked of a tracker is looked at by its own name.
            yield part.value
        elif isinstance(part, ast.Subscript) and _is_text(part.slice):
            yield part.value
        elif isinstance(part, ast.Call):
            function = part.func
            if (
                isinstance(function, ast.Attribute)
                and function.attr in _OF_NAMED_SLOT
                and _is_text(_first_argument(part))
            ):
                yield function.value
            if is_followed(function):
                yield from (*part.args, *(keyword.value for keyword in part.keywords))


def _is_get_slot(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "get_slot"


def _first_argument(call: ast.Call) -> ast.expr | None:
    return call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "key"), None)


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
