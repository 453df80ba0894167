"""What an author's schema means is kept in the schema that clients get, however it is put."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from jsonschema import Draft202012Validator

from action_server.errors import RegistrationError
from action_server.tools.arguments import Argument, read_arguments
from action_server.tools.authors import properties_of
from action_server.tools.shapes import schema_of, text_of
from tests.action_server.tools.test_authors import DEFS, PROPERTY, written

Schema = dict[str, Any]

# What may be said of a value, each with what has to be found in the words again.
FACTS: dict[str, dict[str, tuple[Any, str]]] = {
    "integer": {
        "minimum": (1013, "1013"),
        "exclusiveMinimum": (1009, "ore than 1009"),
        "maximum": (20_260_131, "20260131"),
        "exclusiveMaximum": (20_260_207, "ess than 20260207"),
        "multipleOf": (17, "ultiple of 17"),
    },
    "number": {
        "minimum": (0.125, "0.125"),
        "maximum": (1_234_567.5, "1234567.5"),
        "multipleOf": (0.5, "multiple of 0.5"),
    },
    "string": {
        "minLength": (31, "t least 31 characters"),
        "maxLength": (47, "t most 47 characters"),
        "pattern": ("^z+$", "atches the pattern ^z+$"),
        "format": ("iban", "n the format iban"),
        "contentEncoding": ("base64", "ncoded as base64"),
        "contentMediaType": ("image/png", "f the type image/png"),
        "default": ("zz", "efault: zz"),
    },
    "array": {
        "minItems": (2, "t least 2 items"),
        "maxItems": (29, "t most 29 items"),
        "uniqueItems": (True, "ach item once"),
        "items": ({"type": "integer", "minimum": 19}, "a whole number, at least 19"),
    },
    "object": {
        "minProperties": (3, "t least 3 entries"),
        "maxProperties": (37, "t most 37 entries"),
        "additionalProperties": ({"type": "number", "maximum": 41}, "ach value: a number, at most 41"),
        "propertyNames": ({"pattern": "^k"}, "atches the pattern ^k"),
    },
    "boolean": {"default": (False, "efault: false")},
    "enum": {"enum": (["red", "blue"], "ne of: red, blue"), "default": ("red", "efault: red")},
}
NULL = {"type": "null"}


def with_facts(kind: str, names: list[str]) -> tuple[Schema, list[str]]:
    facts = FACTS[kind]
    chosen = [*names, "enum"] if kind == "enum" else names
    schema = {name: facts[name][0] for name in facts if name in chosen}
    said = [facts[name][1] for name in facts if name in chosen]
    return ({} if kind == "enum" else {"type": kind}) | schema | {"description": "Weight"}, [*said, "eight"]


@pytest.mark.parametrize("kind", FACTS)
def test_each_thing_that_an_author_says_has_its_words(kind: str) -> None:
    """All at once, of one kind of value."""
    schema, said = with_facts(kind, sorted(FACTS[kind]))

    told = json.dumps(written({"properties": {"wish": schema}})["wish"])

    assert [words for words in said if words not in told] == []


TYPED = st.sampled_from(sorted(FACTS)).flatmap(
    lambda kind: st.lists(st.sampled_from(sorted(FACTS[kind])), unique=True).map(lambda names: with_facts(kind, names))
)


def beside(schema: Schema) -> Schema:
    """All but the first thing that is said stands beside the options and not within."""
    if schema.keys() & {"anyOf", "oneOf"}:
        return {"anyOf": [schema]}
    (first, value), *rest = schema.items()
    return {**dict(rest), "anyOf": [{first: value}, NULL]}


WAYS: dict[str, Callable[[Schema], Schema]] = {
    "or null": lambda schema: {"anyOf": [schema, NULL]},
    "null or": lambda schema: {"oneOf": [NULL, schema]},
    "null among types": lambda s: {**s, "type": [s["type"], "null"]} if isinstance(s.get("type"), str) else s,
    "beside": beside,
    "all of one": lambda schema: {"allOf": [schema]},
    "or true": lambda schema: {"anyOf": [schema, {"type": "boolean"}]},
    "each item": lambda schema: {"type": "array", "items": schema},
    "a tuple": lambda schema: {"type": "array", "prefixItems": [schema]},
    "a part": lambda schema: {"type": "object", "properties": {"part": schema}},
    "each value": lambda schema: {"type": "object", "additionalProperties": schema},
}
CANNOT_BE_SAID = ("one of several", "lists of lists")


@given(TYPED, st.lists(st.sampled_from(sorted(WAYS)), max_size=3))
@settings(max_examples=150)
def test_whatever_an_author_says_of_a_value_is_said_to_clients(
    typed: tuple[Schema, list[str]], ways: list[str]
) -> None:
    """In whatever place of the schema it stands, or the schema is refused; nothing is dropped in silence."""
    schema, said = typed
    for way in [None, *ways]:
        schema = schema if way is None else WAYS[way](schema)
        try:
            made = written({"properties": {"wish": schema}})["wish"]
        except RegistrationError as exc:
            refusal = str(exc)
            break
        told = json.dumps(made, ensure_ascii=False)
        assert [words for words in said if words not in told] == []
    else:
        return

    assert any(words in refusal for words in CANNOT_BE_SAID)


# Of objects hypothesis-jsonschema 0.23 makes no values with the hypothesis of today, so these stand beside its own.
USUAL: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 4.0, 5.5, -1, 3000, 2**60, "", "a", "aaa", " a", "B", "5", "true", "null", "x", "red"),
    *([], [1], ["a"], [None], [True, "a"], ["null"], [""], [[1]], [[["a"]]], [{"p": 1}], ["red", 2, {"q": []}]),
    *({}, {"p": 1}, {"p": "a", "q": None}, {"p": {"p": True}, "r": [1]}, {"p": "", "z": 5.0}, {"again": {}}),
)


def is_meant(read: Any, given: Any) -> bool:
    """What was read is what was given, or nothing where that is one of the ways to say nothing."""
    if read is None:
        return given in (None, "", "null", ["null"])
    if isinstance(given, dict) and isinstance(read, dict):
        return read.keys() == given.keys() and all(is_meant(read[key], given[key]) for key in given)
    if isinstance(given, list) and isinstance(read, list):
        return len(read) == len(given) and all(map(is_meant, read, given))
    return bool(read == given) and isinstance(read, bool) is isinstance(given, bool)


def can_be_said(made: Schema, value: Any) -> bool:
    """A model that keeps to the schema has a way to say the value."""
    kind = made.get("type")
    if kind == "string":
        return "enum" not in made or value == "" or text_of(value) in made["enum"]
    if kind == "array":
        return isinstance(value, list) and all(can_be_said(made["items"], item) for item in value)
    if kind == "object":
        parts = made["properties"]
        return isinstance(value, dict) and all(can_be_said(parts[key], value[key]) for key in value.keys() & parts)
    if "anyOf" in made:
        return any(can_be_said(option, value) for option in made["anyOf"])
    return bool(Draft202012Validator(made).is_valid(value))


def values_of(schema: Any) -> st.SearchStrategy[Any]:
    text = json.dumps(schema)
    if any(word in text for word in ('"object"', '"properties"', "$ref", '"not"', '"format"')):
        return st.sampled_from(USUAL)
    return st.sampled_from(USUAL) | from_schema(schema)


@given(PROPERTY, st.data())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_whatever_an_author_allows_can_be_said_and_is_read_as_it_was_meant(found: Any, data: st.DataObject) -> None:
    """Also as the JSON text that some clients make of lists and objects."""
    try:
        [prop] = properties_of({"properties": {"wish": found}, "$defs": DEFS}, "tool", "here")
    except RegistrationError:
        return
    allowed = Draft202012Validator({"$defs": DEFS, "allOf": [found]})
    made, argument = schema_of(prop.shape), Argument("wish", "wish", prop.shape)
    for value in [*filter(allowed.is_valid, USUAL), *filter(allowed.is_valid, [data.draw(values_of(found))])]:
        assert can_be_said(made, value)
        for given_as in [value, *([json.dumps(value)] if isinstance(value, (list, dict)) else [])]:
            read = read_arguments([argument], {"wish": given_as})
            assert read.problems == ()
            # What may be a text may be this text.
            assert is_meant(read.slots["wish"], value) or is_meant(read.slots["wish"], given_as)
