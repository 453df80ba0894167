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
_STRING: JsonObject = {"type": "string"}
_ORDER = ("array", "boolean", "integer", "number", "string")
_LONGEST_LIST_OF_VALUES = 30


@dataclass(frozen=True)
class Shape:
    """What a value is.

    ``values`` are those of a category, ``texts`` how they are written. ``items`` is the shape of a list's items,
    ``fields`` are a record's, ``required`` those it cannot do without. ``options`` are what a value of any kind may be,
    if not all is. ``words`` are sentences about it, ``description`` what it is for where it is part of another.
    """

    kind: Kind = "any"
    values: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    items: Shape | None = None
    fields: tuple[tuple[str, Shape], ...] = ()
    required: tuple[str, ...] = ()
    options: tuple[Shape, ...] = ()
    words: tuple[str, ...] = ()
    description: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Return a category's values as they are written, each once."""
        return tuple(dict.fromkeys(text_of(value) for value in self.values))


def text_of(value: object) -> str:
    """Return a value of a category as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def text_of_number(number: float) -> str:
    """Return a bound as text, with all of its digits."""
    return str(number) if isinstance(number, int) else f"{number:.15g}"


def schema_of(shape: Shape, description: str = "") -> JsonObject:
    """Return the schema of an argument, with its description. Null is always among the types."""
    said = (sentence(description or shape.description), *sentences(shape), "Null if unknown.")
    return {"anyOf": [*_options(shape), {"type": "null"}], "description": " ".join(filter(None, said))}


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
        found += ["A list.", *([] if shape.items is None else sentences_of("Each item", shape.items))]
    elif shape.kind == "object":
        found.append("A text that holds a JSON object.")
    elif shape.kind == "record":
        found.append(f"An object with {', '.join(name for name, _ in shape.fields)}.")
    elif shape.kind == "any":
        said = either(shape.options) if shape.options else "a text, a number, true or false, or a list"
        found.append(f"{said[0].upper()}{said[1:]}.")
    return [*found, *shape.words]


def sentences_of(what: str, part: Shape) -> list[str]:
    """Say of a part of a value, which is called ``what``, all that there is to say."""
    said = [f"{what}: {sentence(part.description)}"] if part.description else []
    return [*said, *(f"{what}: {_begin_small(s)}" for s in sentences(part))]


def either(options: Sequence[Shape]) -> str:
    """Say which of several things a value is, as a part of a sentence."""
    said: dict[str, None] = {}
    for option in options:
        first, *more = (_begin_small(s).rstrip(".") for s in sentences(option))
        said[f"{first} ({'; '.join(more)})" if more else first] = None
    *before, last = said
    comma = "," if any("," in part for part in before) else ""
    return f"{', '.join(before)}{comma} or {last}" if before else last


def _begin_small(said: str) -> str:
    # What begins with two capitals is a name, as "URL".
    return said if said[1:2].isupper() else f"{said[0].lower()}{said[1:]}"


def _one_of(texts: Sequence[str]) -> str:
    shown = texts[:_LONGEST_LIST_OF_VALUES]
    return f"One of: {', '.join(shown)}{', ...' if len(texts) > len(shown) else ''}."


def _range(what: str, shape: Shape) -> str:
    low, high = shape.minimum, shape.maximum
    if low is not None and high is not None:
        return f"{what} from {text_of_number(low)} to {text_of_number(high)}."
    if low is not None:
        return f"{what}, at least {text_of_number(low)}."
    return f"{what}, at most {text_of_number(high)}." if high is not None else f"{what}."


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
        return _merge([o for option in shape.options or _ANYTHING for o in _options(option)])
    return [{"type": _TYPES[shape.kind]}]


def _merge(options: Sequence[JsonObject]) -> list[JsonObject]:
    """Return one option for each type, in the order that was run: what is less than another of its type is in it."""
    found: dict[str, JsonObject] = {}
    for option in options:
        before = found.setdefault(option["type"], option)
        if before != option:
            found[option["type"]] = {"type": "array", "items": {"type": "string"}} if "items" in option else _STRING
    if "number" in found:
        found.pop("integer", None)
    return [found[kind] for kind in _ORDER if kind in found]


def _item(items: Shape | None) -> JsonObject:
    """Return the schema of a list's items; where they may be several things they are texts, as all can be written."""
    options = [] if items is None else _options(items)
    return options[0] if len(options) == 1 else _STRING


_ANYTHING = (Shape("list"), Shape("bool"), Shape("number"), Shape("text"))
