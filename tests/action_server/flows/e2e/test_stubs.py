"""Tools and sub agents are played by the stubs of a test."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from action_server.errors import SettingsError
from tests.action_server.flows.cafe import Cafe, open_cafe

FLOWS = """
flows:
  reserve:
    name: reserve a table
    description: Reserve a table.
    steps:
      - call: book
        mcp_server: clinic
        mapping:
          input: [{slot: drink, param: drink}]
          output: [{slot: guest, value: result.structuredContent.code}, {slot: served, value: result.meta}]
      - action: utter_enjoy
  advise:
    name: give advice
    description: Give advice.
    steps:
      - call: adviser
      - action: utter_enjoy
  haggle:
    name: haggle about it
    description: Haggle about it.
    steps:
      - call: haggler
        exit_if: ["slots.guest is not null"]
      - action: utter_enjoy
"""
BOOKED = "stub_tools: {'clinic:book': {structuredContent: {code: A7}}}"
AGENT = "{events: [{event: slot, name: guest, value: Ann}], responses: [{text: Take tea.}]}"


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    found = open_cafe(tmp_path, monkeypatch)
    found.write("data/more.yml", FLOWS)
    return found


def outcome(cafe: Cafe, steps: str, stubs: str = "") -> int:
    """Run one test; 0 if it passed."""
    text = f"{stubs}\ntest_cases:\n  - test_case: the case\n    steps:\n{indent(steps.strip(), ' ' * 6)}\n"
    cafe.write("tests/cases.yml", text)
    return cafe.test()


def test_a_stub_answers_for_a_tool(cafe: Cafe) -> None:
    """Without any server; keys that the result lacks are null, as engines have them."""
    steps = "- user: reserve a table\n- slot_was_set: [{guest: A7}]\n- slot_was_set: [served]\n- utter: utter_enjoy"

    assert outcome(cafe, steps, BOOKED) == 0


def test_a_stub_of_one_test_wins(cafe: Cafe) -> None:
    """Over the one of the file; engines write spaces of the name as low lines."""
    own = "stub_tools: {'clinic:book': {structuredContent: {code: A7}}, "
    own += "'the_case::clinic:book': {structuredContent: {code: B8}}}"

    assert outcome(cafe, "- user: reserve a table\n- slot_was_set: [{guest: B8}]", own) == 0


def test_a_tool_may_fail(cafe: Cafe) -> None:
    """The pattern for errors says so, as with `isError` of a real one, and the flow goes on."""
    failing = "stub_tools: {'clinic:book': {isError: true, content: [{type: text, text: no desk}]}}"

    assert outcome(cafe, "- user: reserve a table\n- utter: utter_internal_error_rasa", failing) == 0
    assert outcome(cafe, "- user: reserve a table\n- slot_was_not_set: [guest]", failing) == 0


def test_a_tool_without_a_stub_is_called(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Here there is no server, and the failure says so."""
    other = "stub_tools: {'clinic:other': {}}"

    assert outcome(cafe, "- user: reserve a table\n- utter: utter_nothing", other) == 1
    assert "the test has no stub for it" in " ".join(capsys.readouterr().out.split())


def test_a_stub_plays_a_sub_agent(cafe: Cafe) -> None:
    """It says and sets what the agent would until it is done; the flow goes on."""
    steps = "- user: give advice\n- bot: Take tea.\n- slot_was_set: [{guest: Ann}]\n- utter: utter_enjoy"

    assert outcome(cafe, steps, f"stub_sub_agents: {{adviser: {AGENT}}}") == 0
    assert outcome(cafe, steps, f"stub_sub_agents: {{'the case::adviser': {AGENT}}}") == 0


def test_a_sub_agent_is_done_when_one_of_its_conditions_is_true(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise it would go on talking, which no stub plays."""
    steps = "- user: haggle about it\n- utter: utter_enjoy"

    assert outcome(cafe, steps, f"stub_sub_agents: {{haggler: {AGENT}}}") == 0
    assert outcome(cafe, steps, "stub_sub_agents: {haggler: {responses: [{text: Never.}]}}") == 1
    assert "none of `exit_if` is true" in " ".join(capsys.readouterr().out.split())


def test_a_sub_agent_without_a_stub_is_an_error(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """With the step's place and what would help."""
    assert outcome(cafe, "- user: give advice\n- utter: utter_enjoy") == 1
    assert "played by stubs of a test only" in " ".join(capsys.readouterr().out.split())


WRONG = [
    ("stub_tools: []", "`stub_tools` has to be a mapping of tools"),
    ("stub_tools: {book: {}}", "the stub 'book' has to be named `server:tool`"),
    ("stub_tools: {'c:b': {structured: {}}}", "the stub 'c:b' has no key 'structured'"),
    ("stub_tools: {'c:b': {structuredContent: 5}}", "'structuredContent' of the stub 'c:b' has to be a mapping"),
    ("stub_tools: {'c:b': {content: [x]}}", "'content' of the stub 'c:b' has to list mappings"),
    ("stub_sub_agents: []", "`stub_sub_agents` has to be a mapping of sub agents"),
    ("stub_sub_agents: {a: {slots: {}}}", "the stub 'a' has no key 'slots'"),
]


@pytest.mark.parametrize(("stubs", "problem"), WRONG, ids=[w[0] for w in WRONG])
def test_a_stub_that_is_none_is_refused(
    cafe: Cafe, stubs: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any test runs."""
    with pytest.raises(SettingsError, match="cannot be read"):
        outcome(cafe, "- user: give advice", stubs)

    assert problem in capsys.readouterr().err
