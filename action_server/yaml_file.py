"""Reads YAML files of the user: endpoints.yml, a domain, flows, a logging configuration. None of them can hang us.

A file is regular and of a bounded size, nests only so deep, and holds a bounded number of values, aliases counted as
often as they stand for something: nine lines of aliases can stand for a billion values.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.parser import Parser
from ruamel.yaml.scanner import Scanner

from action_server.errors import SettingsError
from action_server.regular_file import read_bytes

# The largest projects known stay below a tenth of each. A million bytes take about twenty seconds to read.
MOST_VALUES = 400_000
DEEPEST = 100


class BudgetExceeded(MarkedYAMLError):  # noqa: N818 - a signal between the readers of YAML
    """A YAML file that nests too deep or holds too much; ``problem`` says which, without quoting the file."""


def read_text(path: Path, errors: str = "strict") -> str:
    """Return the text of a file, with line breaks as `open` has them.

    Raises:
        OSError: as :func:`read_bytes` does.
        UnicodeDecodeError: it is not UTF-8, unless ``errors`` is another way to treat that.
    """
    return read_bytes(path).decode("utf-8", errors).replace("\r\n", "\n").replace("\r", "\n")


def new_parser() -> YAML:
    """Return a parser of YAML 1.2 that raises `BudgetExceeded` instead of reading on for ever."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner, yaml.Parser, yaml.Composer = _Scanner, _Parser, _BudgetComposer
    return yaml


class _Scanner(Scanner):
    """ruamel's, which looks for its reader at each character."""

    @cached_property
    def reader(self) -> Any:
        return super().reader


class _Parser(Parser):
    """ruamel's, which looks for its scanner at each token. One of these reads one file."""

    @cached_property
    def scanner(self) -> Any:
        return super().scanner

    @cached_property
    def resolver(self) -> Any:
        return super().resolver


class _BudgetComposer(Composer):
    """Counts values while they are read, so that too many of them end the reading at once."""

    @cached_property
    def parser(self) -> Any:
        return super().parser

    @cached_property
    def resolver(self) -> Any:
        return super().resolver

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False
        self._count = 0
        # How many values each anchor stands for; one that is still being read is not in it.
        self._values_of: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        if isinstance(event, AliasEvent):
            # An unknown one is ruamel's to refuse.
            if event.anchor in self.anchors and event.anchor not in self._values_of:
                raise BudgetExceeded(problem="holds an alias of what it stands in", problem_mark=event.start_mark)
            self._add(self._values_of.get(event.anchor, 0), event)
            return super().compose_node(parent, index)
        before = self._count
        self._add(1, event)
        if self.depth >= DEEPEST:
            raise BudgetExceeded(problem=f"is nested deeper than {DEEPEST}", problem_mark=event.start_mark)
        if event.anchor is None:
            return super().compose_node(parent, index)
        self._values_of.pop(event.anchor, None)
        node = super().compose_node(parent, index)
        self._values_of[event.anchor] = self._count - before
        return node

    def _add(self, values: int, event: Any) -> None:
        self._count += values
        if self._count > MOST_VALUES:
            raise BudgetExceeded(problem=f"holds more than {MOST_VALUES} values", problem_mark=event.start_mark)


def read_yaml(path: Path, where: str) -> Any:
    """Return what a file holds. ``where`` names the flag or setting the file came from.

    Raises:
        SettingsError: the file cannot be read or is not YAML; names line and column, and quotes nothing of the file,
            which may hold credentials.
    """
    file = "" if where == str(path) else f"{path} "
    try:
        return new_parser().load(read_text(path))
    except OSError as exc:
        raise SettingsError(where, f"{file}cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(where, f"{file}cannot be read as UTF-8 text (at byte {exc.start})") from exc
    except BudgetExceeded as exc:
        raise SettingsError(where, f"{file}{exc.problem}{_place(exc)}") from None
    except Exception as exc:  # noqa: BLE001
        # Not only YAMLError: ruamel lets through what its constructors raise for a date that does not exist, for a tag
        # with a wrong value (KeyError, IndexError) or for brackets without end (RecursionError).
        raise SettingsError(where, f"{file}cannot be read as YAML{_place(exc)}") from None


def _place(exc: Exception) -> str:
    mark = exc.problem_mark if isinstance(exc, MarkedYAMLError) else None
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
