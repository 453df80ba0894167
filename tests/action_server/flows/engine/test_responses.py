"""Texts of responses: what stands in braces, what the environment fills in, and which variation is said."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from action_server.errors import ResponseError
from action_server.flows.player.responses import choose_variation, render_variation
from action_server.project.domain import Response, SlotConstraint, Variation
from action_server.project.places import Problems
from action_server.project.yaml_tree import parse_tree
from action_server.source import Place
from tests.action_server.flows.engine.rows import READ, RUN, Row, each

# Of those that fit, there is only one.
CHANCE = random.Random(1)  # noqa: S311 - which variation is said is no secret
HERE = Place(file="domain.yml")
VALUES = {"name": "Ann", "empty": None, "n": 5.0, "my slot": "here", "context": {"canceled_name": "pay"}}
# A text with braces; what is said.
TEXTS = [
    Row("a slot", "Hi {name}", "Hi Ann", RUN),
    Row("an empty slot is None", "Hi {empty}", "Hi None", RUN),
    Row("a number as Python writes it", "{n} left", "5.0 left", RUN),
    Row("one unknown name leaves all as it is", "{name} and {nobody}", "{name} and {nobody}", RUN),
    Row("a name with a space", "It is {my slot}", "It is here", RUN),
    Row("the context cannot be looked into", "Stop {context.canceled_name}", "Stop {context.canceled_name}", RUN),
    Row("`slots` is no value", "Hi {slots.name}", "Hi {slots.name}", READ),
    Row("braces of JSON", '{"a": 1}', '{"a": 1}', RUN),
    Row("braces of JSON beside a slot", '{name}: {"a": 1}', '{name}: {"a": 1}', RUN),
    Row("double braces stay once", "Hi {{name}}", "Hi {name}", RUN),
    Row("double braces of JSON", '/inform{{"a": "b"}}', '/inform{"a": "b"}', RUN),
    Row("double braces beside a slot change nothing", "{name} {{name}}", "{name} {{name}}", RUN),
    Row("a number is no name", "Hi {0}", "Hi {0}", RUN),
    Row("space around a name is a part of it", "Hi { name }", "Hi { name }", RUN),
    Row("a name over two lines is none", "Hi {na\nme} {name}", "Hi {na\nme} {name}", RUN),
    Row("one brace alone fails", "50 % } {name}", None, RUN),
    Row("no braces", "Hi $name", "Hi $name", RUN),
]
# A Jinja text; what is said.
JINJA = [
    Row("a slot by its name", "Hi {{ name }}", "Hi Ann", READ),
    Row("the context", "Stop {{ context.canceled_name }}", "Stop pay", READ),
    Row("an unknown name is nothing", "Hi {{ nobody }}!", "Hi !", READ),
    Row("`slots` is not there", "Hi {{ slots.name }}", "Hi {{ slots.name }}", READ),
    Row("looking into nothing leaves the text", "{{ name }} {{ nobody.age }}", "{{ name }} {{ nobody.age }}", READ),
    Row("braces of the other kind", "{name}", "{name}", READ),
    Row("an error of the template fails", "{{ 1 / 0 }}", None, READ),
]
# A line of YAML with the environment NAME=Ann; the text.
ENVIRONMENT = [
    Row("without quotes", "text: Hi ${NAME}!", "Hi Ann!", RUN),
    Row("in quotes", 'text: "Hi ${NAME}!"', "Hi ${NAME}!", RUN),
    Row("in single quotes", "text: 'Hi ${NAME}!'", "Hi ${NAME}!", RUN),
    Row("in a block", "text: |-\n  Hi ${NAME}!", "Hi ${NAME}!", RUN),
    Row("without braces alone", "text: Hi $NAME", "Hi $NAME", RUN),
    Row("beside one with braces", "text: $NAME ${NAME}", "Ann Ann", RUN),
    Row("a number stays a text", "text: ${AGE}", "30", RUN),
]
# The condition's value, the slot's; whether the variation fits.
OLD_CONDITIONS = [
    Row("texts in any case", ("Gold", "gold"), True, RUN),
    Row("other texts", ("Gold", "silver"), False, RUN),
    Row("5 is 5.0", (5, 5.0), True, RUN),
    Row("true is 1", (True, 1), True, RUN),
    Row("a text is no number", ("5", 5), False, RUN),
    Row("null is an empty slot", (None, None), True, RUN),
    Row("a value is not an empty slot", ("gold", None), False, RUN),
    Row("lists", (["a"], ["a"]), True, RUN),
]
# Which variations fit (conditional or not, channel); the one that is said.
CHOICES = [
    Row("a condition on the channel before all", ["", "web", "if", "if web"], "if web", READ),
    Row("the channel before a condition", ["", "web", "if"], "web", READ),
    Row("a condition before none", ["", "if"], "if", READ),
    Row("another channel never", ["", "sms", "if sms"], "", READ),
]


def said(text: str, *, jinja: bool = False) -> str | None:
    variation = Variation(at=HERE, text=text, metadata={"template": "jinja"} if jinja else {})
    try:
        return render_variation("utter_x", variation, VALUES).text
    except ResponseError:
        return None


@each(TEXTS)
def test_braces_are_filled_in_as_by_the_engine(row: Row) -> None:
    """None: the action that says it fails."""
    assert said(row.given) == row.engine


@each(JINJA)
def test_jinja_is_rendered_as_by_the_engine(row: Row) -> None:
    """With slots by their names, and the context."""
    assert said(row.given, jinja=True) == row.engine


@each(ENVIRONMENT)
def test_the_environment_is_put_into_texts_without_quotes(row: Row) -> None:
    """When the project is loaded, not when the text is said."""
    tree = parse_tree(row.given, "domain.yml", Problems(), {"NAME": "Ann", "AGE": "30"})

    assert tree is not None
    assert tree.plain()["text"] == row.engine


def test_a_variable_that_is_not_set_is_told(tmp_path: Path) -> None:
    """An engine does not load the file (rasa 3.6.21, run)."""
    problems = Problems()

    tree = parse_tree("text: Hi ${NOBODY}", "domain.yml", problems, {})

    assert tree is not None
    assert tree.plain() == {"text": "Hi ${NOBODY}"}
    assert [str(problem) for problem in problems] == [
        "domain.yml:1:7: NOBODY of the environment is not set; an engine does not load this"
    ]


@each(OLD_CONDITIONS)
def test_a_condition_of_the_old_form_compares_as_the_engine_does(row: Row) -> None:
    """`- {type: slot, name: ..., value: ...}`."""
    wanted, value = row.given
    constraint = SlotConstraint(name="s", value=wanted, at=HERE)
    response = Response(name="utter_x", at=HERE, variations=(Variation(at=HERE, text="x", constraints=(constraint,)),))

    if row.engine:
        assert choose_variation(response, "web", {"s": value}, lambda _: False, CHANCE).text == "x"
    else:
        with pytest.raises(ResponseError):
            choose_variation(response, "web", {"s": value}, lambda _: False, CHANCE)


@each(CHOICES)
def test_a_variation_is_chosen_as_by_the_engine(row: Row) -> None:
    """By the channel of the conversation, web here, and by conditions."""
    variations = []
    for kind in row.given:
        fitting = (SlotConstraint(name="s", value=1, at=HERE),) if kind.startswith("if") else ()
        channel = kind.removeprefix("if").strip()
        variations.append(Variation(at=HERE, text=kind, constraints=fitting, channel=channel))
    response = Response(name="utter_x", at=HERE, variations=tuple(variations))

    assert choose_variation(response, "web", {"s": 1}, lambda _: False, CHANCE).text == row.engine
