"""What flows and slots name: steps, flows, actions, responses, forms, tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.engine.projects import flow, refusals
from tests.action_server.flows.engine.rows import Row, each

_EVERY_TURN = "slots: {{n: {{type: text, mappings: [{{type: controlled, run_action_every_turn: {}}}]}}}}"
_LOOP = "slots: {{n: {{type: text, mappings: [{{type: from_llm, conditions: [{{active_loop: {}}}]}}]}}}}"
# Flows, one in a line, and more of the domain; whether an engine takes them.
NAMES = [
    Row("a next to START", [flow("{collect: kind, next: START}")], True),
    Row("a flow that calls itself", [flow("{collect: kind}, {call: main}")], False),
    Row(
        "flows that call each other",
        [flow("{collect: kind}, {call: b}"), "b: {description: b, steps: [{collect: ok}, {call: main}]}"],
        False,
    ),
    Row("a flow that links to itself", [flow("{collect: kind}, {link: main}")], True),
    Row("a call of nobody", [flow("{collect: kind}, {call: nobody}")], True),
    Row("a call of nobody with exit_if", [flow("{call: nobody, exit_if: [slots.ok]}")], True),
    Row("exit_if at a slot that is not there", [flow("{call: nobody, exit_if: [slots.nobody]}")], False),
    Row("exit_if at no slot", [flow("{call: nobody, exit_if: ['1 < 2']}")], False),
    Row("a question in words that are not there", [flow("{collect: kind, utter: utter_nobody}")], False),
    Row(
        "a question in words that are not there, beside an action",
        [flow("{collect: unasked, utter: utter_nobody}")],
        True,
    ),
    Row("an action that starts a flow", [flow("{action: flow_other}")], True),
    Row("an action that starts no flow", [flow("{action: flow_nobody}")], False),
    Row("an action that the context names", [flow("{action: '{context.utter}'}")], True),
    Row("an action that the context names, by Jinja", [flow("{action: '{{context.utter}}'}")], True),
    Row("an action that the context names, with space", [flow("{action: '{{ context.utter }}'}")], False),
    Row("an action that a slot names", [flow("{action: '{slots.word}'}")], False),
    Row("an action of the engine's own", [flow("{action: action_restart}")], True),
    Row("a slot's name with a space", [flow("{collect: 'my slot'}")], False),
    Row("a slot's name that begins with a digit", [flow("{collect: 1st}")], False),
    Row(
        "two flows whose ids are one name",
        [
            flow("{collect: kind}"),
            "a_b: {description: x, steps: [{collect: ok}]}",
            "a-b: {description: y, steps: [{collect: ok}]}",
        ],
        False,
    ),
    Row(
        "a flow in the words of another's id",
        [
            flow("{collect: kind}"),
            "a_b: {description: x, steps: [{collect: ok}]}",
            "c: {name: a b, description: y, steps: [{collect: ok}]}",
        ],
        False,
    ),
]
# More of a domain; whether an engine takes it.
DOMAINS = [
    Row("an action every turn", _EVERY_TURN.format("action_ask_asked"), True),
    Row("an action every turn that is not listed", _EVERY_TURN.format("action_nobody"), False),
    Row("a mapping within a form", _LOOP.format("a_form") + "\nforms: {a_form: {required_slots: [n]}}", True),
    Row("a mapping within no form", _LOOP.format("a_form"), False),
    Row("a mapping outside of forms", _LOOP.format("null"), True),
    Row("a form with a slot that is not there", "forms: {a_form: {required_slots: [nobody]}}", False),
]
_SERVERS = {"endpoints.yml": "mcp_servers: [{name: s, url: 'http://a/mcp', type: http}]"}
_IN, _OUT = "input: [{slot: word, param: p}]", "output: [{slot: word, value: result.structuredContent.x}]"
# The mapping of a step that calls a tool of the server s, and more of the step; whether an engine takes it.
CALLS = [
    Row("a call of a tool", ("s", f"{_IN}, {_OUT}", ""), True),
    Row("nothing that is sent", ("s", f"input: [], {_OUT}", ""), True),
    Row("no input", ("s", _OUT, ""), False),
    Row("no output", ("s", _IN, ""), False),
    Row("an unknown key of a mapping", ("s", f"{_IN}, {_OUT}, colour: red", ""), False),
    Row("an unknown key of what is sent", ("s", f"{_IN.replace('param: p', 'param: p, kind: a')}, {_OUT}", ""), False),
    Row("a number for a parameter", ("s", f"{_IN.replace('param: p', 'param: 5')}, {_OUT}", ""), False),
    Row("no parameter", ("s", f"input: [{{slot: word}}], {_OUT}", ""), False),
    Row("a slot that is not there", ("s", f"{_IN.replace('word', 'nobody')}, {_OUT}", ""), False),
    Row("a slot that is not there, for a result", ("s", f"{_IN}, {_OUT.replace('word', 'nobody')}", ""), False),
    Row("a server that is not there", ("t", f"{_IN}, {_OUT}", ""), False),
    Row("exit_if beside it", ("s", f"{_IN}, {_OUT}", ", exit_if: [slots.ok]"), False),
]
MORE = "actions: [action_ask_unasked]"


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@each(NAMES)
def test_names_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """A call of nobody may be one of a sub agent, as long as there are none."""
    assert (refusals(tmp_path, row.given, MORE) == []) is row.engine


@each(DOMAINS)
def test_names_in_domains_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """Actions and forms that mappings name, slots that forms name."""
    assert (refusals(tmp_path, [flow("{collect: kind}")], row.given) == []) is row.engine


@each(CALLS)
def test_calls_of_tools_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """Their mapping has exactly its keys, and slots that there are."""
    server, mapping, more = row.given
    steps = f"{{call: a_tool, mcp_server: {server}, mapping: {{{mapping}}}{more}}}"

    assert (refusals(tmp_path, [flow(steps)], extra=_SERVERS) == []) is row.engine
