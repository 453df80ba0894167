"""Texts of responses: what stands in braces, what the environment fills in, and which variation is said."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from action_server.errors import ResponseError
from action_server.flows.player.responses import choose_variation, message_from_action, render_variation
from action_server.flows.player.trace import BotMessage
from action_server.project.domain import Response, SlotConstraint, Variation
from action_server.project.flows import Condition
from action_server.project.places import Problems
from action_server.project.yaml_tree import parse_tree
from action_server.source import Place
from tests.action_server.flows.engine.rows import READ, RUN, Row, each

# Of those that fit, there is only one.
CHANCE = random.Random(1)  # noqa: S311 - which variation is said is no secret
HERE = Place(file="domain.yml")
VALUES = {
    "name": "Ann",
    "empty": None,
    "odd": "Room 0[1]",
    "n": 5.0,
    "my slot": "here",
    "context": {"canceled_name": "pay"},
}
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
    Row("a value with a zero and a bracket leaves all as it is", "In {odd}", "In {odd}", RUN),
    Row("a part of a slot is a name", "Hi {name[0]}", "Hi {name[0]}", RUN),
    Row("a format of a number is a name", "{n:.2f}", "{n:.2f}", RUN),
    Row("a conversion is a name", "{name!r}", "{name!r}", RUN),
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
# What a variation is beside its text; what stands in the metadata of its message.
METADATA = [
    Row("nothing", {}, {}),
    Row(
        "its metadata are kept whole",
        {"metadata": {"rephrase": True, "rephrase_prompt": "Be kind."}},
        {"metadata": {"rephrase": True, "rephrase_prompt": "Be kind."}},
    ),
    Row("the template's name as well", {"metadata": {"template": "jinja"}}, {"metadata": {"template": "jinja"}}),
    Row("channel and id", {"channel": "web", "id": "a"}, {"channel": "web", "id": "a"}),
    Row(
        "unknown keys stand beside them",
        {"extra": {"sound": "ding"}, "metadata": {"a": 1}},
        {"sound": "ding", "metadata": {"a": 1}},
    ),
]
# Parts of a variation; what they are once the values are filled in. None: the action that says it fails.
PARTS = [
    Row("buttons", {"buttons": [{"title": "{name}", "payload": "/a"}]}, [{"title": "Ann", "payload": "/a"}]),
    Row("custom, however deep", {"custom": {"a": [{"b": "{name}"}], "{name}": 1}}, {"a": [{"b": "Ann"}], "{name}": 1}),
    Row("elements are left as they are", {"elements": [{"title": "{name}"}]}, [{"title": "{name}"}]),
    Row("an image", {"image": "{name}.png"}, "Ann.png"),
    Row("quick replies", {"quick_replies": [{"title": "{name}"}]}, [{"title": "Ann"}]),
    Row("a template of another kind fails", {"metadata": {"template": "f-string"}}, None),
]
# What an action sends, over a response of the domain that says "Hi" with a button and an image; text, image, buttons.
FROM_ACTIONS = [
    Row("the text of the domain", {"text": "Hello"}, ("Hi", "a.png", ["A"])),
    Row("the image of the domain", {"image": "b.png"}, ("Hi", "a.png", ["A"])),
    Row("buttons are added", {"buttons": [{"title": "B", "payload": "b"}]}, ("Hi", "a.png", ["A", "B"])),
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
    Row("an empty list of conditions is never met", ["", "none"], "", READ),
    Row("an empty condition is never met", ["", "blank"], "", READ),
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


@each(METADATA)
def test_what_is_not_said_is_kept_as_by_the_engine(row: Row) -> None:
    """In the metadata of the message, where actions find it."""
    message = render_variation("utter_x", Variation(at=HERE, text="x", **row.given), VALUES)

    assert message.metadata == row.engine


@each(PARTS)
def test_parts_of_a_response_are_filled_in_as_by_the_engine(row: Row) -> None:
    """All of them but one kind."""
    variation = Variation(at=HERE, text="x", **row.given)
    if row.engine is None:
        with pytest.raises(ResponseError, match="its `template` is"):
            render_variation("utter_x", variation, VALUES)
    else:
        assert getattr(render_variation("utter_x", variation, VALUES), next(iter(row.given))) == row.engine


@each(FROM_ACTIONS)
def test_what_the_domain_has_replaces_what_an_action_sends(row: Row) -> None:
    """But for buttons; the message is the response's, and says which action made it."""
    variation = Variation(at=HERE, text="Hi", image="a.png", buttons=({"title": "A", "payload": "a"},))

    message = message_from_action(
        {"response": "utter_x", **row.given}, "action_a", lambda name, values: render_variation(name, variation, VALUES)
    )

    assert message is not None
    assert (message.text, message.image, [b["title"] for b in message.buttons]) == row.engine
    assert (message.response, message.source) == ("utter_x", "action_a")


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

    chosen = choose_variation(response, "web", {"s": value}, lambda _: False, CHANCE)

    assert (chosen is not None) is row.engine


@each(CHOICES)
def test_a_variation_is_chosen_as_by_the_engine(row: Row) -> None:
    """By the channel of the conversation, web here, and by conditions."""
    variations = []
    for kind in row.given:
        fitting = (SlotConstraint(name="s", value=1, at=HERE),) if kind.startswith("if") else None
        never = () if kind == "none" else fitting
        blank = Condition(text="", at=HERE) if kind == "blank" else None
        channel = kind.removeprefix("if").removeprefix("none").removeprefix("blank").strip()
        variations.append(Variation(at=HERE, text=kind, constraints=never, condition=blank, channel=channel))
    response = Response(name="utter_x", at=HERE, variations=tuple(variations))

    chosen = choose_variation(response, "web", {"s": 1}, lambda _: False, CHANCE)

    assert chosen is not None
    assert chosen.text == row.engine


def test_what_the_domain_has_replaces_what_an_action_sends_beside_a_response() -> None:
    """What only one of them has stays (rasa-pro 3.21.0, read)."""
    sent = {"response": "utter_x", "sound": "action", "light": "action"}
    made = BotMessage(text="Hi", metadata={"sound": "domain", "id": "a"})

    message = message_from_action(sent, "action_x", lambda name, values: made)

    assert message is not None
    assert message.metadata == {"sound": "domain", "id": "a", "light": "action"}
