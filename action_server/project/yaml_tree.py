"""A YAML file as a tree in which every value and every key knows its place.

ruamel.yaml reads; its own objects are not used further, since they neither keep the place of a scalar nor go on after a
key that stands twice.

What engines do here was run with rasa 3.6.21.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from action_server.project.places import Problems, Severity
from action_server.project.tree_cache import TreeCache
from action_server.project.yaml_files import SETTINGS_FILES
from action_server.project.yaml_node import Node
from action_server.source import Place, shorten
from action_server.yaml_file import DEEPEST, BudgetExceeded, new_parser, read_text

_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_HAS_VARIABLE = re.compile(r"^(.*)\$\{(.*)\}(.*)$")
# Of one file; who repairs these sees the next ones. A machine may write a hundred thousand.
_MOST_PROBLEMS = 100
# As `os.path.expandvars` finds them.
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)


class Trees:
    """Reads YAML files, each of them once: whoever asks again gets the same tree.

    ``environment`` takes the place of `${NAME}` in texts without quotes, as engines do it when they load a project.
    Without one they stay as they are written. ``cache`` knows the trees that earlier runs made.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, cache: TreeCache | None = None) -> None:
        self._environment = environment
        self._cache = cache
        self._texts: dict[str, str] = {}
        self._trees: dict[str, tuple[Node | None, Problems]] = {}

    def read(self, path: Path, problems: Problems) -> Node | None:
        """Return the tree of a file; None, with a problem noted, if it is not YAML. An empty one is an empty mapping.

        What is wrong with a file is noted for each who asks.
        """
        name = os.path.realpath(path)
        if name not in self._trees:
            found = Problems()
            self._trees[name] = self._parse(path, name, found), found
        tree, found = self._trees[name]
        problems += found
        return tree

    def has_read(self, path: Path) -> bool:
        """Tell whether somebody has asked for the tree of a file."""
        return os.path.realpath(path) in self._trees

    def text(self, path: Path) -> str:
        """Return the text of a file. Raises `OSError` or `UnicodeDecodeError` if it cannot be read."""
        found = self._texts.get(os.path.realpath(path))
        return read_text(path) if found is None else found

    def _parse(self, path: Path, name: str, problems: Problems) -> Node | None:
        file = shorten(str(path))
        start = Place(file=file, line=1, column=1)
        try:
            self._texts[name] = text = read_text(path)
            # What these need of the environment is filled in where it is needed, key by key.
            environment = None if path.name in SETTINGS_FILES else self._environment
            # A text that the environment is part of is another one for each, and may hold what nobody keeps on a disk.
            cache = self._cache if environment is None or "${" not in text else None
            tree = cache.find(name, text, file, problems) if cache else None
            if tree is None:
                tree = parse_tree(text, file, problems, environment)
                if cache and tree is not None:
                    cache.keep(name, text, tree, problems)
            return tree
        except OSError as exc:
            problems.at(start, f"cannot be read: {exc.strerror}")
        except UnicodeDecodeError as exc:
            problems.at(start, f"cannot be read as UTF-8 text (at byte {exc.start})")
        return None


def parse_tree(text: str, file: str, problems: Problems, environment: Mapping[str, str] | None = None) -> Node | None:
    """Read YAML from a text; ``file`` is its name in places, ``environment`` as for :class:`Trees`."""
    start = Place(file=file, line=1, column=1)
    yaml = new_parser()
    try:
        root = yaml.compose(text)
        if root is None:
            return Node({}, start)
        found = _SomeProblems()
        tree = _Tree(yaml, file, found, environment).node(root, 0)
        problems += found.with_rest(start)
        return tree
    except BudgetExceeded as exc:
        problems.at(_at(file, exc.problem_mark), f"{exc.problem}; the file is not read")
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        problems.at(_at(file, mark) if mark else start, f"is not YAML: {exc.problem or exc.context}")
    except Exception as exc:  # noqa: BLE001 - ruamel lets through what its resolvers raise (RecursionError and others)
        problems.at(start, f"cannot be read as YAML ({type(exc).__name__})")
    return None


class _SomeProblems(Problems):
    """Keeps the first problems of a file, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self._left_out: Counter[Severity] = Counter()

    def at(self, place: Place, message: str, severity: Severity = "error") -> None:
        if len(self) < _MOST_PROBLEMS:
            super().at(place, message, severity)
        else:
            self._left_out[severity] += 1

    def with_rest(self, start: Place) -> Problems:
        found = Problems(self)
        for severity, number in self._left_out.items():
            found.at(start, f"cannot be read as it stands in {number} more places, which are not listed", severity)
        return found


class _Tree:
    def __init__(self, yaml: YAML, file: str, problems: Problems, environment: Mapping[str, str] | None) -> None:
        self._yaml = yaml
        self._environment = environment
        self._file = file
        self._problems = problems

    def node(self, found: Any, depth: int) -> Node:
        place = self._place(found)
        if depth > DEEPEST:
            # By aliases of what holds aliases: each of them is not deep.
            self._problems.at(place, f"is nested deeper than {DEEPEST}")
            return Node(None, place)
        if isinstance(found, SequenceNode):
            return Node([self.node(item, depth + 1) for item in found.value], place)
        if isinstance(found, MappingNode):
            return self._convert_mapping(found, place, depth)
        return self._convert_scalar(found, place)

    def _convert_mapping(self, found: MappingNode, place: Place, depth: int) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[Node] = []
        repeated: dict[str, list[Place]] = {}
        for key, value in found.value:
            if key.tag == _MERGE or getattr(key, "value", None) == "<<":
                merged += self._merge_sources(value, depth)
                continue
            if not isinstance(key, ScalarNode):
                self._problems.at(self._place(key), "a key has to be a text")
                continue
            name = str(key.value)
            if name in entries:
                # As ruamel does it for engines: the first one counts.
                repeated.setdefault(name, []).append(self._place(key))
                continue
            keys[name] = self._place(key)
            entries[name] = self.node(value, depth + 1)
        for name, places in repeated.items():
            times = "twice" if len(places) == 1 else f"{len(places) + 1} times"
            self._problems.at(places[0], f"the key {name!r} stands here {times}; the first one counts")
        for other in merged:
            for name, node in other.items():
                keys.setdefault(name, node.place)
                entries.setdefault(name, node)
        return Node(entries, place, keys=keys)

    def _merge_sources(self, value: Any, depth: int) -> list[Node]:
        parts = value.value if isinstance(value, SequenceNode) else [value]
        return [self.node(part, depth + 1) for part in parts]

    def _convert_scalar(self, found: Any, place: Place) -> Node:
        raw = self._expand(found, place)
        tag = str(found.tag)
        if tag == _NULL:
            return Node(None, place, raw)
        if tag == _TIMESTAMP:
            # A slot holds no dates: engines see the text as well.
            return Node(raw, place, raw)
        try:
            value = self._yaml.constructor.construct_object(found, deep=True)
        except Exception:  # noqa: BLE001 - whatever a tag's constructor raises for a value that does not fit it
            self._problems.at(place, f"{raw!r} is not a value of the type {tag}")
            value = raw
        if raw != str(found.value) or not isinstance(value, (str, int, float, bool)):
            value = raw
        return Node(value, place, raw)

    def _expand(self, found: ScalarNode, place: Place) -> str:
        """Put variables of the environment into a text without quotes (rasa 3.6.21, run)."""
        raw = str(found.value)
        environment = self._environment
        if environment is None or found.style or not _HAS_VARIABLE.match(raw):
            return raw
        missing = [name for name in _VARIABLE.findall(raw) if (name[0] or name[1]) not in environment]
        if missing:
            names = ", ".join(sorted({one or other for one, other in missing}))
            self._problems.at(place, f"{names} of the environment is not set; an engine does not load this", "warning")
            return raw
        return _VARIABLE.sub(lambda match: environment[match[1] or match[2]], raw)

    def _place(self, found: Any) -> Place:
        return _at(self._file, found.start_mark)


def _at(file: str, mark: Any) -> Place:
    return Place(file=file, line=mark.line + 1, column=mark.column + 1)
