"""The one form of each kind of value, as it was run with twenty packages: to the letter, types and words."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.tools.shapes import Kind, Shape, schema_of

TEXT = {"type": "string"}
NULL = {"type": "null"}
PART = {"anyOf": [{"type": "boolean"}, NULL], "description": "True or false. Null if unknown."}


def number(kind: Kind = "number", low: float | None = None, high: float | None = None) -> Shape:
    return Shape(kind, minimum=low, maximum=high)


FORMS: list[tuple[Shape, list[dict[str, Any]], str]] = [
    (Shape("text"), [TEXT], "A text."),
    (Shape("bool"), [{"type": "boolean"}], "True or false."),
    (number(), [{"type": "number"}], "A number."),
    (number(low=0, high=0), [{"type": "number"}], "A number from 0 to 0."),
    (number(low=0), [{"type": "number"}], "A number, at least 0."),
    (number(high=0), [{"type": "number"}], "A number, at most 0."),
    (number(low=0.1, high=1_234_567.5), [{"type": "number"}], "A number from 0.1 to 1234567.5."),
    (number(low=8.0), [{"type": "number"}], "A number, at least 8."),
    (number("integer"), [{"type": "integer"}], "A whole number."),
    (Shape("categorical", ("a", "", 2, True, "2")), [{**TEXT, "enum": ["a", "2", "true"]}], "One of: a, 2, true."),
    (Shape("categorical", ("",)), [TEXT], "A text."),
    (Shape("list"), [{"type": "array", "items": TEXT}], "A list."),
    (
        Shape("list", items=Shape("bool", description="Whether")),
        [{"type": "array", "items": {"type": "boolean"}}],
        "A list. Each item: Whether. Each item: true or false.",
    ),
    (
        Shape("list", items=Shape(options=(Shape("bool"), Shape("integer")))),
        [{"type": "array", "items": TEXT}],
        "A list. Each item: true or false or a whole number.",
    ),
    (Shape("object"), [TEXT], "A text that holds a JSON object."),
    (
        Shape("record", fields=(("p", Shape("bool")), ("q", Shape("bool"))), required=("p",)),
        [{"type": "object", "properties": {"p": PART, "q": PART}, "required": ["p"]}],
        "An object with p, q.",
    ),
    (
        Shape("record", fields=(("p", Shape("bool")),)),
        [{"type": "object", "properties": {"p": PART}}],
        "An object with p.",
    ),
    (
        Shape(),
        [{"type": "array", "items": TEXT}, {"type": "boolean"}, {"type": "number"}, TEXT],
        "A text, a number, true or false, or a list.",
    ),
    (
        Shape(options=(Shape("text"), Shape("integer"), Shape("number"), Shape("categorical", ("a",)))),
        [{"type": "number"}, TEXT],
        "A text, a whole number, a number or one of: a.",
    ),
    (
        Shape(options=(Shape("list", items=Shape("bool")), Shape("list", items=Shape("integer")), Shape("bool"))),
        [{"type": "array", "items": TEXT}, {"type": "boolean"}],
        "A list (each item: true or false), a list (each item: a whole number) or true or false.",
    ),
    (
        Shape(options=(Shape("categorical", ("a", "b")), Shape("bool"))),
        [{"type": "boolean"}, {**TEXT, "enum": ["a", "b"]}],
        "One of: a, b, or true or false.",
    ),
    (Shape("text", words=("In the format date.",)), [TEXT], "A text. In the format date."),
]


@pytest.mark.parametrize(("shape", "options", "words"), FORMS, ids=[words for _, _, words in FORMS])
def test_a_kind_of_value_has_one_form(shape: Shape, options: list[dict[str, Any]], words: str) -> None:
    """Null is the last of its types, and what the types say stands in the words once more; nothing else is there."""
    assert schema_of(shape) == {"anyOf": [*options, NULL], "description": f"{words} Null if unknown."}
    assert schema_of(shape, "What for")["description"] == f"What for. {words} Null if unknown."
    assert [*schema_of(shape)] == ["anyOf", "description"]
