"""Conditions: Jinja first, then a pypred predicate over `slots` and `context`.

pypred 0.4.0 is what engines evaluate with. Its own entry point builds its parser anew for each predicate, prints to
standard error that its tables are out of date and writes new ones into its installation; here the parser is built once,
in memory, and says nothing.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.sandbox import SandboxedEnvironment
from ply import lex, yacc  # type: ignore[import-untyped]
from pypred import Predicate, ast  # type: ignore[import-untyped]
from pypred import parser as grammar
from pypred.predicate import LiteralResolver  # type: ignore[import-untyped]

from action_server.project.regular_expressions import LimitedPattern

# Sandboxed: the templates are those of whoever wrote the project.
_JINJA = SandboxedEnvironment(autoescape=False)
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
# Stands for what Jinja makes while nothing is rendered.
JINJA_PLACEHOLDER = "made_by_jinja"
_FILTERS_WITHOUT_TEXT = frozenset({"abs", "count", "float", "int", "length", "round", "sum"})
_parser_lock = threading.Lock()


@dataclass(frozen=True)
class Evaluation:
    """What a condition came to: its text, the text after Jinja, the result, why it is False without being decided
    (``error``, empty otherwise), and the values of the names in it. A name that is not there has no value."""

    text: str
    rendered: str
    value: bool
    error: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    is_rendered: bool = True


def render_template(text: str, values: Mapping[str, Any]) -> str:
    """Render a Jinja template. Raises whatever the template raises."""
    if "{" not in text and "\n" not in text and "\r" not in text:
        # Nothing to render. Jinja takes a newline at the end away, and copies all values first.
        return text
    return _template(text).render(values)


def evaluate_expression(text: str, values: Mapping[str, Any]) -> Any:
    """Return the value of a Jinja expression; a name that is not there is None. Raises whatever Jinja raises."""
    return _JINJA.compile_expression(text)(**values)


def parse_expression(text: str) -> nodes.Node:
    """Return the tree of a Jinja expression. Raises ``TemplateError`` if it is none."""
    found = _JINJA.parse(f"{{{{ ({text}) }}}}").body[0]
    return next(iter(found.iter_child_nodes()))


def error_of_expression(text: str) -> str:
    """Say why a text is no Jinja expression; empty if it is one."""
    try:
        _JINJA.compile_expression(text)
    except TemplateError as exc:
        return _one_line(exc)
    return ""


@lru_cache(maxsize=1024)
def _template(text: str) -> Template:
    template = _JINJA.from_string(text)
    # Jinja chains the environment's and the template's, and would walk the chain for each rendering.
    template.globals = dict(template.globals)
    return template


def evaluate(
    text: str,
    slots: Mapping[str, Any],
    context: Mapping[str, Any] | None = None,
    *,
    template: Mapping[str, Any] | None = None,
    is_template: bool = True,
) -> Evaluation:
    """Evaluate a condition. Whatever goes wrong makes it False, as in engines, and is told in ``error``.

    ``template`` is what Jinja sees, if that is not the same: the context alone in a flow. Where there is no
    ``is_template``, as in a flow's guard, nothing is rendered (rasa-pro 3.21.0, read).
    """
    document = {"slots": slots, "context": context or {}}
    try:
        rendered = (
            render_template(text, document if template is None else template) if is_template and "{" in text else text
        )
    except Exception as exc:  # noqa: BLE001 - a template may raise anything
        return Evaluation(text, text, False, f"Jinja cannot render it: {_one_line(exc)}", is_rendered=False)
    values: dict[str, Any] = {}
    try:
        predicate = _parse_predicate(rendered)
        errors = _errors(predicate)
        if errors:
            return Evaluation(text, rendered, False, "; ".join(errors))
        values = dict(_look_up_names(predicate, document))
        return Evaluation(text, rendered, bool(predicate.evaluate(document)), values=values)
    except Exception as exc:  # noqa: BLE001 - comparing None with a number, one without end, ...
        return Evaluation(text, rendered, False, f"cannot be evaluated: {_one_line(exc)}", values)


def errors_of(text: str) -> list[str]:
    """Say what keeps a condition from ever being evaluated, without evaluating it; empty if nothing does."""
    try:
        _JINJA.parse(text)
    except TemplateError as exc:
        return [f"Jinja cannot read it: {_one_line(exc)}"]
    return _errors(_parse_predicate(_replace_jinja(text)))


def names_in(text: str) -> frozenset[str]:
    """Return the names a condition looks up ("slots.age"); those that Jinja makes are not among them."""
    predicate = _parse_predicate(_replace_jinja(text))
    return (
        frozenset(n for n in _names_of(predicate.ast) if JINJA_PLACEHOLDER not in n)
        if predicate.is_valid()
        else frozenset()
    )


def tree_of(text: str) -> Any:
    """Return the parsed predicate, a tree of pypred's nodes; None if it does not parse."""
    predicate = _parse_predicate(_replace_jinja(text))
    return predicate.ast if predicate.is_valid() else None


def expressions_in(text: str) -> list[str]:
    """Return the regular expressions that a condition matches values with."""
    predicate = _parse_predicate(_replace_jinja(text))
    return [node.value for node in _expressions(predicate.ast)] if predicate.is_valid() else []


def pasted_slots(text: str) -> list[str]:
    """Return the slots whose values Jinja writes into a condition, sorted; what makes a number of them is left out."""
    try:
        outputs = list(_JINJA.parse(text).find_all(nodes.Output)) if "{{" in text else []
    except TemplateError:
        return []
    written = (part for output in outputs for part in output.nodes if not isinstance(part, nodes.TemplateData))
    return sorted({slot for part in written if not _makes_no_text(part) for slot in _slots_of(part)})


def _makes_no_text(node: nodes.Node) -> bool:
    """Tell an expression that is a number or true or false, whatever the slot holds."""
    if isinstance(node, nodes.Filter):
        return node.name in _FILTERS_WITHOUT_TEXT
    return isinstance(node, (nodes.Compare, nodes.Test, nodes.Not))


def _slots_of(node: nodes.Node) -> Iterator[str]:
    for found in (node, *node.find_all((nodes.Getattr, nodes.Getitem))):
        if not (isinstance(found, (nodes.Getattr, nodes.Getitem)) and isinstance(found.node, nodes.Name)):
            continue
        if found.node.name == "slots":
            if isinstance(found, nodes.Getattr):
                yield found.attr
            elif isinstance(found.arg, nodes.Const):
                yield str(found.arg.value)


class _ParsedPredicate(Predicate):
    """A predicate that is parsed by the one parser of this process."""

    def __init__(self, text: str) -> None:
        LiteralResolver.__init__(self)
        self.predicate = text
        self.ast: Any = None
        self.ast_validated = False
        self.ast_valid = False
        self.ast_errors: Any = None
        with _parser_lock:
            self._parse(text)

    def _parse(self, text: str) -> None:
        lexer_of_all, parser = _grammar()
        lexer = lexer_of_all.clone()
        lexer.lineno = 1
        self.lexer_errors: list[Any] = []
        self.parser_errors: list[Any] = []
        lexer.errors = self.lexer_errors
        lexer.parser = parser
        parser.errors = self.parser_errors
        try:
            self.ast = parser.parse(text, lexer=lexer)
        except Exception as exc:  # noqa: BLE001 - SyntaxError, and what ply itself trips over
            self.ast_validated = True
            self.ast_errors = {"errors": [str(exc) or type(exc).__name__], "regex": {}}


@lru_cache(maxsize=1)
def _grammar() -> tuple[Any, Any]:
    silent = yacc.NullLogger()
    parser = yacc.yacc(module=grammar, debug=False, write_tables=False, errorlog=silent, tabmodule="no_such_tables")
    return lex.lex(module=grammar, errorlog=lex.NullLogger()), parser


@lru_cache(maxsize=1024)
def _parse_predicate(text: str) -> _ParsedPredicate:
    predicate = _ParsedPredicate(text)
    if predicate.is_valid():
        for node in _expressions(predicate.ast):
            # What engines search with has no limit: a message of a user could keep a conversation for ever.
            node.re = LimitedPattern(node.value)
    return predicate


def _expressions(node: Any) -> Iterator[Any]:
    """Yield the regular expressions of a predicate."""
    if isinstance(node, ast.Regex):
        yield node
    elif isinstance(node, ast.Node):
        for child in (getattr(node, "left", None), getattr(node, "right", None)):
            yield from _expressions(child)


def _errors(predicate: _ParsedPredicate) -> list[str]:
    if predicate.is_valid():
        return []
    found = predicate.errors()
    return [*found["errors"]] or ["it is not a predicate"]


def _replace_jinja(text: str) -> str:
    return _EXPRESSION.sub(JINJA_PLACEHOLDER, text)


def _names_of(node: Any) -> Iterator[str]:
    if isinstance(node, ast.Literal):
        if node.value[0] not in "'\"":
            yield node.value
    elif isinstance(node, ast.LiteralSet):
        for element in node.value:
            yield from _names_of(element)
    elif isinstance(node, ast.Node):
        for child in (getattr(node, "left", None), getattr(node, "right", None)):
            yield from _names_of(child)


def _look_up_names(predicate: _ParsedPredicate, document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _names_of(predicate.ast):
        try:
            value = predicate.resolve_identifier(document, name)
        except TypeError:
            # A slot that is empty has nothing below it.
            continue
        if not isinstance(value, ast.Undefined):
            yield name, value


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__
