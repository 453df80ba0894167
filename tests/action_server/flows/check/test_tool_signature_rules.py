"""Steps that call tools which are known: of the project's own server, of files and of servers that are asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from action_server.config import settings
from action_server.errors import SettingsError
from action_server.flows.check.checking import Report, Request, check
from tests.action_server.flows.check.sample_projects import (
    CALM,
    CODE,
    DOMAIN,
    FLOWS,
    check_files,
    edit,
    lines_of,
    write_files,
)
from tests.action_server.flows.player.mcp_peers import result, told_server

INPUT = "{slot: kind, param: kind}, {slot: amount, param: amount}"
OUTPUT = "{slot: sent, value: result.structuredContent.sent}"
STEP = f"call: action_send\n        mcp_server: own\n        mapping: {{input: [{INPUT}], output: [{OUTPUT}]}}"
ENDPOINTS = """\
action_endpoint: {url: "http://actions:5055/webhook"}
mcp_servers:
  - {name: own, url: "http://actions:5055/mcp", type: http}
  - {name: other, url: "http://elsewhere:80/mcp", type: http}
action_server:
  mcp: {actions: [action_send]}
"""
FILES = edit(CALM, FLOWS, "link: other", STEP) | {"endpoints.yml": ENDPOINTS}
LINE = 22


def check_own(folder: Path, files: dict[str, str], *tools: str, **flags: Any) -> Report:
    with write_files(folder, files) as package:
        given = {"actions": package, "endpoints": folder / "endpoints.yml", "domain": folder / "domain.yml", **flags}
        read = settings.read(given, {})
        return check(Request(Path("."), package, settings=read, tools=tools))


FAULTS: dict[str, tuple[str, str, list[str]]] = {
    "nothing": ("", "", []),
    "a tool that is not there": ("call: action_send", "call: action_sned", ["unknown-tool"]),
    "an action that is not offered": ("call: action_send", "call: action_ask_amount", ["unknown-tool"]),
    "a parameter that is not there": ("param: amount", "param: amuont", ["tool-parameter"]),
    "a key that is not there": ("structuredContent.sent", "structuredContent.snet", ["tool-result"]),
    "a part of a result that is not there": (
        "result.structuredContent.sent",
        "result.structured.sent",
        ["tool-result"],
    ),
    "a method": ("structuredContent.sent", "structuredContent.values", ["tool-result"]),
    "a key beneath a scalar": ("structuredContent.sent", "structuredContent.ok.really", ["tool-result"]),
    "a text in a slot of bools": ("structuredContent.sent", "structuredContent.text", ["tool-type"]),
    "a key that may be there": (
        "{slot: sent, value: result.structuredContent.sent",
        "{slot: kind, value: result.structuredContent.followup_action",
        [],
    ),
    "an expression that ends in a bool": ("structuredContent.sent", "structuredContent.text == 'x'", []),
    "another parameter left out": (", {slot: amount, param: amount}", "", []),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_step_is_held_against_the_tool_of_the_own_server(tmp_path: Path, fault: tuple[str, str, list[str]]) -> None:
    """Each planted fault by rule, and what is right without a word."""
    old, new, expected = fault
    files = edit(FILES, FLOWS, STEP, STEP.replace(old, new)) if old else FILES

    assert [line.partition(" ")[0] for line in lines_of(check_own(tmp_path, files))] == expected


def test_a_finding_names_the_line_and_what_may_be_meant(tmp_path: Path) -> None:
    """The place of the name in the file, and the name that is nearest."""
    files = edit(FILES, FLOWS, "param: amount", "param: amuont")

    [finding] = check_own(tmp_path, files).findings

    assert finding.place.file == FLOWS
    assert finding.place.line == LINE + 2
    assert "did you mean 'amount'?" in finding.message


def test_a_key_that_an_open_answer_may_have_is_a_warning(tmp_path: Path) -> None:
    """Code may set slots that nobody sees in it; a slip of the pen is an error."""
    unseen = edit(FILES, FLOWS, "structuredContent.sent", "structuredContent.amount")
    slip = edit(FILES, FLOWS, "structuredContent.sent", "structuredContent.sentt")

    assert [f.severity for f in check_own(tmp_path, unseen).findings] == ["warning"]
    assert [f.severity for f in check_own(tmp_path, slip).findings] == ["error"]


def test_a_list_is_no_argument_of_a_number(tmp_path: Path) -> None:
    """Our tools read a lot, but not everything: the domain of the server says what they take."""
    files = edit(FILES, DOMAIN, "  sent:\n", "  days:\n    type: list\n  sent:\n")
    files = edit(files, FLOWS, "{slot: amount, param", "{slot: days, param")

    assert [line.partition(" ")[0] for line in lines_of(check_own(tmp_path, files))] == ["tool-type"]


def test_what_a_tool_cannot_do_without_has_to_be_sent(tmp_path: Path) -> None:
    """An author says which those are."""
    schema = "{type: object, properties: {kind: {type: string}}, required: [kind]}"
    offer = f"  mcp: {{actions: [action_send], tools: {{action_send: {{arguments: {schema}}}}}}}"
    files = edit(FILES, "endpoints.yml", "  mcp: {actions: [action_send]}", offer)
    files = edit(files, FLOWS, f"input: [{INPUT}]", "input: []")

    assert [line.partition(" ")[0] for line in lines_of(check_own(tmp_path, files))] == ["tool-parameter"]


@pytest.mark.parametrize(("limit", "expected"), [(8, []), (10, []), (20, ["slow-tool"])])
def test_a_tool_that_outlasts_a_step_is_found(tmp_path: Path, limit: int, expected: list[str]) -> None:
    """Engines give a step 10 s; the action's own limit counts where it is lower."""
    files = edit(FILES, "endpoints.yml", "{actions: [action_send]}", f"{{actions: [action_send], timeout: {limit}}}")

    assert [line.partition(" ")[0] for line in lines_of(check_own(tmp_path, files))] == expected
    assert lines_of(check_own(tmp_path, files, timeout=5.0, queue_timeout=1.0)) == []


def test_tools_that_cannot_be_offered_are_a_finding(tmp_path: Path) -> None:
    """The rest is checked all the same."""
    missing = edit(FILES, "endpoints.yml", "[action_send]", "[action_sned]")
    schema = "{type: object, properties: {kind: {not: {type: string}}}}"
    offer = f"{{actions: [action_send], tools: {{action_send: {{arguments: {schema}}}}}}}"
    unsayable = edit(FILES, "endpoints.yml", "{actions: [action_send]}", offer)

    [one] = check_own(tmp_path, missing).findings
    [other] = check_own(tmp_path, unsayable).findings

    assert (one.rule.id, one.place.key) == ("refused-tool", "action_server.mcp.actions")
    assert other.rule.id == "refused-tool"
    assert other.place.line


def test_without_settings_or_code_nothing_is_known_of_tools(tmp_path: Path) -> None:
    """What nobody knows is no fault."""
    files = edit(FILES, FLOWS, "call: action_send", "call: whatever")
    broken = edit(files, CODE, "from rasa_sdk import Action\n", "import not_there\nfrom rasa_sdk import Action\n")

    assert lines_of(check_files(tmp_path, files)) == []
    assert "unknown-tool" not in " ".join(lines_of(check_own(tmp_path, broken)))


TOOL = {
    "name": "get_weather",
    "inputSchema": {
        "type": "object",
        "properties": {"kind": {"type": "string", "enum": ["big"]}, "n": {"type": "integer"}},
        "required": ["n"],
    },
    "outputSchema": {"type": "object", "properties": {"degrees": {"type": "number"}}, "additionalProperties": False},
}


WEATHER = (
    "call: get_weather\n        mcp_server: other\n        mapping: {input: [{slot: kind, param: kind}], "
    "output: [{slot: amount, value: result.structuredContent.degree}]}"
)


@pytest.mark.parametrize("prefix", ["", "other="])
@pytest.mark.parametrize("wrap", [False, True], ids=["a list", "the result of tools/list"])
def test_tools_of_another_server_come_from_a_file(tmp_path: Path, prefix: str, wrap: bool) -> None:
    """By the server's name, or for all that are not the project's own; strict as others are."""
    (tmp_path / "tools.json").write_text(json.dumps({"tools": [TOOL]} if wrap else [TOOL]), encoding="utf-8")

    found = check_own(tmp_path, edit(FILES, FLOWS, STEP, WEATHER), f"{prefix}tools.json")

    assert sorted((f.rule.id, f.severity) for f in found.findings) == [
        ("tool-parameter", "error"),
        ("tool-result", "error"),
        ("tool-type", "warning"),
    ]


@pytest.mark.parametrize("prefix", ["", "other="])
async def test_tools_of_another_server_come_from_that_server(
    tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the credential that its entry has, where the name is given."""
    monkeypatch.setenv("OTHER_TOKEN", "abc")
    said: list[str | None] = []

    @web.middleware
    async def keep(request: web.Request, handler: Any) -> web.StreamResponse:
        said.append(request.headers.get("Authorization"))
        found: web.StreamResponse = await handler(request)
        return found

    def lists(message: Mapping[str, Any]) -> web.Response:
        return result(message, {"tools": [TOOL]} if message["method"] == "tools/list" else {})

    files = edit(FILES, FLOWS, STEP, WEATHER)
    secret = edit(files, "endpoints.yml", "name: other,", "name: other, token: '${OTHER_TOKEN}',")
    async with told_server(lists, keep) as url:
        found = await asyncio.to_thread(check_own, tmp_path, secret, f"{prefix}{url}")

    assert sorted((f.rule.id, f.severity) for f in found.findings) == [
        ("tool-parameter", "error"),
        ("tool-result", "error"),
        ("tool-type", "warning"),
    ]
    assert set(said) == {"Bearer abc" if prefix else None}


async def test_a_server_without_a_list_of_tools_is_refused(tmp_path: Path) -> None:
    """Its address is said without what may be a key in it; nobody there is said in words."""

    def lists(message: Mapping[str, Any]) -> web.Response:
        return result(message, {"tools": [{"name": "get_weather"}]})

    async with told_server(lists) as url:
        with pytest.raises(SettingsError, match="lists a tool without a name or a schema") as caught:
            await asyncio.to_thread(check_own, tmp_path, FILES, f"{url}?key=secret")
    with pytest.raises(SettingsError, match="does not list its tools: ClientConnectorError"):
        await asyncio.to_thread(check_own, tmp_path, FILES, url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "5", '[{"name": 5}]', '{"tools": {}}'])
def test_a_file_without_tools_is_refused(tmp_path: Path, text: str) -> None:
    """In one line, as wrong usage."""
    (tmp_path / "tools.json").write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=r"tools\.json"):
        check_own(tmp_path, FILES, "tools.json")
