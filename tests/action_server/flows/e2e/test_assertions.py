"""The assertions of Rasa's end-to-end format: what each claims, and what cannot be read."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from action_server.errors import SettingsError
from tests.action_server.flows.cafe import Cafe, open_cafe


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    return open_cafe(tmp_path, monkeypatch)


def outcome(cafe: Cafe, steps: str, more: str = "") -> int:
    """Run one test; 0 if it passed."""
    text = f"{more}\ntest_cases:\n  - test_case: the case\n    steps:\n{indent(steps.strip(), ' ' * 6)}\n"
    (cafe.folder / "tests" / "cases.yml").write_text(text)
    return cafe.test()


HOLDS = [
    ("order a drink", "flow_started: order_drink"),
    ("order a drink", "flow_started: {operator: all, flow_ids: [order_drink]}"),
    ("order a drink", "flow_started: {operator: any, flow_ids: [pay_bill, order_drink]}"),
    ("tea", "flow_completed: {flow_id: order_drink}"),
    ("tea", "flow_completed: {flow_id: order_drink, flow_step_id: thank}"),
    ("never mind", "flow_cancelled: {flow_id: order_drink}"),
    ("never mind", "flow_cancelled: {flow_id: order_drink, flow_step_id: ask_drink}"),
    ("which", "pattern_clarification_contains: {operator: all, flow_ids: [order_drink, pay_bill]}"),
    ("which", "pattern_clarification_contains: [order a drink, pay the bill]"),
    ("which", "pattern_clarification_contains: {operator: any, flow_ids: [order_drink, look_up]}"),
    ("tea", "slot_was_set: [{name: drink}]"),
    ("tea", "slot_was_set: [{name: drink, value: tea}, {name: served, value: true}]"),
    ("tea", "slot_was_not_set: [{name: guest}]"),
    ("tea", "slot_was_not_set: [{name: drink}]"),
    ("tea", "slot_was_not_set: [{name: drink, value: coffee}]"),
    ("tea", "action_executed: action_serve"),
    ("tea", "action_executed: utter_enjoy"),
    ("order a drink", "bot_uttered: {utter_name: utter_ask_drink}"),
    ("order a drink", "bot_uttered: {text_matches: 'What .* like'}"),
    (
        "order a drink",
        "bot_uttered: {buttons: [{title: Tea, payload: /SetSlots(drink=tea)}]}",
    ),
    ("tea", "bot_did_not_utter: {utter_name: utter_ask_drink}"),
    ("tea", "bot_did_not_utter: {text_matches: ^coffee}"),
]
DOES_NOT = [
    ("order a drink", "flow_started: pay_bill"),
    ("order a drink", "flow_completed: {flow_id: order_drink}"),
    ("tea", "flow_completed: {flow_id: order_drink, flow_step_id: serve}"),
    ("tea", "flow_cancelled: {flow_id: order_drink}"),
    ("which", "pattern_clarification_contains: [order_drink, pay_bill]"),
    ("which", "pattern_clarification_contains: [order a drink]"),
    ("which", "pattern_clarification_contains: {operator: any, flow_ids: [look_up]}"),
    ("order a drink", "pattern_clarification_contains: [order_drink]"),
    ("tea", "slot_was_set: [{name: drink, value: tea}, {name: guest}]"),
    ("tea", "slot_was_not_set: [{name: guest}, {name: served}]"),
    ("tea", "action_executed: action_pay"),
    ("tea", "bot_uttered: {utter_name: utter_enjoy, text_matches: Bye}"),
    ("order a drink", "bot_uttered: {buttons: [{title: Tea}]}"),
    ("order a drink", "bot_uttered: {buttons: [{title: Tea}, {title: Water}]}"),
    ("tea", "bot_did_not_utter: {utter_name: utter_enjoy}"),
]
SCRIPT = """
messages:
  which: [{clarify: [order_drink, pay_bill]}]
  order a drink: [{start_flow: order_drink}]
  tea: [{set_slot: {drink: tea}}]
  never mind: [cancel_flow]
"""


def asserted(cafe: Cafe, message: str, assertion: str, more: str = "") -> int:
    cafe.write("script.yml", SCRIPT)
    first = "" if message in ("order a drink", "which") else "      - user: order a drink\n"
    text = (
        f"test_cases:\n  - test_case: the case\n    steps:\n{first}      - user: {message}\n{more}"
        f"        assertions:\n{indent(assertion, ' ' * 10)}\n"
    )
    (cafe.folder / "tests" / "cases.yml").write_text(text)
    return cafe.test("--understand", "scripted", "script.yml")


@pytest.mark.parametrize(("message", "assertion"), HOLDS)
def test_an_assertion_that_holds(cafe: Cafe, message: str, assertion: str) -> None:
    """Each form of the documentation."""
    assert asserted(cafe, message, f"- {assertion}") == 0


@pytest.mark.parametrize(("message", "assertion"), DOES_NOT)
def test_an_assertion_that_does_not_hold(cafe: Cafe, message: str, assertion: str) -> None:
    """The test fails."""
    assert asserted(cafe, message, f"- {assertion}") == 1


def test_the_order_of_assertions_counts_if_it_is_to(cafe: Cafe) -> None:
    """Only with assertion_order_enabled."""
    late, early = "- bot_uttered: {utter_name: utter_enjoy}", "- slot_was_set: [{name: drink, value: tea}]"
    ordered = "        assertion_order_enabled: true\n"

    assert asserted(cafe, "tea", f"{late}\n{early}") == 0
    assert asserted(cafe, "tea", f"{early}\n{late}", ordered) == 0
    # The drink is set once more, to nothing, when the flow ends: that is not what was claimed.
    assert asserted(cafe, "tea", f"{late}\n{early}", ordered) == 1


WRONG = [
    ("- user: hi\n  assertions: x", "`assertions` has to be a list"),
    ("- user: hi\n  assertions: [flow_started]", "an assertion has to be one `name: ...`"),
    (
        "- user: hi\n  assertions:\n    - flow_start: x",
        "there is no assertion 'flow_start'; did you mean 'flow_started'?",
    ),
    ("- user: hi\n  assertions:\n    - flow_completed: x", "flow_completed has to be a mapping, not a text"),
    ("- user: hi\n  assertions:\n    - flow_completed: {flow: x}", "flow_completed has no key 'flow'"),
    ("- user: hi\n  assertions:\n    - flow_started: {operator: or, flow_ids: [a]}", "has to be all or any, not 'or'"),
    ("- user: hi\n  assertions:\n    - slot_was_set: [{value: 1}]", "a slot of slot_was_set has to have a `name`"),
    ("- user: hi\n  assertions:\n    - slot_was_set: x", "slot_was_set has to be a list of `name:`"),
    ("- user: hi\n  assertions:\n    - bot_uttered: {}", "has to have `utter_name`, `text_matches` or `buttons`"),
    ("- user: hi\n  assertions:\n    - bot_uttered: {text_matches: '('}", "is no regular expression"),
    ("- user: hi\n  assertions:\n    - flow_started: {operator: all, flow_ids: [a, b]}", "takes exactly one flow"),
    ("- user: hi\n  assertions:\n    - flow_started: [a]", "flow_started has to be a mapping, not a list"),
    ("- user: hi\n  assertions:\n    - flow_started: {flow_ids: [a]}", "has to be all or any, not ''"),
    ("- user: hi\n  assertions:\n    - pattern_clarification_contains: a", "has to be a mapping, not a text"),
    ("- user: hi\n  assertions:\n    - pattern_clarification_contains: []", "has to list names of flows"),
    ("- user: hi\n  assertion_order_enabled: true", "stands in a step without `assertions`"),
]


@pytest.mark.parametrize(("steps", "problem"), WRONG)
def test_an_assertion_that_cannot_be_read_says_where(
    cafe: Cafe, steps: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With file and line, before any test runs."""
    with pytest.raises(SettingsError, match="cannot be read"):
        outcome(cafe, steps)

    assert problem in capsys.readouterr().err
