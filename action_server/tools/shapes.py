"""Writes the schemas of arguments, in the one form for each kind of value that every known client and model reads.

What other spellings lose, and where, was run with twenty packages: "or null" is an ``anyOf`` and never a list of types,
no enum holds null, no property is without a type, and there is no ``additionalProperties``, ``$ref``, ``title``,
``default`` or ``format`` anywhere. What a schema cannot say in this form stands in the words of the description, and
type and values stand there once more, for whoever drops the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from action_server.protocol.jsonable import JsonObject

# `object` travels as text that holds JSON; `record` has properties of its own.
Kind = Literal["text", "bool", "number", "integer", "categorical", "list", "any", "object", "record"]

_TYPES: dict[str, str] = {"text": "string", "bool": "boolean", "number": "number", "integer": "integer"}
_LONGEST_LIST_OF_VALUES = 30


@dataclass(frozen=True)
class Shape:
    """What a value is.

    ``values`` are those of a category, ``texts`` how they are written. ``items`` is the shape of a list's items,
    ``fields`` are a record's, ``required`` those it cannot do without. ``words`` are sentences about it.
    """

    kind: Kind = "any"
    values: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    items: Shape | None = None
    fields: tuple[tuple[str, Shape], ...] = ()
    required: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Return a category's values as they are written, each once."""
        return tuple(dict.fromkeys(text_of(value) for value in self.values))


def text_of(value: object) -> str:
    """Return a value of a category as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def schema_of(shape: Shape, description: str = "", *, may_be_null: bool = True) -> JsonObject:
    """Return the schema of an argument, with its description."""
    said = " ".join(s for s in (sentence(description), *sentences(shape)) if s)
    if may_be_null:
        said = f"{said} Null if unknown." if said else "Null if unknown."
    options = _options(shape)
    if may_be_null:
        options = [*options, {"type": "null"}]
    schema: JsonObject = options[0] if len(options) == 1 else {"anyOf": options}
    return {**schema, "description": said} if said else schema


def sentence(text: str) -> str:
    """Return a text in one line, with a full stop."""
    line = " ".join(text.split())
    return line if not line or line[-1] in ".!?:" else f"{line}."


def sentences(shape: Shape) -> list[str]:
    """Say what a schema says of a value, and what it cannot say."""
    found: list[str] = []
    if shape.kind == "text":
        found.append("A text.")
    elif shape.kind == "categorical":
        found.append(_one_of([text for text in shape.texts if text]) if any(shape.texts) else "A text.")
    elif shape.kind == "bool":
        found.append("True or false.")
    elif shape.kind in ("number", "integer"):
        found.append(_range("A whole number" if shape.kind == "integer" else "A number", shape))
    elif shape.kind == "list":
        of_items = () if shape.items is None else sentences(shape.items)
        found += ["A list.", *(f"Each item: {s[0].lower()}{s[1:]}" for s in of_items)]
    elif shape.kind == "object":
        found.append("A text that holds a JSON object.")
    elif shape.kind == "any" and not shape.words:
        found.append("A text, a number, true or false, or a list.")
    return [*found, *shape.words]


def _one_of(texts: Sequence[str]) -> str:
    shown = texts[:_LONGEST_LIST_OF_VALUES]
    return f"One of: {', '.join(shown)}{', ...' if len(texts) > len(shown) else ''}."


def _range(what: str, shape: Shape) -> str:
    low, high = shape.minimum, shape.maximum
    if low is not None and high is not None:
        return f"{what} from {low:g} to {high:g}."
    if low is not None:
        return f"{what}, at least {low:g}."
    return f"{what}, at most {high:g}." if high is not None else f"{what}."


def _options(shape: Shape) -> list[JsonObject]:
    """Return the types a value may have, null aside."""
    if shape.kind == "categorical":
        # An empty text is no value to Gemini, which then refuses all tools; whoever means it says null.
        texts = [text for text in shape.texts if text]
        return [{"type": "string", "enum": texts}] if texts else [{"type": "string"}]
    if shape.kind == "list":
        return [{"type": "array", "items": _item(shape.items)}]
    if shape.kind == "record":
        properties = {name: schema_of(part) for name, part in shape.fields}
        required = {"required": list(shape.required)} if shape.required else {}
        return [{"type": "object", "properties": properties, **required}]
    if shape.kind == "object":
        return [{"type": "string"}]
    if shape.kind == "any":
        strings = {"type": "array", "items": {"type": "string"}}
        return [strings, {"type": "boolean"}, {"type": "number"}, {"type": "string"}]
    return [{"type": _TYPES[shape.kind]}]


def _item(items: Shape | None) -> JsonObject:
    """Return the schema of a list's items; where they may be anything they are texts, as anything can be written."""
    if items is None or items.kind == "any":
        return {"type": "string"}
    options = _options(items)
    return options[0]
