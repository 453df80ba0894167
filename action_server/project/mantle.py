"""A Mantle project as it is written: servers of tools, skills with what they import, memory.

Read in rasa-pro 3.21.0 (`rasa.mantle`), which needs a licence to run, so none of it was run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from action_server.project.places import Problems
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import Trees, parse_tree
from action_server.source import Place, shorten
from action_server.yaml_file import read_text

AGENT, INTEGRATIONS = "agent.yml", "integrations.yml"
_MEMORY, _SKILL = "memory.yml", "skill.md"
_FENCE = "---"


@dataclass(frozen=True)
class Field:
    """A field of a memory: its declaration, where its name stands, and whether other skills may read it."""

    node: Node
    at: Place
    is_public: bool = True


@dataclass(frozen=True)
class Skill:
    """A skill: the mapping at the top of its file, the text of the file, its memory, its own tools.

    ``memory`` and ``tools`` are None where a file does not parse, so that nobody knows them.
    """

    id: str
    file: str
    front: Node
    text: str
    memory: Mapping[str, Field] | None
    tools: frozenset[str] | None

    @property
    def imports(self) -> list[Node]:
        """Return the entries of `import_tools`."""
        node = self.front.get("import_tools")
        return list(node.elements()) if node is not None else []


@dataclass(frozen=True)
class MantleProject:
    """What was read. ``agent`` and ``integrations`` are those files, None without one; ``trees`` are all by name.

    ``shared`` are the tools of `tools/`. ``memory`` and ``shared`` are None where a file does not parse.
    """

    root: Path
    skills: Mapping[str, Skill]
    agent: Node | None
    integrations: Node | None
    memory: Mapping[str, Field] | None
    shared: frozenset[str] | None
    trees: Mapping[str, Node]
    problems: Problems

    @cached_property
    def servers(self) -> dict[str, Node]:
        """Return the MCP servers by name; of two with one name the first."""
        found: dict[str, Node] = {}
        for node in self.server_nodes:
            name = node.get("name")
            if name is not None and name.raw:
                found.setdefault(name.raw, node)
        return found

    @property
    def server_nodes(self) -> list[Node]:
        """Return all entries of `mcp_servers`."""
        node = self.integrations.get("mcp_servers") if self.integrations is not None else None
        return list(node.elements()) if node is not None else []


def is_mantle(folder: Path) -> bool:
    """Tell a Mantle project as the engine does: it has two of agent.yml, integrations.yml and a skill."""
    has_skill = next(_skill_files(folder), None) is not None
    return (folder / AGENT).is_file() + (folder / INTEGRATIONS).is_file() + has_skill >= 2


def read_mantle(root: Path, trees: Trees) -> MantleProject:
    """Read the project in a folder. Never raises for what the files hold: that becomes a problem."""
    problems = Problems()
    found: dict[str, Node] = {}

    def read(path: Path) -> Node | None:
        tree = trees.read(path, problems) if path.is_file() else None
        if tree is not None:
            found[shorten(str(path))] = tree
        return tree

    integrations = read(root / INTEGRATIONS)
    agent = read(root / AGENT)
    skills = {}
    for path in _skill_files(root):
        text, front = _read_skill(path, problems)
        file = shorten(str(path))
        found[file] = front
        fields = _memory(path.parent / _MEMORY, read, ("schema", "public"), ("schema", "private"))
        tools = _tools_in(path.parent / "tools.py", *sorted((path.parent / "tools").glob("*.py")))
        skills[path.parent.name] = Skill(path.parent.name, file, front, text, fields, tools)
    shared = _tools_in(*sorted((root / "tools").glob("**/*.py")))
    memory = _memory(root / _MEMORY, read, ())
    return MantleProject(root, skills, agent, integrations, memory, shared, found, problems)


def _skill_files(root: Path) -> Iterator[Path]:
    for path in sorted((root / "skills").glob(f"*/{_SKILL}")):
        if path.is_file() and not path.parent.name.startswith("_"):
            yield path


def _memory(path: Path, read: Callable[[Path], Node | None], *parts: tuple[str, ...]) -> dict[str, Field] | None:
    """Return the fields of a memory.yml, which stand at ``parts`` of it; none if there is no file."""
    if not path.is_file():
        return {}
    tree = read(path)
    if tree is None:
        return None
    fields = {}
    for keys in parts:
        node: Node | None = tree
        for key in keys:
            node = node.get(key) if node is not None else None
        for name, field in node.items() if node is not None else ():
            fields[name] = Field(field, node.keys[name] if node is not None else field.place, keys[-1:] != ("private",))
    return fields


def _read_skill(path: Path, problems: Problems) -> tuple[str, Node]:
    """Return the text of a skill and the mapping between the two lines of `---` at its top."""
    file = shorten(str(path))
    start = Place(file, 1, 1)
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as exc:
        problems.at(start, f"cannot be read ({type(exc).__name__})")
        return "", Node({}, start)
    lines = text.splitlines()
    end = next((n for n, line in enumerate(lines[1:], 1) if line.strip() == _FENCE), None)
    if end is None or lines[0].strip() != _FENCE:
        problems.at(start, "a skill has to begin with a mapping between two lines of `---`")
        return text, Node({}, start)
    # The first line stays, empty, so that places are those of the file.
    front = parse_tree("\n".join(["", *lines[1:end]]), file, problems)
    if front is not None and not front.is_mapping:
        problems.at(front.place, "the top of a skill has to be a mapping")
    return text, front if front is not None and front.is_mapping else Node({}, start)


def _tools_in(*paths: Path) -> frozenset[str] | None:
    """Return the functions marked `@tool(...)` in modules, read and not run; None if one does not parse."""
    found: set[str] = set()
    for path in paths:
        if not path.is_file():
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            return None
        found |= {node.name for node in ast.walk(tree) if _is_tool(node)}  # type: ignore[attr-defined]
    return frozenset(found)


def _is_tool(node: ast.AST) -> bool:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    marks = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
    return any(getattr(mark, "id", getattr(mark, "attr", "")) == "tool" for mark in marks)
