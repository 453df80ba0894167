"""`action-server flows test`: what runs, what is reported, and the exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from action_server.errors import SettingsError
from tests.action_server.flows.cafe import Cafe, open_cafe
from tests.action_server.flows.language_model import model, use_model

CASES = """
stub_custom_actions:
  action_pay:
    responses: [{text: Paid by a stub.}]
  tea_for_Ann::action_pay:
    events: [{event: slot, name: guest, value: Zoe}]

fixtures:
  - ann: [{guest: Ann}]
  - bob:
      - guest: Bob

metadata:
  - loud: {guest: somebody loud}

test_cases:
  - test_case: tea for Ann
    fixtures: [bob, ann]
    steps:
      - user: order a drink
      - user: tea
      - bot: tea number 1 for Ann
      - user: pay the bill
      - slot_was_set: [{guest: Zoe}]
  - test_case: tea for somebody
    metadata: loud
    steps:
      - user: order a drink
      - user: tea
      - bot: tea number 1 for somebody loud
      - user: pay the bill
      - bot: Paid by a stub.
  - test_case: coffee
    steps:
      - user: order a drink
      - user: coffee
        metadata: loud
      - bot: coffee number 1 for somebody loud
"""
FAILING = """
test_cases:
  - test_case: water
    steps:
      - user: order a drink
      - utter: utter_ask_drink
      - user: tea
        metadata: bell
      - utter: utter_enjoy
      - bot: water
      - user: coffee
  - test_case: the till
    steps:
      - user: pay the bill
      - bot: Paid.
  - test_case: the menu
    steps:
      - user: search the menu
  - test_case: nobody
    fixtures: [nobody]
    steps:
      - user: order a drink
fixtures:
  - nobody: [{gest: Ann}]
metadata:
  - bell: {guest: "a\\x07b"}
"""


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    return open_cafe(tmp_path, monkeypatch)


def results(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_each_test_has_its_own_state_fixtures_metadata_and_stubs(
    cafe: Cafe, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every one counts from 1: the services of the others are not its own."""
    cafe.write("tests/cases.yml", CASES)

    code = cafe.test()

    printed = capsys.readouterr()
    assert code == 0, printed.out
    assert printed.out.startswith("3 passed in ")
    assert "a print of the action" not in printed.out


def test_fixtures_of_conftest_files_count_the_nearest_first(cafe: Cafe) -> None:
    """From the project's folder down to the file's own."""
    steps = "steps: [{user: order a drink}, {user: tea}, {bot: tea number 1 for Cleo}]"
    cafe.write("conftest.yml", "fixtures:\n  - who: [{guest: Ann}]\n  - other: [{served: true}]\n")
    cafe.write("tests/deep/conftest.yml", "fixtures:\n  - who: [{guest: Cleo}]\n")
    cafe.write("tests/deep/cases.yml", f"test_cases:\n  - test_case: x\n    fixtures: [who, other]\n    {steps}\n")

    assert cafe.test() == 0


def test_a_failure_shows_what_was_expected_beside_what_happened(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """With the places of the step and of what did not hold; the rest of that test is not played."""
    cafe.write("tests/cases.yml", FAILING)

    code = cafe.test()

    said = capsys.readouterr().out
    assert code == 1
    assert "FAILED  tests/cases.yml:3  water\n  tests/cases.yml:7  you: tea\n" in said
    rows = said.splitlines()
    assert any(row.strip().startswith("+ utter: utter_enjoy") and "understood: set drink to" in row for row in rows)
    assert any(row.strip().startswith("x bot: water  (line 10)") and "because: answers" in row for row in rows)
    assert 'bot_uttered: utter_enjoy "Enjoy!"' in said
    assert "you: coffee" not in said
    assert "! log ERROR action.failed action=action_pay" in said
    assert "ERROR  tests/cases.yml:16  the menu\n  data/flows.yml:29: action_back belongs to" in said
    assert "a fixture sets what is no slot of the domain: gest" in said
    assert "2 failed, 2 errors in " in said


def test_json_has_everything(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is printed to standard output."""
    cafe.write("tests/cases.yml", FAILING)

    cafe.test("--json", "--coverage", "-k", "WATER")

    found = results(capsys)
    assert [test["outcome"] for test in found["tests"]] == ["failed"]
    assert found["tests"][0]["failures"] == [{"at": "tests/cases.yml:10", "expected": "bot: water"}]
    assert [turn["user"] for turn in found["tests"][0]["turns"]] == ["", "order a drink", "tea"]
    order = found["coverage"]["flows"][0]
    assert (order["flow"], order["steps"], order["covered"], order["missing"]) == ("order_drink", 3, 3, [])
    assert found["coverage"]["percent"] == 50.0


def test_paths_may_stand_behind_who_understands(cafe: Cafe) -> None:
    """They are not taken for the file of a script."""
    cafe.write("tests/cases.yml", CASES)
    cafe.write("tests/failing.yml", FAILING)

    assert cafe.test("--understand", "offline", "tests/cases.yml") == 0


def test_a_file_that_is_no_yaml_is_not_passed_over(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Its tests would seem to pass."""
    cafe.write("tests/cases.yml", CASES)
    cafe.write("tests/more.yml", "test_cases: [")

    with pytest.raises(SettingsError, match="cannot be read"):
        cafe.test()
    assert "tests/more.yml:1:14: is not YAML" in capsys.readouterr().err


def test_fail_fast_stops_at_the_first(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """The tests behind it do not run."""
    cafe.write("tests/cases.yml", FAILING)

    assert cafe.test("--fail-fast", "--json") == 1
    assert len(results(capsys)["tests"]) == 1


@pytest.mark.parametrize(("least", "code"), [("50", 0), ("50.1", 1)])
def test_too_little_coverage_fails(cafe: Cafe, least: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The table names the lines of steps that no test came to."""
    cafe.write("tests/cases.yml", "test_cases:\n  - test_case: x\n    steps: [{user: order a drink}, {user: tea}]\n")

    assert cafe.test("--coverage-min", least) == code

    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines()]
    assert ["pay_bill", "2", "0", "(0", "%)", "data/flows.yml:", "22,", "24"] in lines
    assert ["all", "6", "3", "(50", "%)"] in lines
    assert ("coverage is 50.0 %, below 50.1 %" in said) is bool(code)


def test_repeated_runs_are_compared(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """How often the same words took the same path, and how two paths differ."""
    order = [{"command": "start_flow", "flow": "order_drink"}]
    tea = [*order, {"command": "set_slot", "slot": "drink", "value": "tea"}]
    cafe.write("tests/cases.yml", "test_cases:\n  - test_case: thirst\n    steps: [{user: I am thirsty}]\n")
    with model(order, tea, order) as (url, _):
        use_model(cafe, url)
        code = cafe.test("--repeat", "3", "--understand", "llm")

    said = capsys.readouterr().out
    assert code == 0
    assert "thirst   3      3        2 of 3      2" in said
    assert "  --- run 1" in said
    assert "  +++ run 2" in said
    assert "  -  understood: start order_drink" in said
    assert '  +  understood: set drink to "tea"; start order_drink' in said
    assert "  +  order_drink: serve (action action_serve)" in said


def test_the_same_words_take_the_same_path_offline(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Each run has a state of its own, too."""
    cafe.write("tests/cases.yml", CASES)

    assert cafe.test("--repeat", "2", "--json") == 0
    found = results(capsys)
    assert [(r["runs"], r["same"], r["difference"]) for r in found["repeats"]] == [(2, 2, [])] * 3
    assert [test["run"] for test in found["tests"]] == [1, 2] * 3


THIRST = """
test_cases:
  - test_case: thirst
    steps:
      - user: I am thirsty
      - slot_was_set: [{drink: tea}]
"""
OTHER_WORDS = 'paraphrases: {"I am thirsty": [a drink please, tea for me], "never said": [x]}\n'
START = {"command": "start_flow", "flow": "order_drink"}
TEA = {"command": "set_slot", "slot": "drink", "value": "tea"}


@pytest.mark.parametrize(("least", "code"), [(None, 1), ("60", 0), ("70", 1)])
def test_other_wordings_are_runs_of_the_same_test(
    cafe: Cafe, capsys: pytest.CaptureFixture[str], least: str | None, code: int
) -> None:
    """What each is understood as, how many take the usual path, what a turn costs; a threshold decides the outcome."""
    cafe.write("tests/cases.yml", THIRST)
    cafe.write("other_words.yml", OTHER_WORDS)
    flags = ["--same-path-min", least] if least else []
    with model([START, TEA], [START, TEA], [START]) as (url, asked):
        use_model(cafe, url)
        found = cafe.test("--understand", "llm", "--paraphrases", "other_words.yml", *flags)

    printed = capsys.readouterr()
    said = [json.loads(request["messages"][1]["content"])["user"]["said"] for request in asked]
    assert found == code
    assert said == ["I am thirsty", "a drink please", "tea for me"]
    assert "thirst   3      2        2 of 3      2" in printed.out
    assert "thirst, message 1: I am thirsty" in printed.out
    assert '  2 of 3  set drink to "tea"; start order_drink' in printed.out
    assert "  1 of 3  start order_drink\n          said: tea for me" in printed.out
    assert "110 tokens each, cost 0.200000 each" in printed.out
    assert "other_words.yml: no test that runs says 'never said'" in printed.err


def test_the_usual_path_has_to_pass(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """That all runs fail in one way is no agreement worth having."""
    cafe.write("tests/cases.yml", THIRST)
    with model([START], [START]) as (url, _):
        use_model(cafe, url)

        assert cafe.test("--understand", "llm", "--repeat", "2", "--same-path-min", "50") == 1


def test_lines_for_other_tools_have_each_message_of_each_run(cafe: Cafe) -> None:
    """What was said, meant and understood, where it led, and what it took."""
    cafe.write("tests/cases.yml", THIRST)
    cafe.write("other_words.yml", OTHER_WORDS)
    with model(*[[START, TEA]] * 6) as (url, _):
        use_model(cafe, url)
        cafe.test(
            *("--understand", "llm", "--paraphrases", "other_words.yml", "--repeat", "2", "--jsonl", "turns.jsonl")
        )

    lines = [json.loads(line) for line in Path("turns.jsonl").read_text().splitlines()]
    assert [(line["run"], line["said"]) for line in lines] == [
        *((n, "I am thirsty") for n in (1, 2)),
        *((n, "a drink please") for n in (3, 4)),
        *((n, "tea for me") for n in (5, 6)),
    ]
    assert {line["message"] for line in lines} == {"I am thirsty"}
    assert lines[0]["commands"] == [TEA, START]
    assert "order_drink:serve" in lines[0]["steps"]
    assert lines[0]["milliseconds"] > 0
    assert (lines[0]["prompt_tokens"], lines[0]["cost"]) == (100, 0.2)


def test_a_message_counts_as_flipping_only_after_the_same_beginning(
    cafe: Cafe, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind another beginning the same words mean something else."""
    cafe.write("tests/cases.yml", "test_cases: [{test_case: x, steps: [{user: a}, {user: b}]}]\n")
    chat: list[dict[str, str]] = [{"command": "chitchat"}]
    with model([START], [TEA], [START], [TEA], chat, chat) as (url, _):
        use_model(cafe, url)
        cafe.test("--understand", "llm", "--repeat", "3", "--json")

    found = results(capsys)
    assert [(flip["turn"], [o["runs"] for o in flip["commands"]]) for flip in found["flips"]] == [(1, [2, 1])]
    assert found["turns"]["turns"] == 6


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[a]", "must hold `paraphrases:`"),
        ("paraphrases: {}", "must hold `paraphrases:`"),
        ("paraphrases: {a: b}", r"paraphrases\['a'\] must be a list of texts"),
        ("paraphrases: {a: [1]}", r"paraphrases\['a'\] must be a list of texts"),
        ("paraphrases: {nobody: [b]}", "the tests say none of its messages, such as 'nobody'"),
    ],
)
def test_paraphrases_that_cannot_be_used_are_refused(cafe: Cafe, content: str, problem: str) -> None:
    """Before anything runs."""
    cafe.write("tests/cases.yml", THIRST)
    cafe.write("other_words.yml", content)

    with pytest.raises(SettingsError, match=problem):
        cafe.test("--paraphrases", "other_words.yml")


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ([], "there are none below"),
        (["-k", "x"], "there are none of a name with 'x'"),
        (["tests/none.yml"], "cannot be read"),
        (["--repeat", "0"], "--repeat: must be 1 at least"),
    ],
)
def test_no_tests_is_no_success(cafe: Cafe, flags: list[str], problem: str) -> None:
    """Somebody has mistyped a path, and CI should not be green."""
    with pytest.raises(SettingsError, match=problem):
        cafe.test(*flags)


def test_the_actions_are_found_in_the_project(cafe: Cafe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From a folder that has none of their name, and the project's own settings with them."""
    cafe.write("tests/cases.yml", CASES)
    cafe.write("endpoints.yml", "action_server: {services: {book: {file: ignored}}}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(os.getcwd())

    assert cafe.test() == 0
