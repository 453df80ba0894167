"""Responses of the domain are said to a caller of a tool as an engine says them."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from action_server.tools.messages import messages_of, text_of_messages
from tests.action_server.flows.engine.rows import Row, each
from tests.action_server.flows.engine.test_responses import CHOICES, JINJA, OLD_CONDITIONS, TEXTS

VALUES = {"name": "Ann", "empty": None, "n": 5.0, "my slot": "here", "context": {"canceled_name": "pay"}}


def said(*variations: dict[str, Any], slots: dict[str, Any] | None = None, **own: Any) -> str:
    """Return what a caller reads of `utter_message(response="utter_x", **own)`."""
    domain = {
        "slots": {"unset": {"type": "text"}, "first": {"initial_value": 1}},
        "responses": {"utter_x": list(variations)},
    }
    return text_of_messages(messages_of([{"response": "utter_x", **own}], domain, VALUES if slots is None else slots))


@each(TEXTS)
def test_braces_are_filled_in_as_by_the_engine(row: Row) -> None:
    """The rows of the player; what an engine does not say at all is said as it is written."""
    assert said({"text": row.given}) == (row.given if row.engine is None else row.engine)


@each(JINJA)
def test_jinja_is_rendered_as_by_the_engine(row: Row) -> None:
    """With `template: jinja` in the metadata."""
    text = said({"text": row.given, "metadata": {"template": "jinja"}})

    assert text == (row.given if row.engine is None else row.engine)


@each(OLD_CONDITIONS)
def test_a_condition_of_the_old_form_compares_as_the_engine_does(row: Row) -> None:
    """`- {type: slot, name: ..., value: ...}`."""
    wanted, value = row.given
    special = {"text": "special", "condition": [{"type": "slot", "name": "s", "value": wanted}]}

    assert said({"text": "usual"}, special, slots={"s": value}) == ("special" if row.engine else "usual")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("slots.tier == 'gold'", True),
        ("slots.tier == 'silver'", False),
        ("slots.points > 10 and slots.tier is not 'silver'", True),
        ("slots.unset is null", True),
        ("slots.points >", False),
    ],
)
def test_a_condition_that_is_a_predicate_is_evaluated(condition: str, holds: bool) -> None:
    """As flows have them; one that does not parse is false."""
    text = said({"text": "usual"}, {"text": "special", "condition": condition}, slots={"tier": "gold", "points": 20})

    assert text == ("special" if holds else "usual")


@each(CHOICES)
def test_a_tool_has_no_channel(row: Row) -> None:
    """What is said only in a channel is not said; conditions come before none."""
    made = []
    for kind in row.given:
        channel = kind.removeprefix("if").strip()
        condition = {"condition": "slots.s == 1"} if kind.startswith("if") else {}
        made.append({"text": kind or "usual", **condition, **({"channel": channel} if channel else {})})

    assert said(*made, slots={"s": 1}) == ("if" if "if" in row.given else "usual")


def test_slots_of_the_domain_are_there_before_anybody_fills_them() -> None:
    """An empty one is None, one with an initial value has it, and what the action gives comes before all."""
    assert said({"text": "{unset} {first}"}, slots={}) == "None 1"
    assert said({"text": "{unset} {first}"}, slots={"first": 2}, unset="now") == "now 2"


@pytest.mark.parametrize("domain", [{}, {"responses": ["utter_x"]}, {"responses": {"utter_x": "hello"}}])
def test_a_response_that_the_domain_does_not_have_keeps_its_name(domain: dict[str, Any]) -> None:
    """Also where what stands there is none."""
    assert messages_of([{"response": "utter_x", "text": ""}], domain, {}) == [{"response": "utter_x"}]


def test_elements_stay_as_they_are_and_buttons_are_added() -> None:
    """Parts with names in them."""
    variation = {
        "text": "x",
        "elements": [{"title": "{n}"}],
        "buttons": [{"title": "{n}", "payload": "/a"}],
        "image": "{n}",
    }
    domain = {"responses": {"utter_x": [variation]}}

    [message] = messages_of([{"response": "utter_x", "buttons": [{"title": "b"}]}], domain, {"n": 5})

    assert message == {
        "text": "x",
        "elements": [{"title": "{n}"}],
        "buttons": [{"title": "5", "payload": "/a"}, {"title": "b"}],
        "image": "5",
    }


def test_parts_of_the_action_come_before_those_of_the_domain() -> None:
    """As `utter_message(response=..., image=...)` is said."""
    domain = {"responses": {"utter_x": [{"text": "x", "image": "domain.png"}]}}

    [message] = messages_of([{"response": "utter_x", "image": "own.png"}], domain, {})

    assert message == {"text": "x", "image": "own.png"}


def test_without_the_extra_what_needs_it_is_not_said_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """No predicate holds, and a text of Jinja stays as it is written."""
    for name in ("jinja2", "action_server.project.conditions"):
        monkeypatch.setitem(sys.modules, name, None)

    assert said({"text": "usual"}, {"text": "special", "condition": "slots.n == 5"}) == "usual"
    assert said({"text": "{{ name }}", "metadata": {"template": "jinja"}}) == "{{ name }}"


def test_what_is_empty_or_no_text_is_not_said() -> None:
    """It would leave a line that says nothing."""
    assert text_of_messages([{"text": ""}, {"text": "a"}, {"image": "x"}, {"text": 5}, {"text": "b"}]) == "a\nb"


def test_a_template_is_a_response_of_its_old_name() -> None:
    """As in rasa-sdk."""
    domain = {"responses": {"utter_x": [{"text": "x"}]}}

    assert messages_of([{"template": "utter_x"}], domain, {}) == [{"text": "x"}]


def test_a_variation_whose_condition_does_not_hold_is_never_said() -> None:
    """Also where there is no other one."""
    domain = {"responses": {"utter_x": [{"text": "x", "condition": "slots.n == 5"}]}}

    assert messages_of([{"response": "utter_x"}], domain, {"n": 4}) == [{"response": "utter_x"}]
