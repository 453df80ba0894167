"""Reads the files of a Rasa project."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from action_server.nearest import did_you_mean
from action_server.project.domain_reader import DomainReader, looks_like_a_domain
from action_server.project.flow_reader import read_flows
from action_server.project.flows import Flow
from action_server.project.mantle import is_mantle
from action_server.project.places import Problems
from action_server.project.project import Project
from action_server.project.yaml_files import SETTINGS_FILES, domain_path, yaml_files
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import Trees
from action_server.source import Place, shorten

PATTERNS_FILE = Path(__file__).parent / "patterns.yml"
# `[Vienna](city)`, `[Vienna]{"entity": "city"}` and `[Vienna][{"entity": "city"}, ...]` in training examples.
_ENTITY = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\}|\[\{.*?\}\])")
_DATA_KEYS = ("version", "nlu", "stories", "rules", "flows", "responses", "regex", "lookup", "synonym")


def read_project(
    root: Path,
    *,
    domain: Path | None = None,
    data: Path | None = None,
    endpoints: Path | None = None,
    trees: Trees | None = None,
) -> Project:
    """Read the project in a folder. The three paths are for projects that keep these parts elsewhere.

    ``trees`` read the files, for whoever looks at them once more. Never raises for what the files hold: that becomes a
    problem.
    """
    return _Reader(root, domain, data, endpoints, trees or Trees()).read()


class _Reader:
    def __init__(
        self, root: Path, domain: Path | None, data: Path | None, endpoints: Path | None, trees: Trees
    ) -> None:
        self._root = root
        self._trees = trees
        # A link below the data may lead to the domain.
        self._read_files: set[str] = set()
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
        config, config_file = self._read_settings("config.yml", None)
        endpoints, endpoints_file = self._read_settings("endpoints.yml", self._endpoints_path)
        own_problems = Problems()
        patterns = self._read_patterns(own_problems)
        if self._flows:
            self._domain.add_language(config.get("language"), config.get("additional_languages"))
        return Project(
            root=str(self._root),
            domain=self._domain.build(),
            flows=self._flows,
            patterns={name: flow for name, flow in patterns.items() if name not in self._flows},
            problems=tuple(self._problems),
            nlu={intent: tuple(examples) for intent, examples in self._nlu.items()},
            config=config,
            config_file=config_file,
            endpoints=endpoints,
            endpoints_file=endpoints_file,
            **self._found,
        )

    def _read_domain(self) -> None:
        path = self._domain_path or domain_path(self._root)
        found = False
        # A folder may hold other files; a file named by its name is a domain whatever it holds.
        for file in [path] if path.is_file() else list(yaml_files(path)):
            node = self._trees.read(file, self._problems)
            self._read_files.add(os.path.realpath(file))
            found = True
            if node is not None and (path.is_file() or looks_like_a_domain(node.keys)):
                self._domain.add(node)
                self._found["domain_files"].append(shorten(str(file)))
        other = self._root / "domain"
        if found and path.is_file() and not self._domain_path and any(True for _ in yaml_files(other)):
            what = f"is not read, as there is {path.name}; engines read the one or the other (`--domain`)"
            self._problems.at(Place(file=shorten(str(other))), what, "warning")
        if not found:
            place = Place(file=shorten(str(self._root)))
            missing = "has no domain: neither domain.yml nor a folder `domain` with YAML files"
            mantle = "is a project of Mantle, of which only `check` reads anything"
            self._problems.at(place, mantle if is_mantle(self._root) else missing)

    def _read_data(self) -> None:
        data = self._data_path or self._root / "data"
        if data.exists():
            files = [data] if data.is_file() else list(yaml_files(data))
        else:
            files = [f for f in yaml_files(self._root) if shorten(str(f)) not in self._found["domain_files"]]
        for file in files:
            if file.name in SETTINGS_FILES or os.path.realpath(file) in self._read_files:
                continue
            node = self._trees.read(file, self._problems)
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
        version = node.get("version")
        if version is not None and not isinstance(version.value, str | None) and not is_domain:
            self._problems.at(version.place, "'version' has to be a text: write it in quotes")
        for key in node.keys:
            if key not in _DATA_KEYS and not is_domain:
                meant = did_you_mean(key, _DATA_KEYS)
                self._problems.at(node.keys[key], f"a data file has no key {key!r}{meant}", "warning")
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

    def _read_settings(self, name: str, given: Path | None) -> tuple[Mapping[str, Any], str]:
        """Read config.yml or endpoints.yml; the latter often lies beside the assistant's folder, not in it."""
        candidates = [given] if given else [self._root / name, self._root.parent / name]
        path = next((p for p in candidates if p.is_file()), None)
        if path is None:
            return {}, ""
        node = self._trees.read(path, self._problems)
        if node is None or not node.is_mapping:
            return {}, shorten(str(path))
        return node.plain(), shorten(str(path))

    def _read_patterns(self, problems: Problems) -> dict[str, Flow]:
        node = self._trees.read(PATTERNS_FILE, problems)
        flows = node.get("flows") if node is not None else None
        if node is None or flows is None or problems:
            raise RuntimeError(f"{PATTERNS_FILE} cannot be read: {[str(p) for p in problems]}")
        self._domain.add(_only(node, ("flows",), without=True), is_default=True)
        return {flow.id: flow for flow in read_flows(flows, problems, is_default=True)}


def _only(node: Node, keys: tuple[str, ...], *, without: bool) -> Node:
    kept = {key: value for key, value in node.items() if (key in keys) is not without or key == "version"}
    return Node(kept, node.place, keys={key: node.keys[key] for key in kept})
