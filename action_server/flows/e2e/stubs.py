"""Reads `stub_custom_actions:` of a test file: what actions answer in its tests, instead of running.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from action_server.flows.e2e.cases import Stub
from action_server.project.fields import Fields, did_you_mean
from action_server.project.places import Problems
from action_server.project.yaml_node import Node

STUBS = "stub_custom_actions"
# Between the name of a test case and that of an action: a stub for this case alone.
SEPARATOR = "::"
# Names, events and keys that the schema of tests knows.
_NAME = re.compile(r"[a-zA-Z_]+([a-zA-Z0-9_]*::?)*[a-zA-Z0-9_]*")
EVENTS = frozenset(
    [
        "user",
        "bot",
        "slot",
        "session_started",
        "action",
        "reset_slots",
        "restart",
        "reminder",
        "cancel_reminder",
        "pause",
        "resume",
        "followup",
        "export",
        "undo",
        "rewind",
        "entities",
        "active_loop",
        "agent",
        "loop_interrupted",
        "action_execution_rejected",
    ]
)
EVENT_KEYS = frozenset(
    [
        "event",
        "timestamp",
        "metadata",
        "text",
        "parse_data",
        "input_channel",
        "data",
        "name",
        "value",
        "entities",
        "intent",
        "kill_on_user_message",
        "date_time",
        "policy",
        "confidence",
        "is_interrupted",
    ]
)
RESPONSE_KEYS = frozenset(["text", "buttons", "response", "image", "attachment", "elements", "custom"])
BUTTON_KEYS = frozenset(("title", "payload"))


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
        if key == STUBS and not _NAME.fullmatch(name):
            problems.at(answer.place, f"the stub {name!r} has a name with other signs than letters, digits and _")
        for part, entries in parts.items():
            if not all(isinstance(entry, dict) for entry in entries):
                problems.at(answer.place, f"{part!r} of the stub {name!r} has to list mappings")
                parts[part] = []
        for event in parts["events"]:
            kind = event.get("event")
            if kind not in EVENTS:
                said = (
                    f"an event {kind!r}, which there is not"
                    if kind
                    else "an event that does not say which: `event: slot`"
                )
                problems.at(answer.place, f"the stub {name!r} has {said}")
        _check_keys(parts["events"], EVENT_KEYS, f"an event of the stub {name!r}", answer, problems)
        _check_keys(parts["responses"], RESPONSE_KEYS, f"a response of the stub {name!r}", answer, problems)
        for response in parts["responses"]:
            buttons = [button for button in response.get("buttons") or () if isinstance(button, dict)]
            _check_keys(buttons, BUTTON_KEYS, f"a button of the stub {name!r}", answer, problems)
        found[name] = Stub(parts["events"], parts["responses"])
    return found


def _check_keys(
    entries: Collection[dict[str, Any]], known: Collection[str], what: str, node: Node, problems: Problems
) -> None:
    for key in dict.fromkeys(key for entry in entries for key in entry if key not in known):
        problems.at(node.place, f"{what} has no key {key!r}{did_you_mean(key, known)}")


def action_of(key: str) -> str:
    """Return the action, tool or sub agent that a key of a stub is for, without the name of a test case."""
    return key.rpartition(SEPARATOR)[2]
