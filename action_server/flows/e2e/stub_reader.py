"""Reads the stubs of a test file: what actions, tools and sub agents answer in its tests, instead of being called.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from action_server.flows.e2e.stubs import SEPARATOR, STUBS, action_of, entries_of, read_stubs
from action_server.project.fields import Fields
from action_server.project.places import Problems
from action_server.project.yaml_node import Node
from action_server.protocol.jsonable import JsonObject
from action_server.source import Place

T = TypeVar("T")


class Stubs:
    """The stubs of one file. A key may begin with a test's name: `the_test::action_x`."""

    def __init__(self, fields: Fields, problems: Problems) -> None:
        self._problems = problems
        self.actions = read_stubs(fields.take(STUBS), problems)
        self.sub_agents = read_stubs(fields.take("stub_sub_agents"), problems, "stub_sub_agents", "sub agents")
        self.tools = dict(self._read_tools(fields.take("stub_tools")))

    def note_strangers(self, cases: Iterable[str], at: Place) -> None:
        """Note the stubs for a test that there is not."""
        known = {spelling for case in cases for spelling in _spellings(case)}
        for key in (*self.actions, *self.sub_agents, *self.tools):
            name, separator, _ = key.partition(SEPARATOR)
            if separator and name and name not in known:
                self._problems.at(at, f"a stub is for the test case {name!r}, which there is not", "warning")

    def _read_tools(self, node: Node | None) -> Iterator[tuple[str, JsonObject]]:
        """Yield the results of tools by `server:tool`."""
        for name, answer in entries_of(node, "stub_tools", "tools", self._problems):
            fields = Fields(answer, f"the stub {name!r}", self._problems)
            found: JsonObject = {"isError": fields.flag("isError")}
            structured = fields.plain("structuredContent")
            content = fields.plain("content", [])
            fields.note_unknown_keys()
            if ":" not in action_of(name):
                self._problems.at(answer.place, f"the stub {name!r} has to be named `server:tool`")
            if structured is not None and not isinstance(structured, dict):
                self._problems.at(answer.place, f"'structuredContent' of the stub {name!r} has to be a mapping")
            if not _is_list_of_mappings(content):
                self._problems.at(answer.place, f"'content' of the stub {name!r} has to list mappings")
            yield name, {**found, "structuredContent": structured, "content": content}


def for_case(stubs: Mapping[str, T], case: str) -> dict[str, T]:
    """Return the stubs for all cases of the file, and over them those for this one."""
    found = {name: stub for name, stub in stubs.items() if SEPARATOR not in name}
    for spelling in _spellings(case):
        prefix = f"{spelling}{SEPARATOR}"
        found |= {name.removeprefix(prefix): stub for name, stub in stubs.items() if name.startswith(prefix)}
    return found


def _spellings(case: str) -> tuple[str, str]:
    # Engines write the spaces of the name as underscores.
    return case, case.replace(" ", "_")


def _is_list_of_mappings(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(entry, dict) for entry in found)
