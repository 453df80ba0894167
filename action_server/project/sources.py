"""The project's YAML files as trees, for what the model of flows and domain does not keep: rules, stories, places."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from action_server.project.places import Problem, Problems
from action_server.project.project import Project
from action_server.project.yaml_files import SETTINGS_FILES, domain_path, yaml_files
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import Trees
from action_server.source import Place, shorten
from action_server.yaml_file import read_text

# A working directory with more YAML files than that is no folder of a few projects.
_MOST_FILES_BESIDE = 2000
_NAME = re.compile(r"\w[\w-]*")
_PROJECT = re.compile(r"^(?:slots|actions|forms|responses|flows|rules|stories):", re.MULTILINE)


@dataclass(frozen=True)
class Sources:
    """The trees by file, and what could not be read. ``words_beside`` are all names in YAML files of other projects."""

    trees: dict[str, Node]
    unread: tuple[Problem, ...] = ()
    # Of these, what could hold parts of the domain, and what could hold flows.
    lacks_domain: bool = False
    lacks_data: bool = False
    words_beside: frozenset[str] = frozenset()
    has_projects_beside: bool = False
    _maps: dict[tuple[str, int, int], Node] = field(default_factory=dict)

    def mapping_at(self, place: Place) -> Node | None:
        """Return the mapping that begins at a place."""
        if not self._maps:
            for tree in self.trees.values():
                self._maps.update(((n.place.file, n.place.line, n.place.column), n) for n in _walk_mappings(tree))
        return self._maps.get((place.file, place.line, place.column))

    def sections(self, key: str) -> Iterator[Node]:
        """Yield the value of a top-level key of all files that have it."""
        for tree in self.trees.values():
            found = tree.get(key)
            if found is not None and found.value is not None:
                yield found

    def find(self, *path: str) -> Node | None:
        """Return the first node under keys, from the top of a file."""
        for tree in self.trees.values():
            node: Node | None = tree
            for key in path:
                node = node.get(key) if node is not None else None
            if node is not None:
                return node
        return None


def read_sources(
    project: Project, root: Path, domain: Path | None, data: Path | None, beside: Path, read: Trees
) -> Sources:
    """Read the files the project consists of, and the words of the YAML files that lie beside it.

    ``read`` are the trees that the project was made of.
    """
    problems = Problems()
    trees: dict[str, Node] = {}
    domain_paths = set(_domain_files(root, domain))
    data_paths = {*map(Path, project.flow_files), *_data_files(root, data)}
    for path in sorted({*domain_paths, *data_paths, *map(Path, project.domain_files)}, key=str):
        name = shorten(str(path))
        if name not in trees:
            found = Problems()
            tree = read.read(path, found)
            if tree is not None:
                trees[name] = tree
            else:
                problems += found
    words, projects = _read_words_beside(beside, read)
    unread = {problem.file for problem in problems}
    in_data = {shorten(str(path)) for path in data_paths}
    return Sources(
        trees,
        tuple(problems),
        # Parts of the domain may lie beside the flows; where one does, another one may.
        bool(unread - in_data) or bool(unread and in_data & {*project.domain_files}),
        bool(unread & in_data),
        words,
        projects,
    )


def _domain_files(root: Path, domain: Path | None) -> Iterator[Path]:
    path = domain or domain_path(root)
    if path.is_file():
        yield path
    else:
        yield from yaml_files(path)


def _data_files(root: Path, data: Path | None) -> Iterator[Path]:
    folder = data or root / "data"
    if folder.is_file():
        yield folder
    elif folder.is_dir():
        yield from (path for path in yaml_files(folder) if path.name not in SETTINGS_FILES)


def _read_words_beside(folder: Path, own: Trees) -> tuple[frozenset[str], bool]:
    """Return the words of other projects' YAML files below a folder, and whether there are any."""
    words: set[str] = set()
    has_projects = False
    for path in itertools.islice(yaml_files(folder, follow_links=False), _MOST_FILES_BESIDE):
        if own.has_read(path):
            continue
        try:
            text = read_text(path, errors="replace")
        except OSError:
            continue
        if _PROJECT.search(text):
            has_projects = True
            words.update(_NAME.findall(text))
    return frozenset(words), has_projects


def _walk_mappings(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.is_mapping:
            yield current
            waiting += [child for _, child in current.items()]
        else:
            waiting += list(current.elements())
