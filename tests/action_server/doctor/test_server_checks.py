"""Planted faults in the server's settings, its tracing and its package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import rasa_sdk

from tests.action_server.doctor.bots import OPEN, examine_bot, ids
from tests.projects import project

SLOW = """
    from rasa_sdk import Action
    from action_server import action_options

    @action_options(timeout=90)
    class ActionSlow(Action):
        def name(self):
            return "action_slow"

        def run(self, dispatcher, tracker, domain):
            return []
"""


# The flags of the server, and all rules that find something.
SETTINGS: list[tuple[str, Mapping[str, Any], list[str]]] = [
    ("an open door", {"host": "0.0.0.0"}, ["public-without-auth"]),  # noqa: S104
    ("the longest timeout", {"timeout": 300}, ["timeout-engine"]),
    ("a long timeout", {"timeout": 61}, ["timeout-lock"]),
    ("a long timeout of one", {"action_options": {"action_*": {"timeout": 61}}}, ["timeout-lock"]),
    ("a long queue", {"queue_timeout": 31}, ["queue-timeout"]),
    ("a long grace", {"grace": 26}, ["grace-kubernetes"]),
    ("a long delay before it", {"drain_delay": 6.0, "grace": 25}, ["grace-kubernetes"]),
    ("both within half a minute", {"drain_delay": 5.0, "grace": 25}, []),
    ("small requests", {"max_request_bytes": 1_000_000}, ["request-size"]),
]


@pytest.mark.parametrize(("flags", "rules"), [s[1:] for s in SETTINGS], ids=[s[0] for s in SETTINGS])
def test_in_the_settings_the_doctor_finds(bot: Path, flags: Mapping[str, Any], rules: list[str]) -> None:
    """Each planted fault, by its rule, and nothing else."""
    assert ids(examine_bot(bot, {"action_endpoint": OPEN}, flags=flags)) == rules


def test_the_open_door_everybody_begins_with_is_no_finding_until_it_matters(bot: Path) -> None:
    """With the engine on this machine the start of the server says it; a line in every project is read by nobody."""
    far = {"url": "http://actions.example:5055/webhook"}

    assert ids(examine_bot(bot, {"action_endpoint": OPEN}, flags={"host": None})) == []
    assert ids(examine_bot(bot, {"action_endpoint": far}, flags={"host": None})) == ["public-without-auth"]
    chosen = {"action_endpoint": OPEN, "action_server": {"host": "0.0.0.0"}}  # noqa: S104 - the fault
    assert ids(examine_bot(bot, chosen, flags={"host": None})) == ["public-without-auth"]


OURS = {"type": "http", "url": "http://localhost:5055/mcp"}
SLOW_TOOLS = {"actions": ["*"], "timeout": 20}
TOOLS: list[tuple[str, Mapping[str, Any], Mapping[str, Any], list[str]]] = [
    ("of this server", OURS, {"mcp": SLOW_TOOLS}, ["timeout-tool"]),
    ("with more time", {**OURS, "tool_timeout": 30}, {"mcp": SLOW_TOOLS}, []),
    ("as it is by itself", OURS, {"mcp": {"actions": ["*"]}}, []),
    ("one slow tool", OURS, {"mcp": {"actions": ["*"], "tools": {"*": {"timeout": 11}}}}, ["timeout-tool"]),
    ("cut by the action's own limit", OURS, {"mcp": SLOW_TOOLS, "timeout": 9, "queue_timeout": 5}, []),
    ("that offers none", OURS, {"mcp": {"timeout": 20}}, []),
    ("of another server", {"type": "http", "url": "http://localhost:8000/mcp"}, {"mcp": SLOW_TOOLS}, []),
    ("of no server", {"name": "x", "type": "http"}, {"mcp": SLOW_TOOLS}, []),
]


@pytest.mark.parametrize(("entry", "settings", "rules"), [t[1:] for t in TOOLS], ids=[t[0] for t in TOOLS])
def test_an_engine_that_waits_for_a_tool_for_less_than_it_may_take_is_found(
    bot: Path, entry: Mapping[str, Any], settings: Mapping[str, Any], rules: list[str]
) -> None:
    """The webhook has 300 s, the same action as a tool has 10, and is cut at 8 unless something else is set."""
    content = {"action_endpoint": OPEN, "mcp_servers": [entry], "action_server": settings}

    assert ids(examine_bot(bot, content)) == rules


TRACING: list[tuple[str, Any, list[str]]] = [
    ("an unknown type", {"type": "zipkin"}, ["tracing-type"]),
    ("no mapping", "jaeger", ["tracing-type"]),
    ("no endpoint", {"type": "otlp"}, ["tracing-endpoint"]),
    ("otlp", {"type": "otlp", "endpoint": "localhost:4317"}, []),
    ("jaeger", {"type": "jaeger"}, []),
]


@pytest.mark.parametrize(("block", "rules"), [t[1:] for t in TRACING], ids=[t[0] for t in TRACING])
def test_in_tracing_the_doctor_finds(bot: Path, block: object, rules: list[str]) -> None:
    """What rasa-sdk's tracing does with the block."""
    assert ids(examine_bot(bot, {"action_endpoint": OPEN, "tracing": block})) == rules


def test_a_long_timeout_in_the_code_is_found_with_its_line(folder: Path) -> None:
    """What an author wrote with `@action_options`."""
    project(folder, {"actions.py": SLOW})

    found = examine_bot(folder, {"action_endpoint": OPEN})

    assert [(f.rule.id, f.place.exact) for f in found] == [("timeout-lock", "actions.py:5")]


BROKEN: list[tuple[str, str, str, str]] = [
    ("a module that is missing", "import nowhere_to_be_found", "actions.py:1", "nowhere_to_be_found"),
    ("a wrong syntax", "x = 1\nx = = 2", "actions.py:2", "SyntaxError"),
    ("an error", "x = 1\nraise ValueError('S3CR3T')", "actions.py:2", "raises ValueError"),
    ("a wrong hook", "def register_actions(r):\n    raise ValueError('S3CR3T')", "actions.py:1", "raises ValueError"),
]


@pytest.mark.parametrize(("source", "place", "problem"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_package_that_does_not_import_is_found_with_its_line(
    folder: Path, source: str, place: str, problem: str
) -> None:
    """The text of an error that is not about modules or syntax may quote anything, and is left out."""
    project(folder, {"actions.py": source})

    (finding,) = examine_bot(folder, {"action_endpoint": OPEN})

    assert (finding.rule.id, finding.place.exact) == ("actions-import", place)
    assert problem in finding.message
    assert "S3CR3T" not in finding.message


def test_another_rasa_sdk_is_found(bot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only 3.21 is tested."""
    monkeypatch.setattr(rasa_sdk, "__version__", "3.22.0")

    assert ids(examine_bot(bot, {"action_endpoint": OPEN})) == ["sdk-version"]
