"""A tool is shown as each model gets it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from action_server.tools.arguments import Argument
from action_server.tools.model_views import MODELS, view_of
from action_server.tools.shapes import Shape
from action_server.tools.tool import Tool

TEXT = Shape("text")
BOOK = Tool(
    "book",
    "action_book",
    "bot.py:1",
    "Book a table.",
    (
        Argument("size", "size", Shape("categorical", ("small", "large"))),
        Argument("days", "days", Shape("list"), "Days."),
    ),
)


def test_gemini_gets_null_as_a_mark_and_the_description_in_each_option() -> None:
    """As litellm 1.101.0 makes it; its own functions gave this for the same schema."""
    assert view_of(BOOK, "gemini") == {
        "name": "book",
        "description": "Book a table.",
        "parameters": {
            "type": "object",
            "properties": {
                "size": {
                    "anyOf": [
                        {
                            "type": "string",
                            "enum": ["small", "large"],
                            "nullable": True,
                            "description": "One of: small, large. Null if unknown.",
                        }
                    ]
                },
                "days": {
                    "anyOf": [
                        {
                            "type": "array",
                            "items": {"type": "string"},
                            "nullable": True,
                            "description": "Days. A list. Null if unknown.",
                        }
                    ]
                },
            },
        },
    }


def test_gemini_does_not_look_into_an_option() -> None:
    """Null inside of a record stays a type, and a tool without arguments has no `properties`."""
    nested = Shape("record", fields=(("x", TEXT),))
    shown = view_of(Tool("t", "t", "", "T.", (Argument("a", "a", nested),)), "gemini")
    part = shown["parameters"]["properties"]["a"]["anyOf"][0]

    assert [option["type"] for option in part["properties"]["x"]["anyOf"]] == ["string", "null"]
    assert view_of(Tool("t", "t", "", "T."), "gemini")["parameters"] == {"type": "object"}


@pytest.mark.parametrize("model", ["openai", "rasa", "mantle"])
def test_the_others_get_the_schema_in_a_function(model: str) -> None:
    """Closed at the root; the two engines name what is required also where nothing is (rasa-pro 3.21.0, read)."""
    needed = Argument("day", "day", TEXT, is_required=True)
    more: dict[str, object] = {} if model == "openai" else {"required": []}

    function = view_of(BOOK, model)["function"]
    of_needy = view_of(replace(BOOK, arguments=(needed,)), model)["function"]

    assert function["parameters"] == {**BOOK.input_schema, **more, "additionalProperties": False}
    assert of_needy["parameters"]["required"] == ["day"]
    assert function["strict"] is False


def test_anthropic_gets_the_schema_closed_at_the_root() -> None:
    """Under a key of its own."""
    assert view_of(BOOK, "anthropic")["input_schema"] == {**BOOK.input_schema, "additionalProperties": False}


def test_every_model_has_a_view() -> None:
    """And each view has the tool's name and description."""
    for model in MODELS:
        shown = view_of(BOOK, model)
        assert {"name": "book", "description": "Book a table."}.items() <= shown.get("function", shown).items()
