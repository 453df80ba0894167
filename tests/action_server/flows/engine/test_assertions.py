"""Verdicts of `rasa test e2e`: which events let an assertion, or a step of the older form, hold."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

from action_server.config.settings import Settings
from action_server.flows.commands.offline import OfflineCommandGenerator
from action_server.flows.e2e.cases import Case
from action_server.flows.e2e.reader import read_cases
from action_server.flows.e2e.runner import failed_checks, play
from action_server.flows.session.failures import FailureLog
from action_server.flows.session.stage import Stage
from action_server.project.places import Problem
from action_server.project.project_reader import read_project
from action_server.project.yaml_tree import Trees
from tests.action_server.flows.cafe import DOMAIN
from tests.action_server.flows.cafe import FLOWS as CAFE_FLOWS
from tests.action_server.flows.engine.rows import Row, each
from tests.projects import project


def slot(name: str, value: Any) -> dict[str, Any]:
    return {"event": "slot", "name": name, "value": value}


def bot(text: str | None, response: str = "", *buttons: tuple[str, str]) -> dict[str, Any]:
    shown = [{"title": title, "payload": payload} for title, payload in buttons]
    return {"event": "bot", "text": text, "metadata": {"utter_action": response}, "data": {"buttons": shown}}


def flow(event: str, flow_id: str, step_id: str = "") -> dict[str, Any]:
    return {"event": event, "flow_id": flow_id, "step_id": step_id}


def action(name: str) -> dict[str, Any]:
    return {"event": "action", "name": name}


SET, EMPTIED = slot("a", 1), slot("a", None)
HI, BYE, PICTURE = bot("Hi Ann", "utter_hi"), bot("Bye", "utter_bye"), bot(None, "utter_cat")
ASKS = bot("Which?", "utter_ask", ("Tea", "/tea"), ("Coffee", "/coffee"))
CLARIFIES = {
    "event": "flow_started",
    "flow_id": "pattern_clarification",
    "offered": ["buy it", "sell it"],
    "offered_ids": ["buy", "sell"],
}

# The assertion, the events of its turn; whether it holds.
ASSERTIONS = [
    Row("an empty slot is not set", ("slot_was_not_set: [{name: a}]", [SET, EMPTIED]), True),
    Row("a slot set in the end is set", ("slot_was_not_set: [{name: a}]", [EMPTIED, SET]), False),
    Row("without any event it is not set", ("slot_was_not_set: [{name: a}]", [HI]), True),
    Row("a value that came first does not count", ("slot_was_not_set: [{name: a, value: 1}]", [SET, EMPTIED]), True),
    Row("the last value counts", ("slot_was_not_set: [{name: a, value: null}]", [SET, EMPTIED]), False),
    Row("one of several that is set", ("slot_was_not_set: [{name: b}, {name: a}]", [SET]), False),
    Row("emptying sets, if no value is asked", ("slot_was_set: [{name: a}]", [EMPTIED]), True),
    Row("any of a slot's events may have the value", ("slot_was_set: [{name: a, value: 1}]", [SET, EMPTIED]), True),
    Row("null is a value", ("slot_was_set: [{name: a, value: null}]", [SET, EMPTIED]), True),
    Row("true is 1", ("slot_was_set: [{name: a, value: true}]", [SET]), True),
    Row("1.0 is 1", ("slot_was_set: [{name: a, value: 1.0}]", [SET]), True),
    Row("a text is no number", ("slot_was_set: [{name: a, value: '1'}]", [SET]), False),
    Row("all slots have to be set", ("slot_was_set: [{name: a}, {name: b}]", [SET]), False),
    Row("a flow starts", ("flow_started: buy", [flow("flow_started", "buy")]), True),
    Row("another flow starts", ("flow_started: buy", [flow("flow_started", "sell")]), False),
    Row(
        "any flow starts",
        ("flow_started: {operator: ANY, flow_ids: [buy, sell]}", [flow("flow_started", "sell")]),
        True,
    ),
    Row(
        "the one flow of `all` starts",
        ("flow_started: {operator: all, flow_ids: [buy]}", [flow("flow_started", "buy")]),
        True,
    ),
    Row("a flow completes", ("flow_completed: {flow_id: buy}", [flow("flow_completed", "buy")]), True),
    Row(
        "the first completion's step counts",
        (
            "flow_completed: {flow_id: buy, flow_step_id: two}",
            [flow("flow_completed", "buy", "one"), flow("flow_completed", "buy", "two")],
        ),
        False,
    ),
    Row(
        "a flow is cancelled at a step",
        ("flow_cancelled: {flow_id: buy, flow_step_id: two}", [flow("flow_cancelled", "buy", "two")]),
        True,
    ),
    Row("options are listed by name", ("pattern_clarification_contains: [sell it, buy it]", [CLARIFIES]), True),
    Row("a list has no ids", ("pattern_clarification_contains: [sell, buy]", [CLARIFIES]), False),
    Row("all options are listed", ("pattern_clarification_contains: [buy it]", [CLARIFIES]), False),
    Row(
        "`all` takes all ids",
        ("pattern_clarification_contains: {operator: all, flow_ids: [sell, buy]}", [CLARIFIES]),
        True,
    ),
    Row(
        "`all` takes no fewer",
        ("pattern_clarification_contains: {operator: all, flow_ids: [buy]}", [CLARIFIES]),
        False,
    ),
    Row(
        "`any` takes one id",
        ("pattern_clarification_contains: {operator: any, flow_ids: [buy, rent]}", [CLARIFIES]),
        True,
    ),
    Row("an action ran", ("action_executed: action_pay", [action("action_pay")]), True),
    Row("a response is an action", ("action_executed: utter_hi", [action("utter_hi")]), True),
    Row("no action ran", ("action_executed: action_pay", [HI]), False),
    Row("parts fit different messages", ("bot_uttered: {utter_name: utter_hi, text_matches: Bye}", [HI, BYE]), True),
    Row("each part has to fit", ("bot_uttered: {utter_name: utter_hi, text_matches: Bye}", [HI]), False),
    Row("a pattern is looked for anywhere", ("bot_uttered: {text_matches: Ann}", [HI]), True),
    Row("a pattern minds its case", ("bot_uttered: {text_matches: ann}", [HI]), False),
    Row("a dot is no end of a line", ("bot_uttered: {text_matches: Hi.Ann}", [bot("Hi\nAnn")]), False),
    Row("buttons as far as both lists go", ("bot_uttered: {buttons: [{title: Tea, payload: /tea}]}", [ASKS]), True),
    Row(
        "more buttons than there are",
        (
            "bot_uttered: {buttons: [{title: Tea, payload: /tea}, {title: Coffee, payload: /coffee}, {title: Gin}]}",
            [ASKS],
        ),
        True,
    ),
    Row("buttons in another order", ("bot_uttered: {buttons: [{title: Coffee, payload: /coffee}]}", [ASKS]), False),
    Row("a button without its payload", ("bot_uttered: {buttons: [{title: Tea}]}", [ASKS]), False),
    Row("buttons without a button", ("bot_uttered: {buttons: [{title: Tea, payload: /tea}]}", [HI]), False),
    Row("no part was said", ("bot_did_not_utter: {utter_name: utter_no, text_matches: No}", [HI, BYE]), True),
    Row("one part was said", ("bot_did_not_utter: {utter_name: utter_no, text_matches: Bye}", [HI, BYE]), False),
    Row("the other part was said", ("bot_did_not_utter: {utter_name: utter_hi, text_matches: No}", [HI]), False),
    Row(
        "one forbidden button among others",
        ("bot_did_not_utter: {buttons: [{title: Gin}, {title: Coffee, payload: /coffee}]}", [ASKS]),
        False,
    ),
    Row("a title is not a button", ("bot_did_not_utter: {buttons: [{title: Coffee}]}", [ASKS]), True),
    Row("nothing was said", ("bot_did_not_utter: {utter_name: utter_hi}", [SET]), True),
    Row("a message without a text cannot be searched", ("bot_did_not_utter: {text_matches: x}", [PICTURE]), False),
]
# Assertions in order, the opening, the events of a test's first step; whether they all hold.
ORDERED = [
    Row(
        "the order as written",
        (["slot_was_set: [{name: a}]", "bot_uttered: {utter_name: utter_hi}"], [SET, HI, BYE]),
        True,
    ),
    Row(
        "what came first is behind",
        (["flow_started: buy", "flow_started: sell"], [flow("flow_started", "sell"), flow("flow_started", "buy"), HI]),
        False,
    ),
    Row(
        "the turn's last event leads back to its beginning",
        (["flow_started: buy", "flow_started: sell"], [flow("flow_started", "sell"), flow("flow_started", "buy")]),
        True,
    ),
    Row(
        "the slot listed last proves it",
        (["slot_was_set: [{name: b}, {name: a}]", "slot_was_set: [{name: b}]"], [SET, slot("b", 1), HI]),
        True,
    ),
    Row(
        "the button's message proves it",
        (
            [
                "bot_uttered: {utter_name: utter_bye, buttons: [{title: Tea, payload: /tea}]}",
                "bot_uttered: {text_matches: Bye}",
            ],
            [ASKS, BYE, SET],
        ),
        True,
    ),
    Row(
        "what is absent moves nothing",
        (["slot_was_not_set: [{name: b}]", "slot_was_set: [{name: a}]"], [SET, HI]),
        True,
    ),
    Row(
        "the last emptying of a slot moves on",
        (["slot_was_not_set: [{name: a}]", "bot_uttered: {utter_name: utter_hi}"], [HI, EMPTIED, BYE]),
        False,
    ),
]
# A step of the older form, the events of its turn; whether it holds.
STEPS = [
    Row("a text is compared whole", ("bot: Hi", [HI]), False),
    Row("space around the written text is nothing", ("bot: ' Hi Ann '", [HI]), True),
    Row("space in the message is something", ("bot: Hi", [bot("Hi ")]), False),
    Row("a response", ("utter: utter_hi", [HI, BYE]), True),
    Row("a slot without value takes any event", ("slot_was_set: [a]", [EMPTIED]), True),
    Row("a slot with a value", ("slot_was_set: [{a: 1}]", [SET, EMPTIED]), True),
    Row("a slot that was emptied in the end was set", ("slot_was_not_set: [a]", [SET, EMPTIED]), False),
    Row("a slot that was only emptied was set", ("slot_was_not_set: [a]", [EMPTIED]), False),
    Row("a value that came first was set", ("slot_was_not_set: [{a: 1}]", [SET, EMPTIED]), False),
    Row("another value was not", ("slot_was_not_set: [{a: 2}]", [SET, EMPTIED]), True),
    Row("true is 1", ("slot_was_set: [{a: true}]", [SET]), True),
]
# An assertion; whether the engine takes the file.
FILES = [
    Row("a flow is a text", "flow_started: buy", True),
    Row("no list of flows", "flow_started: [buy]", False),
    Row("exactly one flow with all", "flow_started: {operator: all, flow_ids: [buy, sell]}", False),
    Row("an operator is needed", "flow_started: {flow_ids: [buy]}", False),
    Row("ids are needed", "flow_started: {operator: any}", False),
    Row("an operator in capitals", "flow_started: {operator: ALL, flow_ids: [buy]}", True),
    Row("a third operator", "flow_started: {operator: one, flow_ids: [buy]}", False),
    Row("options are no text", "pattern_clarification_contains: buy", False),
    Row("options are not empty", "pattern_clarification_contains: []", False),
    Row("several ids with all", "pattern_clarification_contains: {operator: all, flow_ids: [buy, sell]}", True),
    Row("a completed flow is no text", "flow_completed: buy", False),
    Row("a completed flow has an id", "flow_completed: {flow_step_id: x}", False),
    Row("an unknown key", "flow_completed: {flow_id: buy, step: x}", False),
    Row("an unknown assertion", "flow_begun: buy", False),
    Row("a slot has a name", "slot_was_set: [{value: 1}]", False),
    Row("slots are a list", "slot_was_set: {name: a}", False),
    Row("a message without parts", "bot_uttered: {}", False),
    Row("a forbidden message without parts", "bot_did_not_utter: {}", False),
    Row("an empty list of buttons", "bot_uttered: {utter_name: utter_hi, buttons: []}", False),
    Row("an assertion for a model", "generative_response_is_grounded: {threshold: 0.5}", True),
]


METADATA = "metadata: [{second: {n: 2}}]\n"


def read_step(folder: Path, text: str) -> tuple[list[Case], list[Problem]]:
    path = folder / "cases.yml"
    path.write_text(f"{METADATA}test_cases:\n  - test_case: one\n    steps:\n{indent(text, ' ' * 6)}\n")
    cases, problems = read_cases([path], folder, Trees())
    return cases, [p for p in problems if p.severity == "error"]


def asserting(*assertions: str, more: str = "") -> str:
    listed = "\n".join(f"    - {assertion}" for assertion in assertions)
    return f"- user: hi\n{more}  assertions:\n{listed}"


@each(ASSERTIONS)
def test_an_assertion_holds_where_the_engine_lets_it(row: Row, tmp_path: Path) -> None:
    """Which event decides, and how values, texts and buttons are compared."""
    assertion, events = row.given
    [case], problems = read_step(tmp_path, asserting(assertion))

    assert problems == []
    assert (failed_checks(case.steps[0].checks, events, is_ordered=False) == ()) is row.engine


@each(ORDERED)
def test_assertions_in_order_hold_where_the_engine_lets_them(row: Row, tmp_path: Path) -> None:
    """Each looks behind what proved the one before."""
    assertions, events = row.given
    [case], problems = read_step(tmp_path, asserting(*assertions, more="  assertion_order_enabled: true\n"))

    assert problems == []
    assert (failed_checks(case.steps[0].checks, events, is_ordered=True) == ()) is row.engine


@each(STEPS)
def test_a_step_of_the_older_form_holds_where_the_engine_lets_it(row: Row, tmp_path: Path) -> None:
    """It looks at all of a turn's events, not at the last."""
    step, events = row.given
    [case], problems = read_step(tmp_path, f"- user: hi\n- {step}")

    assert problems == []
    assert (failed_checks(case.steps[0].checks, events, is_ordered=False) == ()) is row.engine


@each(FILES)
def test_a_file_is_read_where_the_engine_reads_it(row: Row, tmp_path: Path) -> None:
    """What its schema refuses is refused here, with a line."""
    _, problems = read_step(tmp_path, asserting(row.given))

    assert (problems == []) is row.engine


TURNS = [
    Row("the first step sees the session's start", ("slot_was_set: [{name: a}]", True), True),
    Row("a flow that started before is not seen", ("flow_started: buy", True), False),
    Row("a later step does not see it", ("slot_was_set: [{name: a}]", False), False),
]


@each(TURNS)
def test_the_first_step_of_a_test_sees_what_came_before_it(row: Row, tmp_path: Path) -> None:
    """Slots, messages and actions, and the fixtures among them."""
    assertion, is_first = row.given
    text = asserting(assertion) if is_first else f"- user: hello\n{asserting(assertion)}"
    [case], _ = read_step(tmp_path, text)
    step = case.steps[-1]
    opening = [SET, flow("flow_started", "buy")] if step.is_first else []

    assert (failed_checks(step.checks, [HI], is_ordered=False, opening=opening) == ()) is row.engine


@each(
    [
        Row("a step without words", "- user: ''", ["hello"]),
        Row("a step without anything", "- user:", ["hello"]),
    ]
)
async def test_a_step_of_the_user_without_a_message_is_passed_over(row: Row, tmp_path: Path) -> None:
    """Nothing is sent, so that nothing of it is in the conversation."""
    found = read_project(project(tmp_path / "bot", {"domain.yml": DOMAIN, "data/flows.yml": CAFE_FLOWS}))
    [case], problems = read_step(tmp_path, f"{row.given}\n- user: hello")

    result = await play(case, Stage(found, Settings(), OfflineCommandGenerator), FailureLog())

    assert problems == []
    assert [played.turn.message for played in result.turns if played.step is not None] == row.engine


async def test_of_two_messages_with_the_same_words_the_first_turn_is_judged(tmp_path: Path) -> None:
    """Engines find a turn by its message (rasa-pro 3.21.0, read); metadata tells two of them apart."""
    found = read_project(project(tmp_path / "bot", {"domain.yml": DOMAIN, "data/flows.yml": CAFE_FLOWS}))
    stage = Stage(found, Settings(), OfflineCommandGenerator)
    first = asserting("flow_started: order_drink").replace("hi", "order a drink")
    between = "- user: never mind\n  assertions: [flow_cancelled: {flow_id: order_drink}]"
    again = first.replace("flow_started: order_drink", "flow_started: pay_bill")
    apart = again.replace("  assertions", "  metadata: second\n  assertions")
    same, problems = read_step(tmp_path, "\n".join((first, between, first)))
    other, _ = read_step(tmp_path, "\n".join((first, between, again)))
    told_apart, _ = read_step(tmp_path, "\n".join((first, between, apart.replace("pay_bill", "order_drink"))))

    assert problems == []
    outcomes = [(await play(case, stage, FailureLog())).outcome for [case] in (same, other, told_apart)]
    assert outcomes == ["passed", "failed", "passed"]
