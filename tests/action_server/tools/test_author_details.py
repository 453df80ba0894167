"""Details of authors' schemas: what is beside a list's items, what is required within, what only notes say."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.errors import RegistrationError
from action_server.tools.authors import properties_of
from action_server.tools.shapes import schema_of

DEFS = {"Told": {"type": "string", "minLength": 1, "description": "Told in a definition"}}
NULL = {"type": "null"}
ITEMS: list[tuple[dict[str, Any], str]] = [
    (
        {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
        "Each item: a whole number or a text. Item 1: a whole number.",
    ),
    ({"prefixItems": [{"type": "integer"}] * 2, "maxItems": 2}, "A list. Each item: a whole number. At most 2 items."),
    ({"prefixItems": [{"type": "integer"}]}, "or a list. Item 1: a whole number."),
    ({"anyOf": [{"type": "array"}, NULL], "prefixItems": [{"type": "boolean"}]}, "Item 1: true or false."),
    ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "Each item: a text. Each item once."),
    ({"type": "array", "items": {"type": "string"}, "uniqueItems": False}, "Each item: a text."),
    ({"type": "array", "minItems": 2, "maxItems": 3}, "or a list. At least 2 items. At most 3 items."),
    ({"type": "string", "default": ""}, "A text."),
    ({"type": "string", "default": None}, "A text."),
    ({"type": "boolean", "default": True}, "True or false. Default: true."),
    ({"type": "string", "description": 5}, "A text."),
    ({"enum": ["a", None]}, "One of: a."),
    ({"type": "object", "properties": {}}, "A text that holds a JSON object."),
    ({"anyOf": [{}, {"type": "integer"}]}, "A text, a number, true or false, or a list."),
    (
        {"anyOf": [{"type": "string", "pattern": "a"}, {"type": "boolean"}]},
        "A text (matches the pattern a) or true or false.",
    ),
    ({"anyOf": [{"const": None}, {"type": "integer"}]}, "A whole number."),
    ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}, "A whole number. More than 0. Less than 9."),
    ({"type": "string", "contentEncoding": "base64", "x-note": {"a": 1}}, "A text. Encoded as base64."),
]


def description_of(found: Any) -> str:
    [prop] = properties_of({"properties": {"wish": found}, "$defs": DEFS}, "tool", "here")
    said: str = schema_of(prop.shape, prop.description)["description"]
    return said


@pytest.mark.parametrize(("found", "said"), ITEMS)
def test_a_detail_is_in_the_words_or_is_no_news(found: dict[str, Any], said: str) -> None:
    """What a shape cannot say stands in a sentence."""
    assert description_of(found).endswith(f"{said} Null if unknown.")


WHOLE, A_TEXT = {"type": "integer"}, {"type": "string"}
SIZE = {"const": "s", "description": "Up to two"}
PLACES: list[tuple[Any, str]] = [
    ({"anyOf": [WHOLE, NULL], "minimum": 1}, "A whole number, at least 1."),
    ({"type": "string", "anyOf": [{"minLength": 2}, NULL]}, "A text. At least 2 characters."),
    ({"anyOf": [{"type": "array"}, NULL], "items": WHOLE}, "A list. Each item: a whole number."),
    ({"anyOf": [WHOLE, NULL], "maximum": 9}, "A whole number, at most 9."),
    ({"anyOf": [WHOLE, NULL], "type": ["integer", "string"]}, "A whole number."),
    ({"minimum": 3}, "A text, a number, true or false, or a list. At least 3."),
    ({"enum": ["a"], "anyOf": [{"title": "A", **A_TEXT}]}, "One of: a."),
    ({"$ref": "#/$defs/Told", "minLength": 1}, "Told in a definition. A text. At least 1 characters."),
    (
        {"type": ["object", "null"], "additionalProperties": WHOLE, "propertyNames": {"pattern": "^k"}},
        "A text that holds a JSON object. Each key: a text. Each key: matches the pattern ^k. Each value: a whole",
    ),
    (
        {"anyOf": [{"anyOf": [{"exclusiveMinimum": 1, **WHOLE}, A_TEXT]}, {"type": "boolean"}]},
        "A whole number (more than 1), a text or true or false.",
    ),
    ({"enum": ["a", "b"], "anyOf": [A_TEXT, NULL]}, "One of: a, b."),
    ({"const": "a", "oneOf": [A_TEXT, NULL]}, "One of: a."),
    ({"enum": [1, 2], "minimum": 1, "maximum": 2}, "One of: 1, 2. At least 1. At most 2."),
    ({"anyOf": [{"description": "Which day", **A_TEXT}, NULL]}, "Which day. A text."),
    ({"anyOf": [{"$ref": "#/$defs/Told"}, NULL]}, "Told in a definition. A text."),
    ({"anyOf": [{"$ref": "#/$defs/Told"}, NULL], "description": "Told beside"}, "Told beside. A text."),
    (
        {"anyOf": [{"description": "How many", **WHOLE}, {"description": "Who", **A_TEXT}]},
        "A whole number (how many) or a text (who).",
    ),
    (
        {"anyOf": [{"type": ["integer", "string"], "description": "Room", "exclusiveMaximum": 9}, {"type": "boolean"}]},
        "A whole number (room; less than 9), a text (room; less than 9) or true or false.",
    ),
    ({"anyOf": [WHOLE, {"description": "ISO day", **A_TEXT}]}, "A whole number or a text (ISO day)."),
    (
        {"oneOf": [SIZE, {"const": "l"}, {"enum": ["m", "n"], "default": "n"}]},
        "One of: s, l, m, n. s: Up to two. m, n: Default: n.",
    ),
    ({"type": ["string", "null"], "minLength": 2}, "A text. At least 2 characters."),
    ({"type": ["object", "null"], "properties": {"p": WHOLE}, "required": ["p"]}, "An object with p."),
    ({"type": "array", "items": True}, "A list. Each item: a text, a number, true or false, or a list."),
    ({"type": "object", "additionalProperties": {"description": "Which"}}, "JSON object. Each value: Which."),
    (
        {"type": "object", "additionalProperties": {"items": {"properties": {"p": WHOLE}}}},
        "JSON object. Each value: a list. Each value: each item: an object with p. Each value's p: a whole number.",
    ),
]


@pytest.mark.parametrize(("found", "said"), PLACES)
def test_what_is_said_counts_wherever_it_stands(found: dict[str, Any], said: str) -> None:
    """Beside several options or within one, of a value or of what it is then; each once."""
    words = description_of(found)

    assert said in words
    assert words.startswith(said) or said.startswith("JSON")


NOTES: dict[str, Any] = {
    "title": "Wish",
    "examples": ["x"],
    "example": "x",
    "deprecated": True,
    "readOnly": True,
    "writeOnly": True,
    "discriminator": {"propertyName": "p"},
    "nullable": True,
    "additionalProperties": False,
    "x-unit": "day",
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$id": "a",
    "$comment": "b",
    "$anchor": "c",
    "$defs": {},
    "definitions": {},
    "default": None,
}


@pytest.mark.parametrize("name", NOTES)
def test_what_is_said_to_nobody_harms_nothing(name: str) -> None:
    """At the root and in a property: most generators write some of it."""
    noted = {name: NOTES[name]}

    [prop] = properties_of({"properties": {"wish": {**A_TEXT, **noted}}, **noted}, "tool", "here")

    assert schema_of(prop.shape, prop.description) == {
        "anyOf": [A_TEXT, NULL],
        "description": "A text. Null if unknown.",
    }


UNSAYABLE: list[tuple[Any, str]] = [
    ({"anyOf": [A_TEXT], "oneOf": [A_TEXT]}, "anyOf or oneOf"),
    ({"anyOf": True}, "anyOf or oneOf"),
    ({"enum": ["a"], "anyOf": [{"minLength": 1}]}, "values beside"),
    ({"const": "a", "anyOf": [{"minLength": 1}]}, "values beside"),
    ({"$ref": "#/$defs/Told", "minLength": 2}, "two of 'minLength'"),
    ({"allOf": [{"properties": {"p": WHOLE}}], "properties": {"q": WHOLE}}, "two of 'properties'"),
    ({"minimum": 2, "anyOf": [{"minimum": 1, **WHOLE}]}, "two of 'minimum'"),
    ({"prefixItems": True}, "no list"),
    ({"items": [{}]}, "items that not every client"),
    ({"anyOf": [{"items": {"items": {}}}, A_TEXT]}, "one of several"),
    ({"$ref": "other.json#/$defs/Told"}, "not in the schema"),
    ({"$ref": "#"}, "contains itself"),
    (["type", "string"], "schema that is none"),
    ({"properties": {"p": {"items": {"not": {}}}}}, r"'wish\.p\.items' of the tool 'tool'"),
]


@pytest.mark.parametrize(("found", "said"), UNSAYABLE)
def test_two_things_that_both_count_are_not_taken_for_one_of_them(found: Any, said: str) -> None:
    """Which the other one would be lost with."""
    with pytest.raises(RegistrationError, match=said):
        description_of(found)


def nested(levels: int, *, by_name: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {**A_TEXT}
    defs: dict[str, Any] = {}
    for level in range(levels):
        defs[f"L{level}"] = {"type": "object", "properties": {"p": schema}}
        schema = {"$ref": f"#/$defs/L{level}"} if by_name else defs[f"L{level}"]
    return {"properties": {"wish": schema}, "$defs": defs}


@pytest.mark.parametrize(("most", "by_name"), [(11, False), (5, True)])
def test_objects_nest_to_a_depth(most: int, by_name: bool) -> None:
    """Of twelve, in which what is written elsewhere counts twice."""
    assert properties_of(nested(most, by_name=by_name), "tool", "here")
    with pytest.raises(RegistrationError, match="nested too deeply"):
        properties_of(nested(most + 1, by_name=by_name), "tool", "here")


@pytest.mark.parametrize("kind", ["object", ["object", "null"]])
def test_only_what_is_there_is_required_within(kind: str | list[str]) -> None:
    """A name without a property would be asked for in vain."""
    found = {"type": kind, "properties": {"p": {"type": "string"}}, "required": ["p", "q"]}

    [prop] = properties_of({"properties": {"wish": found}}, "tool", "here")

    assert schema_of(prop.shape)["anyOf"][0]["required"] == ["p"]
