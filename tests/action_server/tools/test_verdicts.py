"""Each rule about a caller finds its trait in a tool, and our own schemas have none that loses a tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from action_server.protocol.jsonable import JsonObject
from action_server.tools.arguments import Argument
from action_server.tools.callers import CALLER_RULES, CALLERS, MANTLE, READ, RUN
from action_server.tools.shapes import Shape
from action_server.tools.tool import Tool
from action_server.tools.traits import FoundTrait, Trait, traits_of, traits_of_calls
from action_server.tools.verdicts import _verdicts, as_json, reasons_for, verdicts_on, words_of_loss, words_of_refusal

TEXT = Shape("text")
SHAPES = {
    "text": TEXT,
    "bool": Shape("bool"),
    "number": Shape("number", minimum=0, maximum=9),
    "integer": Shape("integer"),
    "categorical": Shape("categorical", ("small", "large", "")),
    "only_empty": Shape("categorical", ("",)),
    "list": Shape("list", items=TEXT),
    "any": Shape(),
    "object": Shape("object"),
    "record": Shape("record", fields=(("x", TEXT), ("y", Shape("categorical", ("a",)))), required=("x",)),
    "records": Shape("list", items=Shape("record", fields=(("x", Shape("list", items=TEXT)),))),
}
OPTION = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def tool(**arguments: Shape) -> Tool:
    made = tuple(Argument(name, name, shape, "Said.") for name, shape in arguments.items())
    return Tool("action_book", "action_book", "bot.py:1", "Book a table.", made, {"reference": "reference"})


def listing(part: Any, **root: Any) -> JsonObject:
    schema = {"type": "object", "properties": {"a": part}, **root}
    return {"name": "book", "description": "Book.", "inputSchema": schema}


def test_no_caller_loses_a_tool_of_ours() -> None:
    """Whatever the kinds of its arguments; some callers lose parts that no server can mend."""
    found = verdicts_on(tool(**SHAPES))

    assert [v.caller.name for v in found if v.refused] == []
    assert {v.caller.name: words_of_loss(v) for v in found if v.lost} == {
        "google-genai": f"description of {len(SHAPES)}",
        "langchain.js": f"type, values, null of {len(SHAPES)}",
        "genkit google": f"everything of {len(SHAPES)}",
        "smolagents": f"null, other types of {len(SHAPES)}",
        # Of categories, and of the one within a record.
        "mcp-use": "values of 2",
        "genkit openai": "the tool's description",
        "llamaindex.js": "answers",
    }
    assert len(found) == len(CALLERS)


PLANTED: list[tuple[Trait, Any, Mapping[str, Any]]] = [
    (Trait.OR_NULL, OPTION, {}),
    (Trait.VALUES_OR_NULL, {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}, {}),
    (Trait.DESCRIPTION_BESIDE_OPTIONS, {**OPTION, "description": "x"}, {}),
    (Trait.LIST_OF_TYPES, {"type": ["string", "null"]}, {}),
    (Trait.NULL_IN_ENUM, {"enum": ["a", None]}, {}),
    (Trait.EMPTY_VALUE, {"anyOf": [{"type": "string", "enum": ["", "a"]}]}, {}),
    (Trait.NO_TYPE, {}, {}),
    (Trait.NO_TYPE, {"type": "array", "items": {"description": "x"}}, {}),
    (Trait.OPEN_OBJECT, {"type": "object"}, {}),
    (Trait.TRUE_SCHEMA, True, {}),
    (Trait.TRUE_SCHEMA, {"type": "array", "items": True}, {}),
    (Trait.NO_PROPERTIES, {}, {"properties": None}),
    (Trait.NO_OBJECT_AT_ROOT, OPTION, {"type": None}),
    (Trait.NO_OBJECT_AT_ROOT, OPTION, {"$ref": "#/$defs/A"}),
    (Trait.ADDITIONAL_PROPERTIES, OPTION, {"additionalProperties": False}),
    (Trait.ADDITIONAL_PROPERTIES, {"type": "object", "properties": {"x": {"additionalProperties": True}}}, {}),
    (Trait.LIST_WITHOUT_ITEMS, {"anyOf": [{"type": "array"}, {"type": "null"}]}, {}),
    (Trait.OPTIONAL_WITHOUT_NULL, {"type": "string"}, {}),
    (Trait.OTHER_DRAFT, OPTION, {"$schema": "http://json-schema.org/draft-04/schema#"}),
]


@pytest.mark.parametrize(("trait", "part", "root"), PLANTED, ids=[f"{i} {p[0].name}" for i, p in enumerate(PLANTED)])
def test_a_trait_is_found_however_deep(trait: Trait, part: Any, root: Mapping[str, Any]) -> None:
    """In an argument, in an option, in a list's items, at the root."""
    assert trait in {found.trait for found in traits_of(listing(part, **root))}


def test_what_is_fine_has_no_trait() -> None:
    """A required text of a plain name, in the two drafts that every engine knows."""
    for draft in ("http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"):
        fine = listing({"type": "string"}, required=["a"], **{"$schema": draft})
        assert list(traits_of({**fine, "description": ""})) == []


def test_names_descriptions_and_keys_are_looked_at() -> None:
    """With the argument that a trait is about."""
    odd = {**listing(OPTION), "name": "book a table", "description": "x" * 1025, "title": None}
    odd["inputSchema"]["properties"] = {"größe": OPTION}
    odd["outputSchema"] = {"type": "object", "properties": {"result": {}}}

    found = list(traits_of(odd))

    assert {
        FoundTrait(Trait.UNFIT_TOOL_NAME),
        FoundTrait(Trait.LONG_DESCRIPTION),
        FoundTrait(Trait.NULL_KEY),
        FoundTrait(Trait.UNFIT_ARGUMENT_NAME, "größe"),
        FoundTrait(Trait.RESULT_IN_ANSWER),
    } <= set(found)


def test_a_name_that_begins_with_a_digit_is_found() -> None:
    """Gemini takes none of the tools then."""
    refused = [v.caller.name for v in verdicts_on(replace(tool(a=TEXT), name="3d_print")) if v.refused]

    assert "google-genai" in refused
    assert "litellm openai" not in refused


@pytest.mark.parametrize(
    ("key", "is_there"),
    [({"type": "string"}, False), (OPTION, True), ({"description": "x"}, True)],
    ids=["a text", "a text or null", "anything"],
)
def test_null_in_answers_is_found(key: Any, is_there: bool) -> None:
    """LlamaIndex.js takes no null for JSON: its model hears that the call has failed."""
    output = {"type": "object", "properties": {"said": key}}

    found = {trait.trait for trait in traits_of({**listing(OPTION), "outputSchema": output})}
    assert (Trait.NULL_IN_ANSWER in found) is is_there


def test_an_output_schema_has_to_be_an_object_too() -> None:
    """Two clients lose the whole list otherwise."""
    assert Trait.NO_OBJECT_AT_ROOT in {
        found.trait for found in traits_of({**listing(OPTION), "outputSchema": {"$ref": "#/$defs/A"}})
    }


def test_calls_have_traits_of_their_own() -> None:
    """How long one may take, and whether it says nothing without a conversation."""
    assert list(traits_of_calls(10, needs_conversation=False)) == []
    assert [f.trait for f in traits_of_calls(60, needs_conversation=False)] == [Trait.SLOW]
    assert [f.trait for f in traits_of_calls(61, needs_conversation=True)] == [
        Trait.SLOW,
        Trait.VERY_SLOW,
        Trait.NEEDS_CONVERSATION,
    ]


def test_a_description_that_is_too_long_costs_all_tools() -> None:
    """Of those that send it to OpenAI; nothing is kept then, and the reason says how it is known."""
    found = verdicts_on(replace(tool(a=TEXT), description="x" * 2000))
    refused = [v for v in found if v.refused]

    assert "litellm openai" in [v.caller.name for v in refused]
    assert {words_of_refusal(v) for v in refused} == {"all tools"}
    drafts = listing(OPTION, **{"$schema": "http://json-schema.org/draft-04/schema#"})
    assert {words_of_refusal(v) for v in _verdicts("book", ("a",), traits_of(drafts))} == {"", "tool"}
    assert all(v.kept == () for v in refused)
    assert ("litellm openai refuses all tools", "a description of over 1,024 characters (reported in public)") in (
        reasons_for(found)
    )


def test_mantle_cannot_call_what_needs_a_conversation() -> None:
    """Unless an argument stands for it."""
    needy = replace(tool(a=TEXT), asks_for_conversation=True)

    def lost(one: Tool) -> list[str]:
        return [words_of_loss(v) for v in verdicts_on(one) if v.caller == MANTLE]

    assert lost(needy) == ["all calls"]
    assert lost(replace(needy, conversation_argument="email")) == [""]


def test_json_names_callers_arguments_and_reasons() -> None:
    """For machines, every caller, also those that lose nothing."""
    found = as_json(verdicts_on(tool(a=TEXT)))

    by_name = {entry["caller"]: entry for entry in found}
    assert by_name["google-genai"]["lost"] == [
        {
            "rule": "description-beside-options",
            "argument": "a",
            "reason": "a description beside `anyOf`",
            "source": RUN,
            "loses": "description",
        }
    ]
    assert by_name["Mantle"] == {
        "tool": "action_book",
        "caller": "Mantle",
        "version": "3.21.0",
        "source": READ,
        "kept": ["a"],
        "lost": [],
        "refused": [],
    }


def test_every_trait_is_known_of_a_caller() -> None:
    """A trait without a rule would be looked for in vain, and each rule says what is lost, or refuses."""
    assert {rule.trait for rule in CALLER_RULES} == set(Trait)
    assert all(bool(rule.loses) != bool(rule.refuses) and rule.callers for rule in CALLER_RULES)
    assert len({caller.name for caller in CALLERS}) == len(CALLERS)
