"""The matrix of clients: what its stand-in for providers says and keeps, and what it takes for a loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from action_server.tools import callers
from benchmarks.clients.environments import CLIENTS, LITELLM_FALLBACK, Client
from benchmarks.clients.formats import Json
from benchmarks.clients.page import page_of, worse_than_known
from benchmarks.clients.provider import Kept, name_of, provider
from benchmarks.clients.readings import BOOK, PROBE, Row, plan_of, row_of

SCHEMA: Json = {
    "type": "object",
    "properties": {
        "kind": {
            "anyOf": [{"type": "string", "enum": ["small", "large"]}, {"type": "null"}],
            "description": "Which one. One of: small, large.",
        }
    },
}
GOOD = Row(6, 6, (), "ok", "ok", "ok", "ok", "ok", 1)
SEEN = "word={}|kind={}|flag={}|count={}|items={}|thing={}"
TOLD = [
    '{"booking_reference": "APT-1"}',
    '{"booking_reference": "APT-1"}',
    json.dumps({"probe_seen": SEEN.format("Ulm", "small", True, 5.0, "a+b", 7.0)}),
    json.dumps({"probe_seen": SEEN.format(*["nothing"] * 6)}),
    json.dumps({"probe_seen": SEEN.format("", *["nothing"] * 5)}),
    '{"ok": false, "error": "kind has to be one of small, large; count has to be a number"}',
]
CALL = {"name": "book", "description": "Book.", "parameters": SCHEMA}
FUNCTION = {"type": "function", "function": CALL}
BEDROCK = {"toolSpec": {"name": "book", "description": "Book.", "inputSchema": {"json": SCHEMA}}}

# An interface's path, a request with a tool and two answers, and where the call stands in what is said to it.
SPOKEN: dict[str, tuple[str, Json, Callable[[Any], tuple[str, Any]]]] = {
    "chat": (
        "v1/chat/completions",
        {"tools": [FUNCTION], "messages": [{"role": "tool", "content": text} for text in ("one", "two")]},
        lambda said: _chat_call(said["choices"][0]["message"]["tool_calls"][0]["function"]),
    ),
    "responses": (
        "v1/responses",
        {
            "tools": [{"type": "function", **CALL}],
            "input": [{"type": "function_call_output", "output": text} for text in ("one", "two")],
        },
        lambda said: _chat_call(said["output"][0]),
    ),
    "anthropic": (
        "v1/messages",
        {
            "tools": [{"name": "book", "description": "Book.", "input_schema": SCHEMA}],
            "messages": [{"content": [{"type": "tool_result", "content": text} for text in ("one", "two")]}],
        },
        lambda said: (said["content"][0]["name"], said["content"][0]["input"]),
    ),
    "google": (
        "v1beta/models/m:generateContent",
        {
            "tools": [{"functionDeclarations": [CALL]}],
            "contents": [{"parts": [{"functionResponse": {"response": text}} for text in ("one", "two")]}],
        },
        lambda said: tuple(said["candidates"][0]["content"]["parts"][0]["functionCall"].values()),
    ),
    "bedrock": (
        "model/m/converse",
        {
            "toolConfig": {"tools": [BEDROCK]},
            "messages": [{"content": [{"toolResult": {"content": text}} for text in ("one", "two")]}],
        },
        lambda said: _bedrock_call(said["output"]["message"]["content"][0]["toolUse"]),
    ),
    "ollama": (
        "api/chat",
        {"tools": [FUNCTION], "messages": [{"role": "tool", "content": text} for text in ("one", "two")]},
        lambda said: tuple(said["message"]["tool_calls"][0]["function"].values()),
    ),
}


def _chat_call(function: Json) -> tuple[str, Any]:
    return function["name"], json.loads(function["arguments"])


def _bedrock_call(asked: Json) -> tuple[str, Any]:
    return asked["name"], asked["input"]


@pytest.mark.parametrize("name", SPOKEN)
async def test_the_stand_in_keeps_what_it_is_sent_and_asks_for_the_next_tool(name: str) -> None:
    """The plan goes on behind the answers that the request holds, and ends when there is one to each."""
    path, request, call_in = SPOKEN[name]
    async with provider() as models, aiohttp.ClientSession() as session:
        models.plans["me"] = [("book", {}), ("book", {}), ("list", {"day": None})]
        async with session.post(f"{models.url}/me/{path}", json=request) as response:
            said = await response.json()
        models.plans["me"] = models.plans["me"][:2]
        async with session.post(f"{models.url}/me/{path}", json=request) as response:
            end = await response.text()
        async with session.post(f"{models.url}/me/refused/{path}", json=request) as response:
            status = response.status

    assert call_in(said) == ("list", {"day": None})
    assert "Done." in end
    assert status == 503
    assert models.kept["me"].answers == ["one", "two"]
    assert models.kept["me"].schemas == {"book": {**SCHEMA, "description": "Book."}}


def test_what_arrives_as_it_was_offered_is_good() -> None:
    """In JSON Schema, or as a mark where the interface has one."""
    kind = SCHEMA["properties"]["kind"]
    marked = {"type": "STRING", "enum": ["small", "large"], "nullable": True, "description": kind["description"]}
    offered = dict.fromkeys((BOOK, PROBE), SCHEMA)

    assert row_of(offered, Kept(offered, TOLD), 1) == replace(GOOD, tools=2, offered=2)
    assert row_of(offered, Kept(_with_kind(marked), TOLD, has_nullable=True), 1).lost == ()
    assert row_of(offered, Kept(_with_kind(marked), TOLD), 1).lost == ("null",)


def _with_kind(kind: Json) -> dict[str, Json]:
    return {PROBE: {"type": "object", "properties": {"kind": kind}}}


TEXT: Json = {"type": "string", "description": "Which one. One of: small, large."}
LOSSES: list[tuple[Json, tuple[str, ...]]] = [
    ({**TEXT, "enum": ["small", "large"]}, ("null",)),
    ({"anyOf": [{"type": "string"}, {"type": "null"}], "description": TEXT["description"]}, ("values",)),
    ({"description": TEXT["description"]}, ("type", "values", "null")),
    ({"type": ["string", "null"], "enum": ["small", "large"]}, ("description",)),
]


@pytest.mark.parametrize(("kind", "lost"), LOSSES, ids=["null", "values", "all but the words", "the words"])
def test_what_is_lost_of_an_argument_is_named(kind: Json, lost: tuple[str, ...]) -> None:
    """Whatever the spelling of what is left."""
    assert row_of({PROBE: SCHEMA}, Kept(_with_kind(kind), TOLD), 1).lost == lost


def test_an_argument_that_is_gone_and_a_tool_that_is_gone_are_losses() -> None:
    """Of the argument everything is lost; the tool is not counted."""
    gone = {PROBE: {"type": "object", "properties": {}}}
    row = row_of({PROBE: SCHEMA, BOOK: SCHEMA}, Kept(gone, TOLD), 1)

    assert row.lost == ("type", "values", "null", "description")
    assert (row.tools, row.offered) == (1, 2)


def test_a_tool_whose_own_description_is_gone_is_a_loss() -> None:
    """A model chooses tools by it."""
    told = {PROBE: {**SCHEMA, "description": "Tell what arrived."}}
    untold = {PROBE: {**SCHEMA, "description": None}}

    assert row_of(told, Kept(told, TOLD), 1).lost == ()
    assert row_of(told, Kept(untold, TOLD), 1).lost == ("the tool's description",)


def test_a_tool_may_be_offered_with_the_servers_name_before_it() -> None:
    """It arrives all the same, and is asked for by that name."""
    assert name_of(PROBE, ["clinic_action_probe", "clinic_action_probe_again"]) == "clinic_action_probe"
    assert name_of(PROBE, ["clinic-action_probe"]) == "clinic-action_probe"
    assert name_of(PROBE, ["other_action_probe", PROBE]) == PROBE
    assert name_of(PROBE, ["reaction_probe"]) is None
    assert row_of({PROBE: SCHEMA}, Kept({f"clinic_{PROBE}": SCHEMA}, TOLD), 1).tools == 1


ANSWERS: list[tuple[int, str, str, str]] = [
    (0, '{"ok": true}', "shown", "no reference"),
    (1, '{"booking_reference": "APT-2"}', "shown", "two references"),
    (2, SEEN.format("Ulm", "small", "true", 5, "a+b", 7), "value", "Ulm|small|true|5|a+b|7"),
    (3, SEEN.format("None", *["nothing"] * 5), "null", "None|nothing|nothing|nothing|nothing|nothing"),
    (4, "an error", "empty", "an error"),
    (4, "flag has to be a boolean, count a number", "empty", "told"),
    (5, '{"ok": false, "error": "kind is wrong"}', "wrong", '{"ok": false, "error": "kind is wrong"}'),
]


@pytest.mark.parametrize(("number", "text", "cell", "said"), ANSWERS, ids=[a[2] + a[3][:5] for a in ANSWERS])
def test_an_answer_that_is_not_as_it_should_be_is_shown_in_its_cell(
    number: int, text: str, cell: str, said: str
) -> None:
    """With what came instead; a call that was never made is nothing."""
    told = [*TOLD[:number], text, *TOLD[number + 1 :]]

    assert getattr(row_of({PROBE: SCHEMA}, Kept({PROBE: SCHEMA}, told), 1), cell) == said
    assert row_of({PROBE: SCHEMA}, Kept({PROBE: SCHEMA}, TOLD[:2]), 1).value == "nothing"


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"tools": 5}, "5 of 6 tools"),
    ({"lost": ("null",)}, "loses null"),
    ({"value": "5"}, "value: 5"),
    ({"wrong": "nothing"}, "wrong: nothing"),
    ({"bookings": 2}, "2 bookings"),
    ({"problem": "it did not end"}, "it did not end"),
]


@pytest.mark.parametrize(("change", "said"), FAULTS, ids=[f[1] for f in FAULTS])
def test_a_cell_that_is_worse_than_known_fails_the_matrix(change: dict[str, Any], said: str) -> None:
    """And one that is known does not."""
    client = _client(callers.PYTHON_1)

    assert list(worse_than_known(client, GOOD)) == []
    assert list(worse_than_known(client, replace(GOOD, **change))) == [f"{client.key}: {said}"]


def test_what_is_known_of_a_client_is_no_fault() -> None:
    """The rules of `tools --check`, and what no rule can say of one client."""
    lost = replace(GOOD, lost=("type", "values", "null"))

    assert list(worse_than_known(_client(callers.LANGCHAIN_JS), lost)) == []
    assert list(worse_than_known(_client(LITELLM_FALLBACK), replace(GOOD, lost=("null",)))) == []
    assert list(worse_than_known(_client(LITELLM_FALLBACK), lost)) != []


def test_a_client_that_checks_arguments_itself_may_refuse_an_empty_text() -> None:
    """It tells the model, which asks again; any other client has to let it through."""
    told = replace(GOOD, empty="told")

    assert list(worse_than_known(_client(callers.MASTRA), told)) == []
    assert list(worse_than_known(_client(callers.PYTHON_1), told)) == ["mcp-Python: empty: told"]


def _client(caller: callers.Caller) -> Client:
    return next(client for client in CLIENTS if client.caller == caller)


def test_every_client_has_a_name_a_version_of_each_package_and_a_program() -> None:
    """So that a run can be repeated."""
    assert len({client.key for client in CLIENTS}) == len(CLIENTS)
    assert [p for c in CLIENTS for p in c.packages if not p.partition("==" if c.is_python else "@")[2]] == []
    assert [c.key for c in CLIENTS for p in c.packages if not any(d.isdigit() for d in p.rpartition("@")[2])] == []


def test_the_page_has_a_line_for_each_client_and_what_nobody_can_mend() -> None:
    """With its version."""
    page = page_of(dict.fromkeys(CLIENTS, GOOD))

    assert [c.key for c in CLIENTS if f"| {c.caller.name} | {c.caller.version} | 6/6 |" not in page] == []
    assert "- langchain.js 1.1.4 loses null, type, values." in page


def test_the_plan_books_twice_and_sends_every_kind_of_value() -> None:
    """The same booking, so that one is made."""
    plan = plan_of("ada@example.org", "2026-12-01")

    assert plan[0] == plan[1]
    assert [tool for tool, _ in plan] == [BOOK, BOOK, *[PROBE] * 4]
