"""A Rasa project: its flows, its domain, and what else lies in its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from action_server.project.domain import Domain
from action_server.project.domain_reader import DomainReader, looks_like_a_domain
from action_server.project.flow_reader import read_flows
from action_server.project.flows import Flow
from action_server.project.places import Frozen, Place, Problem, Problems
from action_server.project.tree import Node, read_tree
from action_server.source import shorten

PATTERNS_FILE = Path(__file__).parent / "patterns.yml"
# Where projects keep their end-to-end tests.
E2E_FOLDERS = ("tests", "test", "e2e_tests", "e2e")
_NOT_OURS = frozenset({"node_modules", "models", "results", "venv", "__pycache__", "site-packages"})
# `[Vienna](city)` and `[Vienna]{"entity": "city"}` in training examples.
_ENTITY = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\})")
_DATA_KEYS = ("version", "nlu", "stories", "rules", "flows", "responses", "regex", "lookup", "synonym")


class Project(Frozen):
    """Everything that was read, and what could not be read (``problems``).

    ``flows`` are the project's own by id, ``patterns`` the engine's where the project has none of its own. ``config``
    and ``endpoints`` are the two files as they are (empty if missing); ``endpoints`` may hold credentials. ``nlu``
    holds training examples by intent. ``e2e_files`` are the files with test cases.
    """

    root: str
    domain: Domain
    flows: Mapping[str, Flow]
    patterns: Mapping[str, Flow]
    problems: tuple[Problem, ...] = ()
    domain_files: tuple[str, ...] = ()
    flow_files: tuple[str, ...] = ()
    e2e_files: tuple[str, ...] = ()
    nlu: Mapping[str, tuple[str, ...]] = {}
    has_rules: bool = False
    has_stories: bool = False
    config: Mapping[str, Any] = {}
    config_file: str = ""
    endpoints: Mapping[str, Any] = {}
    endpoints_file: str = ""

    @property
    def all_flows(self) -> Mapping[str, Flow]:
        """Return flows and patterns by id, as the engine has them."""
        return {**self.patterns, **self.flows}

    @property
    def webhook_url(self) -> str:
        """Return the address of the action server in endpoints.yml, empty if there is none."""
        endpoint = self.endpoints.get("action_endpoint")
        url = endpoint.get("url") if isinstance(endpoint, Mapping) else None
        return url if isinstance(url, str) else ""


def read_project(
    root: Path, *, domain: Path | None = None, data: Path | None = None, endpoints: Path | None = None
) -> Project:
    """Read the project in a folder. The three paths are for projects that keep these parts elsewhere.

    Never raises for what the files hold: that becomes a problem.
    """
    return _Reader(root, domain, data, endpoints).read()


class _Reader:
    def __init__(self, root: Path, domain: Path | None, data: Path | None, endpoints: Path | None) -> None:
        self._root = root
        self._domain_path = domain
        self._data_path = data
        self._endpoints_path = endpoints
        self._problems = Problems()
        self._domain = DomainReader(self._problems)
        self._flows: dict[str, Flow] = {}
        self._nlu: dict[str, list[str]] = {}
        self._found: dict[str, Any] = {"domain_files": [], "flow_files": [], "has_rules": False, "has_stories": False}

    def read(self) -> Project:
        self._read_domain()
        self._read_data()
        config, config_file = self._settings("config.yml", None)
        endpoints, endpoints_file = self._settings("endpoints.yml", self._endpoints_path)
        e2e_files = tuple(self._e2e_files())
        own_problems = Problems()
        patterns = self._read_patterns(own_problems)
        return Project(
            root=str(self._root),
            domain=self._domain.merged(),
            flows=self._flows,
            patterns={name: flow for name, flow in patterns.items() if name not in self._flows},
            problems=tuple(self._problems),
            e2e_files=e2e_files,
            nlu={intent: tuple(examples) for intent, examples in self._nlu.items()},
            config=config,
            config_file=config_file,
            endpoints=endpoints,
            endpoints_file=endpoints_file,
            **self._found,
        )

    def _read_domain(self) -> None:
        paths = [self._domain_path] if self._domain_path else [self._root / "domain.yml", self._root / "domain"]
        if not any(path.exists() for path in paths):
            paths = [self._root / "domain.yaml"]
        found = False
        for path in paths:
            # A folder may hold other files; a file named by its name is a domain whatever it holds.
            for file in [path] if path.is_file() else list(_yaml_files(path)):
                node = read_tree(file, self._problems)
                found = True
                if node is not None and (path.is_file() or looks_like_a_domain(node.keys)):
                    self._domain.add(node)
                    self._found["domain_files"].append(shorten(str(file)))
        if not found:
            place = Place(file=shorten(str(self._root)))
            self._problems.at(place, "has no domain: neither domain.yml nor a folder `domain` with YAML files")

    def _read_data(self) -> None:
        data = self._data_path or self._root / "data"
        if data.exists():
            files = [data] if data.is_file() else list(_yaml_files(data))
        else:
            files = [f for f in _yaml_files(self._root) if shorten(str(f)) not in self._found["domain_files"]]
        for file in files:
            if file.name in ("config.yml", "endpoints.yml", "credentials.yml", "docker-compose.yml"):
                continue
            node = read_tree(file, self._problems)
            if node is None:
                continue
            if not node.is_mapping:
                self._problems.at(node.place, "a data file has to be a mapping with keys such as `flows` and `nlu`")
            elif data.exists() or "flows" in node.keys:
                self._add_data(node, shorten(str(file)))
        if not self._flows:
            self._problems.at(Place(file=shorten(str(data))), "has no flows")

    def _add_data(self, node: Node, file: str) -> None:
        if "test_cases" in node.keys:
            return
        is_domain = any(key in node.keys for key in ("slots", "actions", "session_config"))
        if is_domain:
            # Some projects keep parts of the domain beside their flows and name both folders to `--domain`.
            self._domain.add(_only(node, _DATA_KEYS, without=True))
            self._found["domain_files"].append(file)
        for key in node.keys:
            if key not in _DATA_KEYS and not is_domain:
                self._problems.at(node.keys[key], f"a data file has no key {key!r}", "warning")
        self._domain.add_responses(node)
        self._found["has_rules"] |= "rules" in node.keys
        self._found["has_stories"] |= "stories" in node.keys
        self._add_nlu(node.get("nlu"))
        flows = node.get("flows")
        if flows is None:
            return
        self._found["flow_files"].append(file)
        for flow in read_flows(flows, self._problems):
            first = self._flows.setdefault(flow.id, flow)
            if first is not flow:
                self._problems.at(flow.at, f"flow {flow.id!r} also stands at {first.at}; that one counts")

    def _add_nlu(self, nlu: Node | None) -> None:
        for element in nlu.elements() if nlu is not None else ():
            intent, examples = element.get("intent"), element.get("examples")
            if intent is None or examples is None or not intent.raw:
                continue
            lines = examples.raw.splitlines() if examples.is_scalar else [e.raw for e in examples.elements()]
            texts = [_ENTITY.sub(r"\1", line.strip().removeprefix("-").strip()) for line in lines]
            self._nlu.setdefault(intent.raw, []).extend(text for text in texts if text)

    def _settings(self, name: str, given: Path | None) -> tuple[Mapping[str, Any], str]:
        """Read config.yml or endpoints.yml; the latter often lies beside the assistant's folder, not in it."""
        candidates = [given] if given else [self._root / name, self._root.parent / name]
        path = next((p for p in candidates if p.is_file()), None)
        if path is None:
            return {}, ""
        node = read_tree(path, self._problems)
        if node is None or not node.is_mapping:
            return {}, shorten(str(path))
        return node.plain(), shorten(str(path))

    def _e2e_files(self) -> Iterator[str]:
        for folder in E2E_FOLDERS:
            for file in _yaml_files(self._root / folder):
                # Looked at only for its key: whoever reads the cases reports what is wrong with them.
                node = read_tree(file, Problems())
                if node is not None and "test_cases" in node.keys:
                    yield shorten(str(file))

    def _read_patterns(self, problems: Problems) -> dict[str, Flow]:
        node = read_tree(PATTERNS_FILE, problems)
        flows = node.get("flows") if node is not None else None
        if node is None or flows is None or problems:
            raise RuntimeError(f"{PATTERNS_FILE} cannot be read: {[str(p) for p in problems]}")
        self._domain.add(_only(node, ("flows",), without=True), is_default=True)
        return {flow.id: flow for flow in read_flows(flows, problems, is_default=True)}


def _only(node: Node, keys: tuple[str, ...], *, without: bool) -> Node:
    kept = {key: value for key, value in node.items() if (key in keys) is not without or key == "version"}
    return Node(kept, node.place, keys={key: node.keys[key] for key in kept})


def _yaml_files(folder: Path) -> Iterator[Path]:
    """Yield the YAML files of a folder and those below it, sorted, but none of hidden and of generated folders."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_OURS:
            continue
        if path.is_dir():
            yield from _yaml_files(path)
        elif path.suffix in (".yml", ".yaml"):
            yield path
