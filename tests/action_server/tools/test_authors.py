"""Schemas that authors bring come out in the shapes that every client reads, or are refused by name."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from pydantic import BaseModel, Field

from action_server.errors import RegistrationError
from action_server.tools.arguments import Argument, read_arguments
from action_server.tools.authors import properties_of
from action_server.tools.shapes import Shape, schema_of

# What one known client or another loses, refuses or raises at, wherever it stands.
FORBIDDEN = frozenset(
    {"$ref", "$defs", "$schema", "title", "default", "format", "pattern", "additionalProperties", "oneOf", "allOf"}
    | {"const", "nullable", "prefixItems", "minimum", "maximum", "minLength", "maxLength", "not", "if"}
)


def faults(schema: Any, path: str = "") -> list[str]:
    """Say what of a property's schema one client or another would not take."""
    if not isinstance(schema, dict):
        return [f"{path}: is {type(schema).__name__}"]
    found = [f"{path}: has {key}" for key in sorted(FORBIDDEN & schema.keys())]
    if ("type" in schema) == ("anyOf" in schema):
        found.append(f"{path}: has no type, or two")
    if not isinstance(schema.get("type", ""), str):
        found.append(f"{path}: has a list of types")
    if None in schema.get("enum", ()) or not all(isinstance(value, str) for value in schema.get("enum", ())):
        found.append(f"{path}: has an enum of other things than texts")
    if "" in schema.get("enum", ()):
        # Gemini refuses all tools then.
        found.append(f"{path}: has an enum with an empty text")
    if schema.get("type") == "array":
        found += faults(schema.get("items"), f"{path}[]")
    if schema.get("type") == "object" and not schema.get("properties"):
        found.append(f"{path}: is an object of which nothing is known")
    for name, part in schema.get("properties", {}).items():
        found += faults(part, f"{path}.{name}")
    return found + [
        fault for number, part in enumerate(schema.get("anyOf", ())) for fault in faults(part, f"{path}|{number}")
    ]


def written(schema: dict[str, Any]) -> dict[str, Any]:
    return {p.name: schema_of(p.shape, p.description) for p in properties_of(schema, "tool", "here")}


# Schemas as people and generators write them: every keyword that a property may have.
SIMPLE = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array"])},
    optional={
        "title": st.text(max_size=5),
        "description": st.text(max_size=10),
        "default": st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        "format": st.sampled_from(["date", "uuid", "time"]),
        "pattern": st.sampled_from(["^a+$", "{x}"]),
        "minimum": st.integers(-3, 3),
        "exclusiveMaximum": st.integers(4, 9),
        "minLength": st.integers(0, 3),
        "maxItems": st.integers(0, 3),
        "uniqueItems": st.booleans(),
        "nullable": st.booleans(),
        "additionalProperties": st.booleans(),
    },
)
LISTED = st.fixed_dictionaries(
    {"type": st.lists(st.sampled_from(["string", "null", "number"]), min_size=1, unique=True)}
)
ENUM = st.fixed_dictionaries(
    {
        "enum": st.lists(
            st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["a", "b", ""]), min_size=1, max_size=4
        )
    }
)
REFERENCE = (
    st.just({"$ref": "#/$defs/Known"})
    | st.just({"$ref": "#/$defs/Loop"})
    | st.just({"allOf": [{"$ref": "#/$defs/Known"}]})
)
PROPERTY: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.just({}) | SIMPLE | LISTED | ENUM | REFERENCE | st.just({"const": "x"}) | st.just({"not": {}}),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda parts: {"type": "array", "prefixItems": parts}, st.lists(inner, max_size=2)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"oneOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda parts: {"type": "object", "properties": parts, "required": list(parts)},
            st.dictionaries(st.sampled_from("pqr"), inner, max_size=2),
        ),
    ),
    max_leaves=5,
)
DEFS = {
    "Known": {"enum": ["red", "blue"], "title": "Colour"},
    "Loop": {"properties": {"again": {"$ref": "#/$defs/Loop"}}},
}


@given(PROPERTY)
@settings(max_examples=300, deadline=None)
def test_whatever_an_author_brings_comes_out_readable_or_is_refused_by_name(found: Any) -> None:
    """No keyword that a client loses, no property without a type, and the name in each refusal."""
    schema = {"type": "object", "properties": {"wish": found}, "$defs": DEFS, "additionalProperties": False}
    try:
        made = written(schema)
    except RegistrationError as exc:
        refusal = str(exc)
        made = {}
    else:
        refusal = "'wish"

    assert "'wish" in refusal
    for schema in made.values():
        assert faults(schema, "wish") == []
        assert {"type": "null"} in schema.get("anyOf", [])


# Of objects hypothesis-jsonschema 0.23 makes no values with the hypothesis of today.
OBJECTS = st.dictionaries(st.text(max_size=3), st.integers(), max_size=3)
RECORDS = st.fixed_dictionaries({}, optional={"p": st.integers()})
PLAIN: list[tuple[str, dict[str, Any]]] = [
    ("text", {"type": "string"}),
    ("whole numbers", {"type": "integer", "minimum": 0, "maximum": 5}),
    ("numbers", {"type": "number", "minimum": -1.5, "maximum": 1.5}),
    ("booleans", {"type": "boolean"}),
    ("a category", {"enum": ["a", "B", 3, True, None]}),
    ("a list", {"type": "array", "items": {"type": "integer"}}),
    ("an object", {"type": "object", "additionalProperties": {"type": "integer"}}),
    ("a record", {"type": "object", "properties": {"p": {"type": "integer"}}, "additionalProperties": False}),
]


@pytest.mark.parametrize("found", [p[1] for p in PLAIN], ids=[p[0] for p in PLAIN])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_the_authors_schema_allows_is_read_as_it_was_meant(found: dict[str, Any], data: st.DataObject) -> None:
    """Also as JSON text, and where it travels as text."""
    [prop] = properties_of({"properties": {"wish": found}}, "tool", "here")
    argument = Argument("wish", "wish", prop.shape)
    is_object = found.get("type") == "object"
    value = data.draw((RECORDS if "properties" in found else OBJECTS) if is_object else from_schema(found))

    read = read_arguments([argument], {"wish": value})

    assert read.problems == ()
    expected = None if value == "" and prop.shape.kind != "text" else value
    assert read.slots["wish"] == expected
    if isinstance(value, (dict, list)):
        assert read_arguments([argument], {"wish": json.dumps(value)}).slots["wish"] == value


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Address(BaseModel):
    street: str
    number: int | None = None


class Order(BaseModel):
    """An order."""

    size: Size = Field(description="How large")
    kind: Literal["in", "out"] | None = None
    day: date | None = None
    count: int = Field(1, ge=1, le=9)
    address: Address | None = None
    extras: dict[str, int] = {}
    tags: list[str] = []


def test_a_pydantic_model_keeps_its_meaning() -> None:
    """Types and values as they are, the rest in words; what has no default is what nobody can do without."""
    found = properties_of(Order.model_json_schema(), "order", "here")
    made = {p.name: schema_of(p.shape, p.description) for p in found}

    assert [p.name for p in found if p.is_required] == ["size"]
    assert made["size"] == {
        "anyOf": [{"type": "string", "enum": ["small", "large"]}, {"type": "null"}],
        "description": "How large. One of: small, large. Null if unknown.",
    }
    assert made["day"]["description"] == "A text. In the format date. Null if unknown."
    assert made["count"]["description"] == "A whole number from 1 to 9. Default: 1. Null if unknown."
    assert made["address"]["anyOf"][0]["required"] == ["street"]
    assert made["extras"]["anyOf"][0] == {"type": "string"}
    assert made["tags"]["anyOf"][0] == {"type": "array", "items": {"type": "string"}}


class Tree(BaseModel):
    children: list[Tree] = []


class Part(BaseModel):
    weight: float = Field(gt=0.5, lt=1_234_567, description="In kilograms")
    names: list[Annotated[str, Field(description="URL or word")]] = []


class Odd(BaseModel):
    """What unions and parts become."""

    price: Annotated[Decimal, Field(ge=0)]
    amount: int | float
    room: str | int | bool
    when: date | datetime
    wish: list[int] | bool
    which: Literal["a"] | Literal["b", "a"] | Literal[1] | Literal[True]
    count: Annotated[int, Field(ge=19_000_101, le=20_261_231, json_schema_extra={"x-unit": "day"})] = 19_000_101
    open: Any = 5
    part: Part
    parts: list[Part]
    rooms: dict[Literal["hall", "bar"], int]
    days: dict[date, Part]
    trees: dict[str, Tree]


SAID: dict[str, tuple[list[str], str]] = {
    "price": (["number", "string"], "A number, at least 0, or a text."),
    "amount": (["number"], "A whole number or a number."),
    "room": (["boolean", "integer", "string"], "A text, a whole number or true or false."),
    "when": (["string"], "A text (in the format date) or a text (in the format date-time)."),
    "wish": (["array", "boolean"], "A list (each item: a whole number) or true or false."),
    "which": (["string"], "One of: a, b, 1, true."),
    "count": (["integer"], "A whole number from 19000101 to 20261231. Default: 19000101."),
    "open": (
        ["array", "boolean", "number", "string"],
        "A text, a number, true or false, or a list. Default: 5.",
    ),
    "part": (["object"], "An object with weight, names."),
    "parts": (["array"], "A list. Each item: an object with weight, names."),
    "rooms": (
        ["string"],
        "A text that holds a JSON object. Each key: one of: hall, bar. Each value: a whole number.",
    ),
    "days": (
        ["string"],
        "A text that holds a JSON object. Each key: a text. Each key: in the format date. "
        "Each value: an object with weight, names. Each value's weight: In kilograms. Each value's weight: a number. "
        "Each value's weight: more than 0.5. Each value's weight: less than 1234567. Each value's names: a list. "
        "Each value's names: each item: URL or word. Each value's names: each item: a text.",
    ),
    "trees": (["string"], "A text that holds a JSON object."),
}


@pytest.mark.parametrize("name", SAID)
def test_what_else_a_type_says_is_kept_in_types_and_words(name: str) -> None:
    """Of several things no more than these; all digits of a bound; what can be no schema is in the words."""
    [found] = [p for p in properties_of(Odd.model_json_schema(), "odd", "here") if p.name == name]
    made = schema_of(found.shape, found.description)
    types, words = SAID[name]

    assert [option["type"] for option in made["anyOf"]] == [*types, "null"]
    assert made["description"] == f"{words} Null if unknown."
    assert faults(made) == []


def test_parts_of_an_object_keep_their_descriptions() -> None:
    """And items of a list theirs, in the words of the list."""
    [found] = [p for p in properties_of(Odd.model_json_schema(), "odd", "here") if p.name == "parts"]

    parts = schema_of(found.shape)["anyOf"][0]["items"]["properties"]

    assert parts["weight"]["description"] == (
        "In kilograms. A number. More than 0.5. Less than 1234567. Null if unknown."
    )
    assert parts["names"]["description"] == "A list. Each item: URL or word. Each item: a text. Null if unknown."


ONE, OTHER = ({"type": "object", "properties": {name: {"type": "string"}}} for name in "ab")
A_VALUE = {"enum": ["a"]}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("one that contains itself", Tree.model_json_schema(), "contains itself"),
    ("a keyword", {"properties": {"wish": {"type": "string", "not": {"const": "a"}}}}, "'not'"),
    ("patterns of names", {"properties": {"wish": {"patternProperties": {}}}}, "'patternProperties'"),
    ("no value at all", {"properties": {"wish": False}}, "is none"),
    ("null alone", {"properties": {"wish": {"type": "null"}}}, "only be null"),
    ("a type there is not", {"properties": {"wish": {"type": "date"}}}, "there is not"),
    ("values that are one", {"properties": {"wish": {"enum": ["a", "A"]}}}, "small letters"),
    ("a reference to nothing", {"properties": {"wish": {"$ref": "#/$defs/No"}}}, "not in the schema"),
    ("no object", {"type": "array"}, "no object"),
    ("properties that are none", {"properties": ["a"]}, "no object"),
    ("conditions at the root", {"properties": {}, "if": {}}, "'if'"),
    ("all of several", {"properties": {"wish": {"allOf": [{"type": "string"}, {"minLength": 1}]}}}, "allOf of several"),
    ("an enum of objects", {"properties": {"wish": {"enum": [{"a": 1}]}}}, "objects or lists"),
    ("an enum that is no list", {"properties": {"wish": {"enum": "a"}}}, "no list"),
    ("a bound of a number that is none", {"properties": {"wish": {"type": "integer", "minimum": "1"}}}, "no number"),
    ("a bound as long ago", {"properties": {"wish": {"type": "string", "exclusiveMinimum": True}}}, "no number"),
    ("a bound of something else", {"properties": {"wish": {"exclusiveMaximum": "z"}}}, "no number"),
    ("no items", {"properties": {"wish": {"type": "array", "items": False}}}, "items"),
    ("lists of lists of lists", {"properties": {"wish": {"items": {"items": {"items": {}}}}}}, "lists of lists"),
    ("a value twice, in two options", {"properties": {"wish": {"anyOf": [A_VALUE, {"enum": ["A"]}]}}}, "small letters"),
    ("names of what has properties", {"properties": {"wish": {**ONE, "propertyNames": {}}}}, "'propertyNames'"),
    ("an object or a text", {"properties": {"wish": {"anyOf": [ONE, {"type": "string"}]}}}, "one of several objects"),
    ("one of two objects", {"properties": {"wish": {"anyOf": [ONE, OTHER]}}}, "one of several objects"),
    ("an object in two forms", {"properties": {"wish": {**ONE, "oneOf": [OTHER, {}]}}}, "one of several"),
    ("what is required as long ago", {"properties": {"wish": {"type": "string"}}, "required": True}, "no list"),
    ("the same within", {"properties": {"wish": {**ONE, "required": True}}}, "no list"),
]


@pytest.mark.parametrize(("schema", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_cannot_be_said_to_every_client_is_refused(schema: dict[str, Any], said: str) -> None:
    """With the tool's name, the property's, and what it is."""
    with pytest.raises(RegistrationError) as refused:
        properties_of(schema, "book", "bot.py:3")

    assert said in str(refused.value)
    assert all(words in str(refused.value) for words in ("'book'", "bot.py:3"))


KINDS = [
    Shape("text"),
    Shape("bool"),
    Shape("number", minimum=1),
    Shape("integer"),
    Shape("categorical", ("a", 1)),
    Shape("categorical", ("", "a")),
    Shape("categorical", ("",)),
    Shape("list", items=Shape("text")),
    Shape("list"),
    Shape("object"),
    Shape(),
    Shape("record", fields=(("p", Shape()),)),
    Shape(options=(Shape("text"), Shape("categorical", ("a",)), Shape("list", items=Shape("bool")))),
    Shape(options=(Shape("list", items=Shape("bool")), Shape("list", items=Shape("integer")))),
    Shape("list", items=Shape(options=(Shape("integer"), Shape("text")))),
    Shape("list", items=Shape(options=(Shape("integer"), Shape("number")))),
]


@pytest.mark.parametrize("shape", KINDS, ids=[f"{s.kind}{i}" for i, s in enumerate(KINDS)])
def test_every_shape_is_written_so_that_every_client_reads_it(shape: Shape) -> None:
    """Null is one of the types, and what it is stands in the words as well."""
    made = schema_of(shape, "What it is")

    assert faults(made) == []
    assert made["description"].startswith("What it is.")
    assert made["description"].endswith("Null if unknown.")


def test_of_many_values_the_words_have_the_first() -> None:
    """The enum has all of them."""
    made = schema_of(Shape("categorical", tuple(f"v{number}" for number in range(31))))

    assert len(made["anyOf"][0]["enum"]) == 31
    assert made["description"].endswith("v28, v29, .... Null if unknown.")


@pytest.mark.parametrize(
    ("text", "said"), [("Which\n  day", "Which day."), ("Which day?", "Which day?"), ("One of these:", "One of these:")]
)
def test_a_description_is_a_sentence_in_one_line(text: str, said: str) -> None:
    """Whatever its author's editor made of it."""
    assert schema_of(Shape("text"), text)["description"] == f"{said} A text. Null if unknown."


COLOUR = {"enum": ["red", "blue"], "description": "A colour"}
REFERENCES: list[tuple[dict[str, Any], str]] = [
    ({"$ref": "#/$defs/a~1b"}, "A colour. One of: red, blue. Null if unknown."),
    ({"$ref": "#/$defs/c~0d"}, "A colour. One of: red, blue. Null if unknown."),
    ({"$ref": "#/$defs/again"}, "A colour. One of: red, blue. Null if unknown."),
    ({"$ref": "#/$defs/a~1b", "description": "Mine", "default": "red"}, "Mine. One of: red, blue. Default: red."),
    ({"allOf": [{"$ref": "#/$defs/a~1b"}], "description": "Mine"}, "Mine. One of: red, blue. Null if unknown."),
    ({"allOf": [COLOUR]}, "A colour. One of: red, blue. Null if unknown."),
]


@pytest.mark.parametrize(("found", "said"), REFERENCES)
def test_a_reference_is_what_it_refers_to(found: dict[str, Any], said: str) -> None:
    """With what stands beside it, which counts more."""
    defs = {"a/b": COLOUR, "c~d": COLOUR, "again": {"$ref": "#/$defs/a~1b"}}

    made = written({"properties": {"wish": found}, "$defs": defs})["wish"]

    assert made["description"].removesuffix(" Null if unknown.") == said.removesuffix(" Null if unknown.")
    assert made["anyOf"][0] == {"type": "string", "enum": ["red", "blue"]}


def test_what_nests_without_end_is_refused() -> None:
    """Nobody fills in so many objects in one another, and some converter would not come back."""
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        deep = {"type": "object", "properties": {"p": deep}}

    with pytest.raises(RegistrationError, match="nested too deeply"):
        written({"properties": {"wish": deep}})
