"""What `rasa train` and `rasa data validate` refuse in conditions that parse (rasa-pro 3.21.0, read).

They look at the top of a condition, or below its `not`, and at the two operands there.
"""

from __future__ import annotations

import re
from typing import Any

from pypred import ast  # type: ignore[import-untyped]

from action_server.flows.check.subject import Subject
from action_server.project.conditions import JINJA_PLACEHOLDER, tree_of
from action_server.project.domain import Slot
from action_server.project.flows import Condition

_LOOKS_AT_SOMETHING = re.compile(r"\b(slots|context)\.\w+")
_QUOTED = re.compile(r"^['\"].+['\"]$")
_EQUAL = frozenset({"=", "==", "is", "!="})
_ANY_OTHER = "__other__"


def refuse_branch(subject: Subject, condition: Condition) -> None:
    """Report a branch that looks at nothing, and what bools and categories are compared with."""
    refuse_rejection(subject, condition)
    tree = _tree_of(condition.text)
    names, value = _operands(tree)
    slot = subject.slot(names[1]) if names[:1] == ["slots"] and len(names) > 1 else None
    if slot is None or JINJA_PLACEHOLDER in str(value):
        return
    if slot.type == "bool" and isinstance(tree, ast.CompareOperator):
        _refuse_bool(subject, condition, slot, tree)
    elif slot.is_categorical and value is not None:
        _refuse_category(subject, condition, slot, tree, value)


def refuse_rejection(subject: Subject, condition: Condition) -> None:
    """Report a condition that looks neither at a slot nor at the context."""
    text = condition.text
    if not _LOOKS_AT_SOMETHING.search(text) and _tree_of(text) is not None:
        subject.refuse(condition.at, f"the condition {text!r} looks at no slot", "write `slots.name`, or `else`")


def refuse_response(subject: Subject, condition: Condition) -> None:
    """Report a variation's condition whose first operand is no slot."""
    names, _ = _operands(_tree_of(condition.text))
    if names and names[0] != "slots" and JINJA_PLACEHOLDER not in names[0]:
        subject.refuse(
            condition.at,
            f"the condition {condition.text!r} begins with {'.'.join(names)!r}, and sees slots alone",
            "begin it with `slots.name`",
        )


def _refuse_bool(subject: Subject, condition: Condition, slot: Slot, tree: Any) -> None:
    second = getattr(tree.right, "value", True)
    if isinstance(second, bool) or (isinstance(second, str) and _QUOTED.match(second)):
        # A text in quotes is a finding already.
        return
    subject.refuse(
        condition.at,
        f"the condition {condition.text!r} compares the bool {slot.name!r} with something else than true or false",
        f"write `slots.{slot.name}` or `not slots.{slot.name}`",
    )


def _refuse_category(subject: Subject, condition: Condition, slot: Slot, tree: Any, value: Any) -> None:
    known = {*map(str, slot.values), _ANY_OTHER}
    if isinstance(value, str):
        is_compared = isinstance(tree, ast.CompareOperator) and tree.type in _EQUAL
        text = value[1:-1] if _QUOTED.match(value) else value
        # A text in quotes that is compared is a finding already.
        if text in known or (is_compared and text != value):
            return
    elif isinstance(value, frozenset) and all(isinstance(element, ast.Literal) for element in value):
        # So are those of a set.
        return
    elif isinstance(value, float) and f"{value:g}" not in known:
        return
    subject.refuse(
        condition.at,
        f"the condition {condition.text!r} holds {slot.name!r}, which is {slot.type}, against something else than "
        "its values in quotes",
        "write one of the values in quotes, or another condition behind an `and` first",
    )


def _operands(tree: Any) -> tuple[list[str], Any]:
    """Return a name at its dots, and what it is held against; nothing where engines look no further."""
    left: Any
    right: Any
    left, right = getattr(tree, "left", None), getattr(tree, "right", None)
    first, second = (left, right) if isinstance(left, ast.Literal) else (right, left)
    name = getattr(first, "value", None)
    if not isinstance(name, str) or not hasattr(second, "value"):
        return [], None
    return name.split("."), getattr(second, "value", None)


def _tree_of(text: str) -> Any:
    try:
        tree = tree_of(text)
    except RecursionError:
        # It is a finding already that it cannot be read.
        return None
    return tree.left if isinstance(tree, ast.NegateOperator) else tree
