"""What keeps an engine from calling tools is found in its endpoints file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from action_server.findings.finding import Finding
from tests.action_server.doctor.bots import OPEN, examine_bot, ids

GOOD = {"name": "clinic", "type": "http", "url": "http://localhost:5055/mcp", "tool_timeout": 60}
SECRET = "s3cret-value"

SERVERS: list[tuple[str, Mapping[str, Any], list[str]]] = [
    ("nothing", {"token": "${TOKEN}"}, []),
    ("no type", {"type": None}, ["mcp-type"]),
    ("the type of a local process", {"type": "stdio"}, ["mcp-type"]),
    ("a token", {"token": SECRET}, ["mcp-secret"]),
    ("a key with a variable in it", {"api_key": f"{SECRET}${{X}}"}, ["mcp-secret"]),
    ("a secret of OAuth", {"oauth": {"client_id": "a", "client_secret": SECRET}}, ["mcp-secret"]),
    ("variables of OAuth", {"oauth": {"client_id": "a", "client_secret": "${X}"}}, []),
    ("the webhook's address", {"url": "http://localhost:5055/webhook"}, ["mcp-url"]),
    ("an address without a path", {"url": "http://localhost:5055"}, ["mcp-url"]),
    ("a slash at the end", {"url": "http://localhost:5055/mcp/"}, []),
    ("another server's path", {"url": "http://elsewhere.example/tools"}, []),
]


@pytest.mark.parametrize(("changes", "rules"), [s[1:] for s in SERVERS], ids=[s[0] for s in SERVERS])
def test_in_an_mcp_server_the_doctor_finds(bot: Path, changes: Mapping[str, Any], rules: list[str]) -> None:
    """Each planted fault, by its rule, and nothing else; a secret is in no finding."""
    found = examine_bot(bot, {"action_endpoint": OPEN, "mcp_servers": [{**GOOD, **changes}, "no mapping"]})

    assert ids(found) == rules
    assert SECRET not in str(found)


def test_the_doctor_names_a_tool_that_a_caller_would_lose(bot: Path) -> None:
    """With the caller, its version and why, at the action; a tool that all take is not mentioned."""

    def found(description: str) -> list[Finding]:
        offer = {"actions": ["*"], "tools": {"*": {"description": description}}}
        every = examine_bot(bot, {"action_endpoint": OPEN, "action_server": {"mcp": offer}})
        return [finding for finding in every if finding.rule.id == "tool-lost"]

    assert found("Short.") == []
    lost = found("x" * 1100)
    assert {finding.severity for finding in lost} == {"error"}
    assert any("litellm openai 1.101.0 would lose all tools" in finding.message for finding in lost)
    assert all(finding.place.line for finding in lost)
