"""Files of tests: what the engine's reader takes, and what it refuses before any test runs."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from action_server.flows.e2e.reader import read_cases
from action_server.project.yaml_tree import Trees
from tests.action_server.flows.engine.rows import Row, each

_CASE = "test_cases:\n- test_case: one\n"
_FIXTURE = "fixtures:\n- rich: [{amount: 5}]\n"
_METADATA = "metadata:\n- late: {hour: 5}\n"


def steps(text: str, before: str = "", case: str = "") -> str:
    """Return a file with one test, from its steps, what stands before all tests and more of the test."""
    return f"{before}{_CASE}{indent(case, '  ')}  steps:\n{indent(text, '  ')}\n"


def stubbed(stub: str, name: str = "action_x") -> str:
    """Return a file with a stub of an action."""
    return steps("- user: hi", f"stub_custom_actions:\n  {name}: {stub}\n")


def refused(folder: Path, text: str) -> list[str]:
    """Return what is wrong with a file of tests."""
    path = folder / "cases.yml"
    path.write_text(text, encoding="utf-8")
    _, problems = read_cases([path], folder, Trees())
    return [str(p) for p in problems if p.severity == "error"]


# A file of tests; whether an engine takes it.
FILES = [
    Row("a message and an answer", steps("- user: hi\n- bot: Hi."), True),
    Row("a number for a message", steps("- user: 5"), False),
    Row("a quoted number for a message", steps("- user: '5'"), True),
    Row("true for a message", steps("- user: true"), False),
    Row("yes for a message", steps("- user: yes"), True),
    Row("a number for an answer", steps("- user: hi\n- bot: 5"), False),
    Row("a number for a response", steps("- user: hi\n- utter: 5"), False),
    Row("a number for a test's name", "test_cases:\n- test_case: 5\n  steps: [{user: hi}]\n", False),
    Row("a slot that was set, alone", steps("- user: hi\n- slot_was_set: amount"), False),
    Row("a slot that was set, as a mapping", steps("- user: hi\n- slot_was_set: {amount: 5}"), False),
    Row("a slot that was set, in a list", steps("- user: hi\n- slot_was_set: [amount]"), True),
    Row("slots that were set, with values", steps("- user: hi\n- slot_was_set: [{amount: 5}, {ok: true}]"), True),
    Row("a slot that was not set, alone", steps("- user: hi\n- slot_was_not_set: amount"), False),
    Row("two expectations in one step", steps("- user: hi\n- bot: a\n  utter: b"), False),
    Row("set and not set in one step", steps("- user: hi\n- slot_was_set: [a]\n  slot_was_not_set: [b]"), False),
    Row("a message and an answer in one step", steps("- user: hi\n  bot: a"), False),
    Row("an unknown step", steps("- user: hi\n- says: a"), False),
    Row("an unknown key of a message", steps("- user: hi\n  colour: red"), False),
    Row("an unknown key of the file", steps("- user: hi", "colour: red\n"), False),
    Row("a version", steps("- user: hi", 'version: "3.1"\n'), False),
    Row("an unknown key of a test", steps("- user: hi", case="colour: red\n"), False),
    Row("assertions of an answer", steps("- user: hi\n- bot: a\n  assertions: [{flow_started: a}]"), False),
    Row("assertions that are nothing", steps("- user: hi\n  assertions:"), False),
    Row("no assertions in their list", steps("- user: hi\n  assertions: []"), True),
    Row("an order without assertions", steps("- user: hi\n  assertion_order_enabled: true"), False),
    Row("an order in words", steps("- user: hi\n  assertions: []\n  assertion_order_enabled: 'no'"), False),
    Row("a fixture", steps("- user: hi", _FIXTURE, "fixtures: [rich]\n"), True),
    Row("a fixture that is not there", steps("- user: hi", _FIXTURE, "fixtures: [poor]\n"), False),
    Row("a fixture that is no list", steps("- user: hi", "fixtures:\n- rich: {amount: 5}\n"), False),
    Row("two fixtures of one name", steps("- user: hi", f"{_FIXTURE}- rich: [{{amount: 6}}]\n"), False),
    Row("fixtures as a mapping", steps("- user: hi", "fixtures: {rich: [{amount: 5}]}\n"), False),
    Row("a test's fixture, alone", steps("- user: hi", _FIXTURE, "fixtures: rich\n"), False),
    Row("a fixture with a hyphen", steps("- user: hi", _FIXTURE.replace("rich", "very-rich")), True),
    Row("a fixture with a space", steps("- user: hi", _FIXTURE.replace("rich", "very rich")), False),
    Row("a fixture with a digit first", steps("- user: hi", _FIXTURE.replace("rich", "1st")), False),
    Row(
        "a time for the tests",
        steps("- user: hi", "fixtures:\n- now: [{mocked_datetime: '2026-12-01 10:00:00'}]\n"),
        True,
    ),
    Row("a time that is none", steps("- user: hi", "fixtures:\n- now: [{mocked_datetime: tomorrow}]\n"), False),
    Row("metadata", steps("- user: hi\n  metadata: late", _METADATA), True),
    Row("metadata that is not there", steps("- user: hi\n  metadata: early", _METADATA), False),
    Row("metadata in place", steps("- user: hi\n  metadata: {hour: 5}"), False),
    Row("metadata as a list", steps("- user: hi", "metadata:\n- late: [{hour: 5}]\n"), False),
    Row(
        "metadata with a hyphen",
        steps("- user: hi\n  metadata: too-late", _METADATA.replace("late", "too-late")),
        False,
    ),
    Row("a stub", stubbed("{events: [{event: slot, name: a, value: 1}], responses: [{text: a}]}"), True),
    Row("a stub of a test", stubbed("{events: []}", "one::action_x"), True),
    Row("a stub with nothing in it", stubbed("{}"), True),
    Row("a stub with an unknown event", stubbed("{events: [{event: slot_set, name: a}]}"), False),
    Row("a stub with an unknown key", stubbed("{event: []}"), False),
    Row("a stub's event with an unknown key", stubbed("{events: [{event: slot, slot: a}]}"), False),
    Row("a stub's response with an unknown key", stubbed("{responses: [{txt: a}]}"), False),
    Row(
        "a stub's button with an unknown key",
        stubbed("{responses: [{text: a, buttons: [{title: a, kind: b}]}]}"),
        False,
    ),
    Row("a stub that is a list", stubbed("[]"), False),
    Row("a stub of an action with a hyphen", stubbed("{events: []}", "action-x"), False),
    Row("an assertion of Mantle", steps("- user: hi\n  assertions: [{skill_activated: {skill_id: a}}]"), True),
]


@each(FILES)
def test_files_of_tests_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """Here with file and line, and before any test runs, too."""
    assert (refused(tmp_path, row.given) == []) is row.engine
