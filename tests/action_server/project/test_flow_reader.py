"""Flows are read completely: every shape that is documented, and where each thing stands."""

from __future__ import annotations

import pytest

from action_server.project.flows import ActionStep, Flow, NoopStep
from action_server.project.project import Project
from tests.action_server.flows.bots import read
from tests.action_server.project.flow_text import flow_of

FINE = ("bank", "repair", "plain", "events", "seed")


def targets(flow: Flow) -> dict[str, list[str]]:
    return {step.id: [branch.target for branch in step.next] for step in flow.steps}


@pytest.mark.parametrize("name", FINE)
def test_a_project_without_problems(name: str) -> None:
    assert read(name).problems == ()


def test_there_are_flows_enough() -> None:
    """What these tests play is a body of flows, not an example."""
    assert sum(len(read(name).flows) for name in (*FINE, "shop", "broken")) >= 80


def test_everything_of_a_flow() -> None:
    flows = read("bank").flows
    hello = flows["hello"]

    assert [t.intent for t in hello.nlu_trigger] == ["greet", "good_day"]
    assert hello.guard is not None
    assert hello.guard.text == "False"
    assert not flows["feedback"].run_pattern_completed
    assert flows["open_account"].persisted_slots == ("email",)
    assert (flows["transfer_money"].readable_name, flows["block_card"].readable_name) == ("send money", "block card")
    premium = flows["premium_offer"]
    assert premium.guard is not None
    assert premium.guard.text == "slots.is_premium AND not slots.recipient"


NESTED = """
    - action: utter_a
    - id: ask
      collect: b
      next:
        - if: slots.b
          then:
            - action: utter_c
            - set_slots: [{b: null}]
              next: ask
        - if: slots.c
          then: END
        - else:
            - link: y
    - noop: true
      next:
        - else:
            - call: z
              next: END
"""


def test_steps_follow_each_other_unless_they_say_otherwise() -> None:
    """Ids that are made follow the engine's form; nested steps are counted where they stand."""
    flow, problems = flow_of(NESTED)

    assert problems == []
    assert targets(flow) == {
        "x_0_utter_a": ["ask"],
        "ask": ["x_2_utter_c", "END", "x_4_link_y"],
        "x_2_utter_c": ["x_3_set_slots"],
        "x_3_set_slots": ["ask"],
        "x_4_link_y": ["END"],
        "x_5_noop": ["x_6_call_z"],
        "x_6_call_z": ["END"],
    }


def test_branches_and_what_they_hold() -> None:
    flow, _ = flow_of(NESTED)
    ask = flow.step("ask")

    assert ask is not None
    assert [(b.condition.text if b.condition else None, b.is_else) for b in ask.next] == [
        ("slots.b", False),
        ("slots.c", False),
        (None, True),
    ]
    assert {s.id: s.inside_of for s in flow.steps if s.inside_of} == {
        "x_2_utter_c": "ask",
        "x_3_set_slots": "ask",
        "x_4_link_y": "ask",
        "x_6_call_z": "x_5_noop",
    }


def test_ids_that_look_like_numbers_and_quoted_ends() -> None:
    """They are numbers for engines, which refuse them; what they lead to is read nevertheless."""
    flow, problems = flow_of(
        """
    - id: 1
      noop: true
      next: [{if: slots.a, then: 18_65}, {else: "END"}]
    - id: 18_65
      action: utter_a
      next: 1
"""
    )

    assert [problem.message.rpartition(", not ")[2] for problem in problems[:2]] == [
        "to a number (flow 'x')",
        "a number",
    ]
    assert targets(flow) == {"1": ["18_65", "END"], "18_65": ["1"]}


def test_branches_under_noop_are_read_and_named() -> None:
    """One page of the documentation has them so, and engines refuse them."""
    flow, problems = flow_of(
        """
    - id: decide
      noop: [{if: slots.a, then: say}, {else: cancel}]
    - id: say
      action: a
      next: cancel
    - id: cancel
      action: b
"""
    )
    decide = flow.step("decide")

    assert [problem.message for problem in problems] == [
        "the step 'decide' of the flow 'x' is a noop, which needs a `next`"
    ]

    assert isinstance(decide, NoopStep)
    assert [b.target for b in decide.next] == ["say", "cancel"]


def test_anchors_and_merges() -> None:
    flow, problems = flow_of(
        """
    - &ask
      collect: a
      ask_before_filling: true
    - <<: *ask
      collect: b
"""
    )

    assert problems == []
    assert [(s.collect, s.ask_before_filling) for s in flow.collects] == [("a", True), ("b", True)]


def test_each_element_knows_its_place() -> None:
    project = read("bank")
    flow = project.flows["transfer_money"]
    file = flow.at.file

    assert file.endswith("projects/bank/data/flows/money.yml")
    assert (flow.at.line, flow.at.column) == (2, 3)
    step = flow.step("ask_amount")
    assert step is not None
    assert (step.at.line, step.at.column, str(step.at)) == (8, 9, f"{file}:8")
    check = next(s for s in flow.steps if isinstance(s, ActionStep) and s.action == "action_check_funds")
    condition = check.next[0].condition
    assert condition is not None
    assert (condition.at.line, condition.at.column) == (13, 17)
    assert project.domain.slots["amount"].at.line == 14
    assert project.domain.responses["utter_ask_amount"].variations[0].at.line == 11
    assert project.domain.actions["action_balance"].at.line == 4


PROBLEMS = [
    ("domain/one.yml", 3, "'flaot' is not a type of slots"),
    ("domain/one.yml", 3, "did you mean 'float'?"),
    ("domain/one.yml", 4, "the slot 'kind' is categorical and has no `values`"),
    ("domain/one.yml", 7, "'from_lllm' is not a type of mappings"),
    ("domain/one.yml", 8, "has no `rejections`"),
    ("domain/one.yml", 10, "the slot 'untyped' has no type"),
    ("domain/one.yml", 12, "has to be a list of variations, not an empty list"),
    ("domain/one.yml", 13, "has neither `text` nor `custom`"),
    ("domain/one.yml", 14, "a variation of 'utter_old' has to be a mapping"),
    ("domain/one.yml", 16, "'actions' of a domain lists names, not a list"),
    ("domain/one.yml", 18, "a domain has no key 'slotz'; did you mean 'slots'?"),
    ("domain/syntax.yml", 3, "is not YAML"),
    ("domain/two.yml", 2, "slot 'twice' also stands at"),
    ("domain/two.yml", 4, "response 'utter_a' also stands at"),
    ("domain/two.yml", 6, "'session_expiration_time' of session_config has to be a number"),
    ("data/again.yml", 6, "the key 'fine' stands here twice"),
    ("data/again.yml", 10, "a data file has no key 'extra'"),
    ("data/encoding.yml", 1, "cannot be read as UTF-8 text (at byte 7)"),
    ("data/flows.yml", 2, "flow 'fine' also stands at"),
    ("data/flows.yml", 6, "'two words' is not the id of a flow"),
    ("data/flows.yml", 11, "the flow 'no_steps' has no steps"),
    ("data/flows.yml", 12, "the flow 'no_description' has no description"),
    ("data/flows.yml", 15, "has no key 'nxt'; did you mean 'next'?"),
    ("data/flows.yml", 18, "has no key 'stps'; did you mean 'steps'?"),
    ("data/flows.yml", 19, "'persisted_slots' of the flow 'steps_of_all_kinds' has to be a list, not a text"),
    ("data/flows.yml", 20, "'run_pattern_completed' of the flow"),
    ("data/flows.yml", 21, "names no intent"),
    ("data/flows.yml", 23, "has more than one of action, collect"),
    ("data/flows.yml", 26, "this is none of them"),
    ("data/flows.yml", 27, "this is a text"),
    ("data/flows.yml", 28, "is a noop, which needs a `next`"),
    ("data/flows.yml", 30, "is a link, which ends the flow: it can have no `next`"),
    ("data/flows.yml", 34, "no step has the id 'nowhere_at_all'"),
    ("data/flows.yml", 34, "have no `else`"),
    ("data/flows.yml", 36, "leads nowhere"),
    ("data/flows.yml", 37, "either `if` and `then` or `else`"),
    ("data/flows.yml", 40, "needs a `next`, at least END"),
    ("data/flows.yml", 41, "two steps have the id 'branches'"),
    ("data/flows.yml", 43, "needs both `if` and `utter`"),
    ("data/flows.yml", 44, "`next` has to be an id, END or a list of branches"),
    ("data/flows.yml", 45, "sets no slot"),
    ("data/flows.yml", 46, "lists slots with values"),
    ("data/flows.yml", 49, "no step has the id 'nxt_step'; did you mean 'next_step'?"),
    ("data/list.yml", 1, "a data file has to be a mapping"),
    ("data/tab.yml", 2, "is not YAML"),
    ("data/wrong.yml", 1, "'flows' has to be a mapping of ids to flows"),
]


@pytest.fixture(scope="module")
def broken() -> Project:
    return read("broken")


@pytest.mark.parametrize(("file", "line", "message"), PROBLEMS)
def test_what_cannot_be_read_is_named(broken: Project, file: str, line: int, message: str) -> None:
    found = [p.message for p in broken.problems if p.file.endswith(f"projects/broken/{file}") and p.line == line]

    assert any(message in text for text in found), [str(p) for p in broken.problems]


def test_there_is_no_problem_beyond_those(broken: Project) -> None:
    """Every problem of the broken project is one of the table's."""
    expected = {(file, line) for file, line, _ in PROBLEMS}
    found = {(p.file.rpartition("projects/broken/")[2], p.line) for p in broken.problems}

    assert found == expected


def test_the_rest_is_read_all_the_same(broken: Project) -> None:
    assert set(broken.flows) == {"fine", "two words", "no_steps", "no_description", "steps_of_all_kinds"}
    assert {"age", "kind", "rule", "twice", "untyped"} < set(broken.domain.slots)
    assert broken.domain.slots["twice"].type == "text"
    assert broken.domain.forms["old_form"].required_slots == ("age",)
    steps = broken.flows["steps_of_all_kinds"].steps
    assert [step.id for step in steps if step.has_id] == ["two_kinds", "branches", "branches", "next_step"]


def test_the_first_of_two_flows_counts(broken: Project) -> None:
    """As the files are read in the order of their names, that is the one of again.yml."""
    assert broken.flows["fine"].description == "A second one of this name."
