"""Steps of each kind are read completely."""

from __future__ import annotations

import pytest

from action_server.project.flows import SetSlotsStep
from tests.action_server.flows.bots import read
from tests.action_server.project.flow_text import flow_of


def test_everything_of_a_collect_step() -> None:
    age, email = read("bank").flows["open_account"].collects
    (feedback,) = read("bank").flows["feedback"].collects
    (kept, not_kept) = read("shop").flows["keeps"].collects

    assert [(r.condition.text, r.utter) for r in age.rejections] == [
        ("slots.age < 1", "utter_not_born"),
        ("slots.age < 18", "utter_too_young"),
    ]
    assert (age.ask_utter, age.ask_action) == ("utter_ask_age", "action_ask_age")
    assert email.ask_utter == "utter_ask_email_of_account"
    assert feedback.force_slot_filling
    assert (kept.reset_after_flow_ends, not_kept.reset_after_flow_ends) == (False, None)


def test_what_only_voice_channels_need_is_no_problem() -> None:
    """The player reads neither, and complains of neither."""
    flow, problems = flow_of(
        """
    - collect: pin
      silence_timeout: {genesys: 20}
      dtmf: {length: 4, allow_audio_input: false}
"""
    )

    assert [step.collect for step in flow.collects] == ["pin"]
    assert problems == []


@pytest.mark.parametrize(
    ("written", "meant"), [("colect", "collect"), ("actions", "action"), ("set_slot", "set_slots")]
)
def test_a_misspelt_kind_of_step_is_one_problem_that_names_it(written: str, meant: str) -> None:
    """The keys of a kind that is unknown are no problems of their own."""
    flow, problems = flow_of(
        f"    - {written}: pin\n      description: four digits\n      next: END\n      id: first\n"
    )

    assert [problem.message for problem in problems] == [
        "the step 'first' of the flow 'x' has none of action, collect, set_slots, link, call, noop; it needs exactly "
        f"one; did you mean {meant!r}?"
    ]
    assert [step.id for step in flow.steps] == ["first"]

    [problem] = flow_of(f"    - {written}: pin\n")[1]
    assert problem.message.endswith(f"this is none of them; did you mean {meant!r}?")


def test_everything_of_a_call() -> None:
    tool, agent = (read("shop").flows[name].calls[0] for name in ("tool", "agent"))

    assert (tool.call, tool.mcp_server) == ("look_up", "shop")
    assert tool.mapping["output"] == [{"slot": "note", "value": "result.content"}]
    assert [c.text for c in agent.exit_if] == ["slots.note is not null"]


def test_both_forms_of_set_slots() -> None:
    steps = [s for s in read("shop").flows["levels"].steps if isinstance(s, SetSlotsStep)]

    assert [s.slots for s in steps] == [(("level", 3), ("vip", True)), (("level", 4),)]
