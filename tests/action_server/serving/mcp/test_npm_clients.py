"""The official client in TypeScript lists the tools and calls them, and the official suite finds what it should."""

from __future__ import annotations

from pathlib import Path

from action_server.runtime.tool_options import McpSettings, ToolOptions
from tests import mcp_clients, npm_clients
from tests.action_server.serving.mcp.test_python_clients import NAMES
from tests.action_server.serving.mcp.tool_server import ToolServer, tool_server

NO_RESOURCES = "an action server has tools, no resources"
NO_PROMPTS = "an action server has tools, no prompts"
TEXT_ALONE = "a result is one block of text, as that arrives everywhere"
NO_STREAM = "nothing is sent between a request and its answer: there is no stream, so that any replica answers"
# What the official suite plays and this server does not offer.
NOT_APPLICABLE = {
    "logging-set-level": "the log is the operator's, and clients get none of it",
    "completion-complete": "completion is about prompts and resources",
    "tools-call-image": TEXT_ALONE,
    "tools-call-audio": TEXT_ALONE,
    "tools-call-embedded-resource": TEXT_ALONE,
    "tools-call-mixed-content": TEXT_ALONE,
    "tools-call-with-logging": NO_STREAM,
    "tools-call-with-progress": NO_STREAM,
    "tools-call-sampling": NO_STREAM,
    "tools-call-elicitation": NO_STREAM,
    "elicitation-sep1034-defaults": NO_STREAM,
    "elicitation-sep1330-enums": NO_STREAM,
    "server-sse-polling": NO_STREAM,
    "server-sse-multiple-streams": NO_STREAM,
    "json-schema-2020-12": "no schema has $defs, $schema or additionalProperties: some client loses all tools by each",
    "resources-list": NO_RESOURCES,
    "resources-read-text": NO_RESOURCES,
    "resources-read-binary": NO_RESOURCES,
    "resources-templates-read": NO_RESOURCES,
    "resources-subscribe": NO_RESOURCES,
    "resources-unsubscribe": NO_RESOURCES,
    "prompts-list": NO_PROMPTS,
    "prompts-get-simple": NO_PROMPTS,
    "prompts-get-with-args": NO_PROMPTS,
    "prompts-get-embedded-resource": NO_PROMPTS,
    "prompts-get-with-image": NO_PROMPTS,
}
APPLICABLE = {
    "server-initialize": ["SUCCESS"],
    "ping": ["SUCCESS"],
    "tools-list": ["SUCCESS"],
    "tools-call-simple-text": ["SUCCESS"],
    "tools-call-error": ["SUCCESS"],
    "dns-rebinding-protection": ["SUCCESS", "SUCCESS"],
}
# The suite calls tools of these names.
ITS_NAMES = McpSettings(
    actions=("action_echo", "action_fail"),
    tools={
        "action_echo": ToolOptions(name="test_simple_text"),
        "action_fail": ToolOptions(name="test_error_handling"),
    },
)


# Of 2026-07-28 those that apply, each with the checks that it fails, and why.
NO_INPUT = "a tool never asks back: what it needs are its arguments"
NO_TASKS = "tasks are an extension, and an action ends within its time limit"
FALLS = "a status of 400 and more ends the session of an engine's client with all its calls: errors have HTTP 200"
MODERN: dict[str, dict[str, str]] = {
    "tools-list": {},
    "tools-call-simple-text": {},
    "tools-call-error": {},
    "dns-rebinding-protection": {},
    "server-sse-multiple-streams": {},
    "input-required-result-unsupported-methods": {},
    "input-required-result-validate-input": {},
    "caching": {
        "sep-2549-prompts-list-caching-hints": NO_PROMPTS,
        "sep-2549-resources-list-caching-hints": NO_RESOURCES,
        "sep-2549-resources-templates-list-caching-hints": NO_RESOURCES,
    },
    "http-header-validation": {
        "sep-2243-server-reject-invalid-headers": FALLS,
        "sep-2243-server-reject-error-code": "a header that is missing says nothing else than the body",
    },
    "server-stateless": {
        **dict.fromkeys(
            (
                "sep-2575-http-server-header-mismatch-400",
                "sep-2575-http-server-meta-invalid-400",
                "sep-2575-http-server-method-not-found-404",
                "sep-2575-http-server-method-not-found-404-initialize",
                "sep-2575-http-server-method-not-found-404-logging-setlevel",
                "sep-2575-http-server-method-not-found-404-ping",
                "sep-2575-http-server-method-not-found-404-resources-subscribe",
                "sep-2575-http-server-method-not-found-404-resources-unsubscribe",
                "sep-2575-http-server-unsupported-version-400",
            ),
            FALLS,
        ),
        **dict.fromkeys(
            (
                "sep-2575-request-meta-invalid-missing-client-capabilities",
                "sep-2575-request-meta-invalid-missing-meta",
                "sep-2575-request-meta-invalid-missing-protocol-version",
            ),
            "the version stands in the header as well, and what a client can do is not asked for",
        ),
        **dict.fromkeys(
            ("sep-2575-missing-capability-http-400", "sep-2575-server-rejects-undeclared-capability"), NO_INPUT
        ),
        "sep-2575-http-server-no-independent-requests-on-stream": NO_STREAM,
        "sep-2575-server-no-log-without-loglevel": NOT_APPLICABLE["logging-set-level"],
    },
}
# By how their names begin.
NOT_MODERN = {
    "input-required-result-": NO_INPUT,
    "tasks-": NO_TASKS,
    "resources-": NO_RESOURCES,
    "sep-2164-resource-": NO_RESOURCES,
    "prompts-": NO_PROMPTS,
    "http-custom-header-": "no schema has x-mcp-header: some client loses a tool by each key it does not know",
    "tools-call-with-progress": NO_STREAM,
    "tools-call-": TEXT_ALONE,
    "json-schema-2020-12": NOT_APPLICABLE["json-schema-2020-12"],
    "completion-complete": NOT_APPLICABLE["completion-complete"],
}


async def test_the_official_client_in_typescript_calls_every_tool(tools: ToolServer) -> None:
    """It refuses a whole list for one odd key, and holds each answer against the published schema."""
    engine: mcp_clients.Call = ("action_echo", {"city": "Ulm", "guests": None, "outside": None}, None)
    calls: list[mcp_clients.Call] = [engine, *((name, {}, None) for name in NAMES)]

    spoken, listed, results = await npm_clients.use_typescript_client(tools.url, calls)

    assert spoken == "2025-11-25"
    assert [tool["name"] for tool in listed] == sorted([*NAMES, "action_wait"])
    assert [result for result in results if "raised" in result] == []
    assert results[0]["structuredContent"]["text"] == "Ulm, None, None"
    assert [name for name, result in zip(NAMES, results[1:], strict=True) if result.get("isError")] == ["action_fail"]


async def test_every_scenario_of_the_official_suite_passes_or_says_why_not(tmp_path: Path) -> None:
    """Those about tools and about foreign pages pass; each other one is about what is not offered, and named."""
    async with tool_server(ITS_NAMES) as served:
        found = await npm_clients.check_conformance(served.url, tmp_path)

    assert {name: found.get(name) for name in APPLICABLE} == APPLICABLE
    assert found.keys() - APPLICABLE.keys() == NOT_APPLICABLE.keys()


async def test_what_2026_07_28_requires_passes_or_says_why_not(tmp_path: Path) -> None:
    """By the alpha of the official suite; of a scenario that applies in part, each check that fails is named."""
    async with tool_server(ITS_NAMES) as served:
        found = await npm_clients.check_modern_conformance(served.url, tmp_path)

    assert {name: failed for name, (_, failed) in found.items() if name in MODERN} == {
        name: set(reasons) for name, reasons in MODERN.items()
    }
    assert [name for name in found if name not in MODERN and not name.startswith(tuple(NOT_MODERN))] == []
    assert all(found[name][0] for name in MODERN)
