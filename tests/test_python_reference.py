"""docs/reference/python.md is made from the code: each public name with its signature and docstring.

Write it anew with ``python -m tests.test_python_reference``.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_origin

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "python.md"
INTRODUCTION = """\
# Python reference

What actions and their tests import. Everything else is internal, and may change in any version.
[Write an action as a function](../howto/typed-actions.md), [services](../howto/services.md),
[run an action once](../howto/run-actions-once.md) and [test your actions](../howto/test-your-actions.md) have examples.
"""
MODULES = ("action_server", "action_server.services", "action_server.testing")
_SECTION = re.compile(r"^(Args|Raises|Returns|Yields):\n((?: {4}.*\n?|\n)+)", re.MULTILINE)
# Longer ones have a line for each parameter.
_WIDTH = 100
_QUOTED = r"`\1`: "
_ENTRY = re.compile(r"^(\w[\w.*`, ]*): ", re.MULTILINE)


def page() -> str:
    """Return the whole page."""
    return "\n".join([INTRODUCTION, *(line for name in MODULES for line in _module(name))])


def _module(name: str) -> Iterator[str]:
    found = import_module("action_server.runtime.services" if name == "action_server.services" else name)
    yield f"## {name}\n\n{_markdown(inspect.getdoc(found))}\n"
    for public in sorted(found.__all__, key=str.lower):
        thing = getattr(found, public)
        if isinstance(thing, ModuleType):
            yield f"### {public}\n\nA module: see [{name}.{public}](#{f'{name}.{public}'.replace('.', '')}).\n"
            continue
        yield from _named(f"### {public}", public, thing)
        if inspect.isclass(thing):
            for method, member in _members(thing):
                yield from _named(f"#### {public}.{method}", method, member)


def _named(heading: str, name: str, thing: Any) -> Iterator[str]:
    yield f"{heading}\n"
    shown = _signature(name, thing)
    if shown:
        yield f"```python\n{shown}\n```\n"
    alias = f"Another name of `{re.sub(r'[a-z_]+[.]', '', str(thing))}`."
    yield f"{alias if get_origin(thing) else _markdown(inspect.getdoc(thing))}\n"


def _members(of: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(of).items():
        called = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        is_own = getattr(called, "__module__", of.__module__).startswith("action_server")
        if not name.startswith("_") and is_own and (inspect.isfunction(called) or isinstance(called, property)):
            yield name, called


class _AsWritten(str):
    """An annotation that is shown as it stands in the code."""

    def __repr__(self) -> str:
        return str(self)


def _signature(name: str, thing: Any) -> str:
    """Return how it is called, without ``self``; nothing for what is not called."""
    if isinstance(thing, property):
        return f"{name}: {inspect.signature(thing.fget).return_annotation}" if thing.fget else ""
    if not callable(thing) or get_origin(thing) or (inspect.isclass(thing) and issubclass(thing, BaseException)):
        return ""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    parameters = [
        one.replace(annotation=_as_written(one.annotation), default=_shown(one.default))
        for one in signature.parameters.values()
        if one.name not in ("self", "cls")
    ]
    returned = inspect.Signature.empty if inspect.isclass(thing) else _as_written(signature.return_annotation)
    text = f"{name}{signature.replace(parameters=parameters, return_annotation=returned)}"
    if len(text) > _WIDTH:
        brackets = str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
        text = f"{name}(\n{_lines(brackets)}\n){'' if returned is inspect.Signature.empty else f' -> {returned}'}"
    return f"{'async def ' if inspect.iscoroutinefunction(thing) else ''}{text}"


def _shown(default: Any) -> Any:
    """Return a default that is shown: a place in memory says nothing."""
    return _AsWritten("...") if " at 0x" in repr(default) else default


def _as_written(annotation: Any) -> Any:
    return _AsWritten(annotation) if isinstance(annotation, str) else annotation


def _lines(parameters: str) -> str:
    """Return parameters, given in their brackets, each on a line of its own."""
    depth, lines = 0, [""]
    for letter in parameters[1:-1]:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            lines.append("")
        else:
            lines[-1] += letter
    return "\n".join(f"    {line.strip()}," for line in lines)


def _markdown(docstring: str | None) -> str:
    text = _SECTION.sub(_as_list, f"{docstring or ''}\n")
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text.replace("``", "`"))
    return re.sub(r"::\n\n((?: {4}.*\n|\n)+)", _as_code, text).strip()


def _as_list(found: re.Match[str]) -> str:
    entries = textwrap.dedent(found[2]).strip()
    entries = re.sub(r"\n +", " ", entries)
    lines = [f"- {_ENTRY.sub(_QUOTED, line)}\n" for line in entries.splitlines()]
    return f"{found[1]}:\n\n{''.join(lines)}"


def _as_code(found: re.Match[str]) -> str:
    return f":\n\n```python\n{textwrap.dedent(found[1]).strip()}\n```\n\n"


def test_the_page_is_what_the_code_says() -> None:
    """Names, signatures and docstrings."""
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.test_python_reference"


def test_every_public_name_explains_itself() -> None:
    """A name without a sentence is none that somebody could use."""
    for module in MODULES:
        for section in re.split(r"^#{2,4} ", page(), flags=re.MULTILINE)[1:]:
            title, *rest = section.splitlines()
            words = re.sub(r"```python.*?```", "", "\n".join(rest), flags=re.DOTALL).split()
            assert len(words) >= 3, f"{module}: {title}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} is written\n")
