"""Entries are taken by type, and what nobody took is told."""

from __future__ import annotations

import pytest

from action_server.project.fields import Fields, did_you_mean, kind_of
from action_server.project.places import Problems
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import parse_tree

TEXT = "{word: a, number: 1, flag: true, list: [a, 2], map: {a: 1}, empty: }"


def node_of(text: str) -> Node:
    node = parse_tree(text, "f.yml", Problems())
    assert node is not None
    return node


def fields_of(text: str) -> tuple[Fields, Problems]:
    problems = Problems()
    return Fields(node_of(text), "the flow 'x'", problems), problems


def test_entries_of_the_right_type_are_taken() -> None:
    """Numbers and booleans are no texts, and are read as they are written nevertheless."""
    fields, problems = fields_of(TEXT)

    assert (fields.text("word"), fields.text("number"), fields.text("flag")) == ("a", "1", "true")
    assert (fields.number("number"), fields.flag("flag"), fields.texts("list")) == (1, True, ("a", "2"))
    assert fields.mapping("map") == {"a": 1}
    assert (fields.text("none", "b"), fields.number("none"), fields.flag("empty", True)) == ("b", None, True)
    assert [problem.message.rpartition(" has to ")[2] for problem in problems] == [
        "be a text (write it in quotes), not a number",
        "be a text (write it in quotes), not true or false",
        "list texts, not a number",
    ]


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (lambda f: f.text("list"), "'list' of the flow 'x' has to be a text, not a list"),
        (lambda f: f.flag("word"), "'word' of the flow 'x' has to be true or false, not a text"),
        (lambda f: f.number("flag"), "'flag' of the flow 'x' has to be a number, not true or false"),
        (lambda f: f.elements("map"), "'map' of the flow 'x' has to be a list, not a mapping"),
        (lambda f: f.mapping("number"), "'number' of the flow 'x' has to be a mapping, not a number"),
        (lambda f: f.check_flag("word"), "'word' of the flow 'x' has to be true or false, not a text"),
        (lambda f: f.check_text("map"), "'map' of the flow 'x' has to be a text, not a mapping"),
        (lambda f: f.check_number("word"), "'word' of the flow 'x' has to be a number, not a text"),
        (lambda f: f.check_mapping("list"), "'list' of the flow 'x' has to be a mapping, not a list"),
    ],
)
def test_an_entry_of_another_type_is_a_problem(take: object, message: str) -> None:
    """Whether the value is needed or only its type is checked."""
    fields, problems = fields_of(TEXT)

    assert callable(take)
    take(fields)

    assert [p.message for p in problems] == [message]


def test_what_nobody_took_is_an_unknown_key() -> None:
    """With the known one that is nearest, and at its own place."""
    fields, problems = fields_of("{description: d, desciption: e}")
    fields.text("description")
    fields.note_unknown_keys("warning")

    assert [str(p) for p in problems] == [
        "f.yml:1:18: the flow 'x' has no key 'desciption'; did you mean 'description'?"
    ]
    assert problems[0].severity == "warning"


def test_keys_that_are_skipped_or_checked_are_known() -> None:
    """They mean nothing here, and are no mistake."""
    fields, problems = fields_of("{metadata: {}, translation: {}}")
    fields.skip("metadata")
    fields.check_mapping("translation")
    fields.note_unknown_keys()

    assert problems == []


def test_what_is_no_mapping_has_no_fields() -> None:
    """It is one problem, and nothing is taken from it."""
    fields, problems = fields_of("[a]")

    assert not fields.has("a")
    assert [p.message for p in problems] == ["the flow 'x' has to be a mapping, not a list"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("{}", "a mapping"), ("[]", "a list"), ("true", "true or false"), ("1.5", "a number"), ("~", "nothing")],
)
def test_kinds_in_words_for_people(text: str, kind: str) -> None:
    """As problems say them."""
    assert kind_of(node_of(text)) == kind


def test_a_name_that_is_near_no_other_gets_no_hint() -> None:
    """A guess that helps nobody is not made."""
    assert did_you_mean("zzz", ["description"]) == ""
