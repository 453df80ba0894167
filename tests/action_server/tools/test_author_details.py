"""Details of authors' schemas: what is beside a list's items, what is required within, what only notes say."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.tools.authors import properties_of
from action_server.tools.shapes import schema_of

ITEMS: list[tuple[dict[str, Any], str]] = [
    ({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, "Each item: a whole number or a text."),
    ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "Each item: a text. Each item once."),
    ({"type": "array", "items": {"type": "string"}, "uniqueItems": False}, "Each item: a text."),
    ({"type": "array", "minItems": 2, "maxItems": 3}, "or a list. At least 2 items. At most 3 items."),
    ({"type": "string", "default": ""}, "A text."),
    ({"type": "string", "default": None}, "A text."),
    ({"type": "boolean", "default": True}, "True or false. Default: true."),
    ({"anyOf": [{"const": None}, {"type": "integer"}]}, "A whole number."),
    ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}, "A whole number. More than 0. Less than 9."),
    ({"type": "string", "contentEncoding": "base64", "x-note": {"a": 1}}, "A text. Encoded as base64."),
]


@pytest.mark.parametrize(("found", "said"), ITEMS)
def test_a_detail_is_in_the_words_or_is_no_news(found: dict[str, Any], said: str) -> None:
    """What a shape cannot say stands in a sentence."""
    [prop] = properties_of({"properties": {"wish": found}}, "tool", "here")

    assert schema_of(prop.shape, prop.description)["description"].endswith(f"{said} Null if unknown.")


def test_only_what_is_there_is_required_within() -> None:
    """A name without a property would be asked for in vain."""
    found = {"type": "object", "properties": {"p": {"type": "string"}}, "required": ["p", "q"]}

    [prop] = properties_of({"properties": {"wish": found}}, "tool", "here")

    assert schema_of(prop.shape)["anyOf"][0]["required"] == ["p"]
