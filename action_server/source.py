"""Where something is in the author's files: ``file:line``, relative to the working directory if it is below it."""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# `<string>` is what a spawned process runs first, and what dataclasses are made of.
_NOT_THE_AUTHORS = (os.path.dirname(__file__) + os.sep, sysconfig.get_path("stdlib") + os.sep, "<frozen ", "<string>")
_HOLDS_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)
_FILE_AND_LINE = re.compile(r"(.+):(\d+)")


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file: lines and columns count from 1, 0 stands for the file as a whole.

    ``key`` names an entry where the line is not known, as ``action_endpoint.url``. Without a file it is the place
    itself: a setting, a flag or a package.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    key: str = ""

    def __str__(self) -> str:
        return _join(self.file, self.line, 0, self.key)

    @property
    def exact(self) -> str:
        """Return ``file:line:column`` or ``file:key``, as far as it is known."""
        return _join(self.file, self.line, self.column, self.key)


def _join(file: str, line: int, column: int, key: str) -> str:
    return ":".join(str(part) for part in (file, line, column, key) if part)


def parse_place(text: str) -> Place | None:
    """Return the place that ``file:line`` names; None for a text of another shape."""
    match = _FILE_AND_LINE.fullmatch(text)
    return Place(match[1], int(match[2])) if match else None


def shorten(file: str) -> str:
    """Return the path relative to the working directory if it is below it, otherwise as it is."""
    relative = os.path.relpath(file)
    return file if relative.startswith(os.pardir) else relative


def place_of(thing: Any) -> str:
    """Return the place of a class or function; its module where there is no source, as for one written in C.

    A file is parsed once for all of its classes: `inspect` would parse it for each.
    """
    thing = inspect.unwrap(getattr(thing, "__func__", thing))
    try:
        file = inspect.getsourcefile(thing)
    except (TypeError, OSError):
        file = None
    line = _first_line(thing, file) if file else None
    return f"{shorten(file)}:{line}" if file and line else getattr(thing, "__module__", None) or "?"


def _first_line(thing: Any, file: str) -> int | None:
    """Return the first line of a class or function, decorators included."""
    code = getattr(thing, "__code__", None)
    # Classes know theirs from Python 3.13 on.
    known = code.co_firstlineno if code is not None else getattr(thing, "__firstlineno__", None)
    if known is not None:
        return int(known)
    linecache.checkcache(file)
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    linecache.getlines(file, vars(module) if module else None)
    entry = linecache.cache.get(file)
    if entry is None or len(entry) == 1:
        return None
    # A file that was edited is another one.
    return _class_lines(file, entry[0], entry[1]).get(getattr(thing, "__qualname__", ""))


@lru_cache(maxsize=256)
def _class_lines(file: str, size: int, modified: float | None) -> Mapping[str, int]:
    """Return the first line of each class of a file, by qualified name; of two with one name the first's.

    ``size`` and ``modified`` tell one state of the file from the next.
    """
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        # It was edited since it was imported.
        return {}
    found: dict[str, int] = {}
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, prefix = waiting.pop()
        if isinstance(node, ast.ClassDef):
            line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            name = f"{prefix}{node.name}"
            found[name] = min(found.get(name, line), line)
            prefix = f"{name}."
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            prefix = f"{prefix}{node.name}.<locals>."
        # Where statements are: a class is in no expression.
        below = (child for child in ast.iter_child_nodes(node) if isinstance(child, _HOLDS_STATEMENTS))
        waiting += ((child, prefix) for child in below)
    return found


def place_of_failure(exc: BaseException) -> str | None:
    """Return the deepest line of the author's own code an error went through.

    Lines of the standard library, of installed packages and of this one do not help them; None if there are no others.
    """
    if isinstance(exc, SyntaxError) and exc.filename:
        return f"{shorten(exc.filename)}:{exc.lineno}"
    frames = reversed(traceback.extract_tb(exc.__traceback__))
    return deepest_of_author((frame.filename, frame.lineno or 0) for frame in frames)


def place_of_thread(ident: int) -> str | None:
    """Return the deepest line of the author's own code that a thread is at; None if it is in none."""
    frames: list[tuple[str, int]] = []
    frame = sys._current_frames().get(ident)
    while frame is not None:
        frames.append((frame.f_code.co_filename, frame.f_lineno or 0))
        frame = frame.f_back
    return deepest_of_author(frames)


def deepest_of_author(frames: Iterable[tuple[str, int]]) -> str | None:
    """Return the first place in the author's own code, of files and lines with the deepest first; None if none is."""
    for file, line in frames:
        if is_of_author(file):
            return f"{shorten(file)}:{line}"
    return None


def is_of_author(file: str) -> bool:
    """Tell whether a file of a frame is of the author's own code: not of Python, of an installed package or of ours."""
    return not file.startswith(_NOT_THE_AUTHORS) and "site-packages" not in file


def is_of_server(file: str) -> bool:
    """Tell whether a file of a frame is one of this package."""
    return file.startswith(_NOT_THE_AUTHORS[0])


def one_line(exc: BaseException) -> str:
    """Return the type and the message of an error on one line."""
    return " ".join(f"{type(exc).__name__}: {exc}".split())


def is_closed(exc: BaseException) -> bool:
    """Tell a call that nobody awaits any more from one whose action raised ``GeneratorExit`` itself.

    Python raises it anew in each coroutine that it closes, so that one comes from nowhere below.
    """
    return isinstance(exc, GeneratorExit) and (exc.__traceback__ is None or exc.__traceback__.tb_next is None)
