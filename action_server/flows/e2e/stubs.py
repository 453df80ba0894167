"""Reads `stub_custom_actions:` of a test file: what actions answer in its tests, instead of running."""

from __future__ import annotations

from collections.abc import Iterator

from action_server.flows.e2e.cases import Stub
from action_server.project.fields import Fields
from action_server.project.places import Problems
from action_server.project.yaml_node import Node

STUBS = "stub_custom_actions"
# Between the name of a test case and that of an action: a stub for this case alone.
SEPARATOR = "::"


def entries_of(node: Node | None, key: str, what: str, problems: Problems) -> Iterator[tuple[str, Node]]:
    """Yield the stubs of a mapping, not read yet; ``what`` they are for is said if it is none."""
    if node is not None and not node.is_mapping:
        problems.at(node.place, f"`{key}` has to be a mapping of {what} to answers")
    yield from node.items() if node is not None else ()


def read_stubs(node: Node | None, problems: Problems, key: str = STUBS, what: str = "actions") -> dict[str, Stub]:
    """Return the stubs by their keys as they are written; what is wrong with one is noted."""
    found: dict[str, Stub] = {}
    for name, answer in entries_of(node, key, what, problems):
        fields = Fields(answer, f"the stub {name!r}", problems)
        parts = {kind: [entry.plain() for entry in fields.elements(kind)] for kind in ("events", "responses")}
        fields.note_unknown_keys()
        for part, entries in parts.items():
            if not all(isinstance(entry, dict) for entry in entries):
                problems.at(answer.place, f"{part!r} of the stub {name!r} has to list mappings")
                parts[part] = []
        if any("event" not in event for event in parts["events"]):
            problems.at(answer.place, f"an event of the stub {name!r} does not say which: `event: slot`")
            parts["events"] = []
        found[name] = Stub(parts["events"], parts["responses"])
    return found


def action_of(key: str) -> str:
    """Return the action, tool or sub agent that a key of a stub is for, without the name of a test case."""
    return key.rpartition(SEPARATOR)[2]
