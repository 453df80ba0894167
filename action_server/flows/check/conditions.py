"""Rules about conditions: they parse, and name slots and values that there are.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pypred import ast  # type: ignore[import-untyped]

from action_server.flows.check import catalogue
from action_server.flows.check.subject import Subject
from action_server.project.conditions import errors_of, expressions_in, names_in, pasted_slots, tree_of
from action_server.project.flows import Condition
from action_server.project.regular_expressions import can_take_for_ever
from action_server.source import Place

_EQUAL = frozenset({"=", "==", "is", "!="})


def check_condition(subject: Subject, condition: Condition) -> None:
    """Check one condition. What Jinja makes is not looked at."""
    try:
        _check(subject, condition)
    except RecursionError:
        # Engines read it by recursion as well.
        fix = "write several conditions, or an action that decides"
        subject.findings.add(
            catalogue.CONDITION_SYNTAX, condition.at, "the condition is nested too deeply to be read", fix
        )


def _check(subject: Subject, condition: Condition) -> None:
    text, at = condition.text, condition.at
    errors = errors_of(text)
    if errors:
        subject.findings.add(
            catalogue.CONDITION_SYNTAX,
            at,
            f"the condition {text!r} cannot be read: {'; '.join(errors)}",
            "write a comparison such as `slots.amount >= 10 and slots.kind is not null`",
        )
        return
    _check_pasted(subject, condition)
    _check_expressions(subject, condition)
    if "{%" in text:
        return
    for name in sorted(names_in(text)):
        first, dot, rest = name.partition(".")
        if first == "slots" and dot:
            slot = rest if rest in subject.domain.slots else rest.partition(".")[0]
            subject.report_slot(slot, at, "the condition reads")
        elif first not in ("context", "slots"):
            hint = "write it with quotes"
            if first in subject.domain.slots:
                hint = f"write `slots.{name}`"
            subject.findings.add(
                catalogue.CONDITION_NAME, at, f"the condition {text!r} reads {name!r}, which is never defined", hint
            )
    for slot, value in _comparisons(tree_of(text)):
        subject.report_value(slot, value, at, "the condition compares", exact=True)
    for slot, constant in _compared_constants(tree_of(text)):
        check_type(subject, slot, constant, at)


def check_type(subject: Subject, name: str, value: object, at: Place) -> None:
    """Report a constant that a bool, a number or a text is never equal to. Engines compare without converting."""
    slot = subject.slot(name)
    if slot is None or not isinstance(value, (str, bool, int, float)) or (isinstance(value, str) and "{" in value):
        return
    if slot.type == "bool" and value not in (True, False):
        fix = "write `true` or `false`, without quotes"
    elif slot.type == "float" and isinstance(value, str):
        fix = "write a number, without quotes"
    elif slot.type == "text" and isinstance(value, bool):
        fix = "compare with a text in quotes, or make it a bool"
    else:
        return
    subject.findings.add(
        catalogue.IMPOSSIBLE_VALUE,
        at,
        f"the condition compares {name!r}, a slot of the type {slot.type}, with {value!r}, which it never is",
        fix,
    )


def _check_pasted(subject: Subject, condition: Condition) -> None:
    for name in pasted_slots(condition.text):
        slot = subject.slot(name)
        if slot is None or slot.is_default or slot.is_controlled or slot.type not in ("text", "any", "list"):
            continue
        subject.findings.add(
            catalogue.CONDITION_PASTES_TEXT,
            condition.at,
            f"the condition writes what a user says for {name!r} into itself: {condition.text!r}",
            f"write `slots.{name}` without braces, or let an action compare",
        )


def _check_expressions(subject: Subject, condition: Condition) -> None:
    for expression in expressions_in(condition.text):
        if can_take_for_ever(expression):
            subject.findings.add(
                catalogue.SLOW_EXPRESSION,
                condition.at,
                f"the regular expression {expression!r} can take for ever",
                "let each repetition begin with something that can stand nowhere else in it",
            )


def _comparisons(node: Any) -> Iterator[tuple[str, str]]:
    """Yield slots and the constants they are compared with, or that they are looked for among."""
    if isinstance(node, ast.CompareOperator) and node.type in _EQUAL:
        for one, other in ((node.left, node.right), (node.right, node.left)):
            slot, value = _slot(one), _constant(other)
            if slot and value is not None:
                yield slot, value
    elif isinstance(node, ast.ContainsOperator) and isinstance(node.left, ast.LiteralSet):
        slot = _slot(node.right)
        values = [_constant(element) for element in node.left.value]
        if slot:
            yield from ((slot, value) for value in sorted(v for v in values if v is not None))
    elif isinstance(node, ast.Node):
        for child in (getattr(node, "left", None), getattr(node, "right", None)):
            yield from _comparisons(child)


def _compared_constants(node: Any) -> Iterator[tuple[str, str | bool]]:
    """Yield slots and the quoted texts, or true and false, that they are compared with."""
    if isinstance(node, ast.CompareOperator) and node.type in _EQUAL:
        for one, other in ((node.left, node.right), (node.right, node.left)):
            text = _constant(other) if isinstance(other, ast.Literal) else None
            if _slot(one) and text is not None:
                yield _slot(one), text
            elif _slot(one) and isinstance(other, ast.Constant) and isinstance(other.value, bool):
                yield _slot(one), other.value
    elif isinstance(node, ast.Node):
        for child in (getattr(node, "left", None), getattr(node, "right", None)):
            yield from _compared_constants(child)


def _slot(node: Any) -> str:
    if isinstance(node, ast.Literal) and node.value.startswith("slots."):
        return str(node.value).partition(".")[2]
    return ""


def _constant(node: Any) -> str | None:
    """Return a quoted text or a number; a text that Jinja makes is none."""
    if isinstance(node, ast.Literal) and node.value[0] in "'\"" and "made_by_jinja" not in node.value:
        return str(node.value)[1:-1]
    if isinstance(node, ast.Number):
        return f"{node.value:g}" if isinstance(node.value, float) else str(node.value)
    return None
