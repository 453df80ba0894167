"""Reads the stubs of a test file: what actions, tools and sub agents answer in its tests, instead of being called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from action_server.flows.e2e.cases import Stub
from action_server.project.fields import Fields
from action_server.project.places import Problems
from action_server.project.yaml_tree import Node
from action_server.protocol.jsonable import JsonObject
from action_server.source import Place

T = TypeVar("T")
_SEPARATOR = "::"


class Stubs:
    """The stubs of one file. A key may begin with a test's name: `the_test::action_x`."""

    def __init__(self, fields: Fields, problems: Problems) -> None:
        self._problems = problems
        self.actions = self._read_stubs(fields.take("stub_custom_actions"), "stub_custom_actions", "actions")
        self.sub_agents = self._read_stubs(fields.take("stub_sub_agents"), "stub_sub_agents", "sub agents")
        self.tools = dict(self._read_tools(fields.take("stub_tools")))

    def note_strangers(self, cases: Iterable[str], at: Place) -> None:
        """Note the stubs for a test that there is not."""
        known = {spelling for case in cases for spelling in _spellings(case)}
        for key in (*self.actions, *self.sub_agents, *self.tools):
            name, separator, _ = key.partition(_SEPARATOR)
            if separator and name and name not in known:
                self._problems.at(at, f"a stub is for the test case {name!r}, which there is not", "warning")

    def _read_stubs(self, node: Node | None, key: str, what: str) -> dict[str, Stub]:
        return {name: self._read_stub(name, answer) for name, answer in self._entries(node, key, what)}

    def _read_stub(self, name: str, answer: Node) -> Stub:
        fields = Fields(answer, f"the stub {name!r}", self._problems)
        parts = {key: [part.plain() for part in fields.elements(key)] for key in ("events", "responses")}
        fields.note_unknown_keys()
        for key, entries in parts.items():
            if not all(isinstance(entry, dict) for entry in entries):
                self._problems.at(answer.place, f"{key!r} of the stub {name!r} has to list mappings")
                parts[key] = []
        if any("event" not in event for event in parts["events"]):
            self._problems.at(answer.place, f"an event of the stub {name!r} does not say which: `event: slot`")
            parts["events"] = []
        return Stub(parts["events"], parts["responses"])

    def _read_tools(self, node: Node | None) -> Iterator[tuple[str, JsonObject]]:
        """Yield the results of tools by `server:tool`."""
        for name, answer in self._entries(node, "stub_tools", "tools"):
            fields = Fields(answer, f"the stub {name!r}", self._problems)
            found: JsonObject = {"isError": fields.flag("isError")}
            structured = fields.plain("structuredContent")
            content = fields.plain("content", [])
            fields.note_unknown_keys()
            if ":" not in name.rpartition(_SEPARATOR)[2]:
                self._problems.at(answer.place, f"the stub {name!r} has to be named `server:tool`")
            if structured is not None and not isinstance(structured, dict):
                self._problems.at(answer.place, f"'structuredContent' of the stub {name!r} has to be a mapping")
            if not _is_list_of_mappings(content):
                self._problems.at(answer.place, f"'content' of the stub {name!r} has to list mappings")
            yield name, {**found, "structuredContent": structured, "content": content}

    def _entries(self, node: Node | None, key: str, what: str) -> Iterator[tuple[str, Node]]:
        if node is not None and not node.is_mapping:
            self._problems.at(node.place, f"`{key}` has to be a mapping of {what} to answers")
        yield from node.items() if node is not None else ()


def for_case(stubs: Mapping[str, T], case: str) -> dict[str, T]:
    """Return the stubs for all cases of the file, and over them those for this one."""
    found = {name: stub for name, stub in stubs.items() if _SEPARATOR not in name}
    for spelling in _spellings(case):
        prefix = f"{spelling}{_SEPARATOR}"
        found |= {name.removeprefix(prefix): stub for name, stub in stubs.items() if name.startswith(prefix)}
    return found


def _spellings(case: str) -> tuple[str, str]:
    # Engines write the spaces of the name as underscores.
    return case, case.replace(" ", "_")


def _is_list_of_mappings(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(entry, dict) for entry in found)
