"""Reads the schemas that authors bring, of pydantic models or written by hand, into shapes of ours.

What a schema says beyond a shape is said in words where the meaning is kept. Where it is not, the schema is refused
with the name of the property: a client would understand something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from action_server.errors import RegistrationError
from action_server.protocol.jsonable import JsonObject
from action_server.tools.shapes import Kind, Shape, sentence, sentences_of, text_of, text_of_number

_KINDS: Mapping[object, Kind] = {"string": "text", "boolean": "bool", "number": "number", "integer": "integer"}
# Said to nobody, or said otherwise.
_SILENT = frozenset(
    {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "discriminator"}
    | {"$schema", "$id", "$comment", "$defs", "definitions", "$anchor", "additionalProperties", "nullable"}
)
_READ = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "properties", "required", "items"})
_OF_PATTERN = "Matches the pattern"
# Sentences about what no shape says.
_WORDS: Mapping[str, str] = {
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "pattern": f"{_OF_PATTERN} {{}}.",
    "format": "In the format {}.",
    "minItems": "At least {} items.",
    "maxItems": "At most {} items.",
    "multipleOf": "A multiple of {}.",
    "contentEncoding": "Encoded as {}.",
    "contentMediaType": "Of the type {}.",
    "minProperties": "At least {} entries.",
    "maxProperties": "At most {} entries.",
}
# What of a schema counts for each of several things that it may be; the rest of it is said once.
_SHARED = frozenset(
    {"enum", "const", "items", "prefixItems", "minimum", "maximum"}
    | {"properties", "required", "additionalProperties", "propertyNames"}
)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_MOST_DEPTH = 12


@dataclass(frozen=True)
class Property:
    """A property of an author's object."""

    name: str
    shape: Shape
    description: str
    is_required: bool


@dataclass(frozen=True)
class _Place:
    """Where a schema stands: the tool's place and name, the way to the property, what ``$ref`` may mean."""

    place: str
    tool: str
    root: JsonObject
    path: tuple[str, ...] = ()
    followed: tuple[str, ...] = ()

    def below(self, name: str) -> _Place:
        return replace(self, path=(*self.path, name))

    def refuse(self, problem: str) -> RegistrationError:
        what = f"the argument {'.'.join(self.path)!r}" if self.path else "the arguments"
        return RegistrationError(f"{what} of the tool {self.tool!r}", self.place, problem)


def properties_of(schema: JsonObject, tool: str, place: str) -> list[Property]:
    """Return the properties of a schema of an object, in its order.

    Raises:
        RegistrationError: one of them means something that cannot be said to every client.
    """
    at = _Place(place, tool, schema)
    found, at = _resolve(schema, at)
    if found.get("type", "object") != "object" or not isinstance(found.get("properties", {}), dict):
        raise at.refuse("are no object with properties")
    unknown = _unknown(found, {"type", "properties", "required"})
    if unknown:
        raise at.refuse(f"have {unknown[0]!r}, which not every client understands")
    required = _required(found, at)
    return [
        Property(str(name), *_read_property(part, at.below(str(name))), name in required)
        for name, part in found.get("properties", {}).items()
    ]


def _unknown(found: JsonObject, known: Set[str]) -> list[str]:
    # What begins so is somebody's note, by everybody's custom.
    return sorted(key for key in found.keys() - _SILENT - known if not key.startswith("x-"))


def _required(found: JsonObject, at: _Place) -> list[Any]:
    required = found.get("required", [])
    if not isinstance(required, list):
        raise at.refuse("has a `required` that is no list" if at.path else "have a `required` that is no list")
    return required


def _read_property(schema: object, at: _Place) -> tuple[Shape, str]:
    shape = shape_of(schema, at)
    description = _resolve(schema, at)[0].get("description") if isinstance(schema, dict) else None
    # Of one that may be null the author may have described what it is otherwise.
    said = description if isinstance(description, str) else shape.description
    return replace(shape, description=""), said


def shape_of(schema: object, at: _Place) -> Shape:
    """Return the shape of one property. Raises :class:`RegistrationError`."""
    if schema is True:
        return Shape()
    if not isinstance(schema, dict):
        raise at.refuse("has a schema that is none")
    if len(at.path) + len(at.followed) > _MOST_DEPTH:
        raise at.refuse("is nested too deeply")
    found, at = _resolve(schema, at)
    unknown = _unknown(found, {*_READ, *_WORDS, *_BOUNDS, "prefixItems", "uniqueItems", "propertyNames"})
    if unknown:
        raise at.refuse(f"has {unknown[0]!r}, which not every client understands")
    for name in _BOUNDS:
        if name in found and (isinstance(found[name], bool) or not isinstance(found[name], (int, float))):
            raise at.refuse(f"has a {name} that is no number")
    shape = _without_words(found, at)
    return replace(shape, words=tuple(dict.fromkeys((*shape.words, *_words(found, shape)))))


def _without_words(found: JsonObject, at: _Place) -> Shape:
    if "anyOf" in found or "oneOf" in found:
        return _one_of(_options(found, at), at)
    if "const" in found or "enum" in found:
        return _category(found["enum"] if "enum" in found else [found["const"]], at)
    kinds = found.get("type")
    if isinstance(kinds, list):
        return _one_of([{**_shared(found), "type": kind} for kind in kinds if kind != "null"], at)
    if kinds in ("number", "integer"):
        return _number(_KINDS[kinds], found)
    if kinds in _KINDS:
        return Shape(_KINDS[kinds])
    if kinds == "array" or (kinds is None and ("items" in found or "prefixItems" in found)):
        return _list(found, at)
    if kinds == "object" or (kinds is None and "properties" in found):
        return _object(found, at)
    if kinds is None:
        return Shape()
    raise at.refuse("is of a type that there is not" if kinds != "null" else "can only be null")


def _shared(found: JsonObject) -> JsonObject:
    return {key: value for key, value in found.items() if key in _SHARED}


def _options(found: JsonObject, at: _Place) -> list[Any]:
    """Return what a value may be, null aside, each with what stands beside all of them."""
    options = found.get("anyOf", found.get("oneOf"))
    if ("anyOf" in found and "oneOf" in found) or not isinstance(options, list):
        raise at.refuse("has an anyOf or oneOf that not every client understands")
    if "properties" in found:
        raise at.refuse("is an object that may be one of several, which not every client understands")
    shared, kind = _shared(found), {"type": found["type"]} if "type" in found else {}
    known = [option for option in options if not _is_null(option)]
    if "enum" not in shared and "const" not in shared:
        return [{**kind, **_both(option, shared, at)} if isinstance(option, dict) else option for option in known]
    if any(not isinstance(option, dict) or option.keys() - _SILENT - {"type"} for option in known):
        raise at.refuse("has values beside an anyOf or oneOf, which not every client understands")
    return [shared]


def _is_null(schema: object) -> bool:
    return isinstance(schema, dict) and (schema.get("type") == "null" or schema.get("const", "") is None)


def _one_of(options: list[Any], at: _Place) -> Shape:
    """Return the shape of one of several schemas: theirs if they are one, otherwise all of them as options."""
    each = [_part_of(option, at) for option in options]
    shapes = [part for shape in each for part in _flat(shape)]
    if not shapes:
        raise at.refuse("can only be null")
    if len(shapes) == 1:
        return shapes[0]
    if all(shape.kind == "categorical" for shape in shapes):
        # By type as well, as 1 is true to Python.
        values = {(type(value), value): value for shape in shapes for value in shape.values}
        said = (f"{', '.join(shape.texts)}: {words}" for shape in shapes for words in _described(shape).words)
        return replace(_category([*values.values()], at), words=tuple(dict.fromkeys(said)))
    shapes = list(dict.fromkeys(map(_described, shapes)))
    if len(shapes) == 1:
        return shapes[0]
    if any(shape.kind == "record" or (shape.kind == "list" and not _is_plain_list(shape)) for shape in shapes):
        raise at.refuse("may be one of several objects, which not every client understands")
    if Shape() in shapes:
        return Shape()
    if any(shape.kind in ("number", "integer") for shape in shapes):
        # How a Decimal is written as a text.
        shapes = [replace(s, words=tuple(w for w in s.words if not w.startswith(_OF_PATTERN))) for s in shapes]
    return Shape(options=tuple(shapes))


def _flat(shape: Shape) -> list[Shape]:
    """Return the options of one of several options, each with what is said of them all; itself if it has none."""
    said = (shape.description,) if shape.description else ()
    return [replace(part, words=(*said, *part.words, *shape.words)) for part in shape.options] or [shape]


def _described(shape: Shape) -> Shape:
    """Return one of several options with what its author says of it among its words."""
    return replace(shape, words=(shape.description, *shape.words), description="") if shape.description else shape


def _is_plain_list(shape: Shape) -> bool:
    return shape.items is None or shape.items.kind in ("text", "bool", "number", "integer", "categorical", "any")


def _category(values: object, at: _Place) -> Shape:
    if not isinstance(values, list):
        raise at.refuse("has an enum that is no list")
    known = [value for value in values if value is not None]
    if not known:
        raise at.refuse("can only be null")
    if not all(isinstance(value, (str, bool, int, float)) for value in known):
        raise at.refuse("has an enum of objects or lists, which not every client understands")
    texts = [text_of(value).lower() for value in known]
    if len(set(texts)) != len(texts):
        raise at.refuse("has two values that are one in small letters")
    return Shape("categorical", tuple(known))


def _number(kind: Kind, found: JsonObject) -> Shape:
    return Shape(kind, minimum=found.get("minimum"), maximum=found.get("maximum"))


def _list(found: JsonObject, at: _Place) -> Shape:
    items: Any = found.get("items", {})
    if "prefixItems" in found:
        return _tuple(found["prefixItems"], items, found.get("maxItems"), at.below("items"))
    if isinstance(items, list):
        raise at.refuse("has items that not every client understands")
    item = _part_of(items, at.below("items"))
    if item.kind == "list" and item.items is not None and item.items.kind == "list":
        raise at.refuse("is a list of lists of lists, which not every client understands")
    return Shape("list", items=item)


def _tuple(first: object, others: object, longest: object, at: _Place) -> Shape:
    """Return a list whose first items are each something of their own, which is said in words."""
    if not isinstance(first, list):
        raise at.refuse("has a prefixItems that is no list")
    known = [*first, *([others] if isinstance(others, dict) and others else [])]
    is_open = others in (True, {}) and not (isinstance(longest, int) and longest <= len(first))
    items = Shape() if is_open or not known else _one_of(known, at)
    parts = [_part_of(part, at) for part in first]
    is_uniform = all(part == items for part in parts)
    named = () if is_uniform else ((f"Item {number}", part) for number, part in enumerate(parts, 1))
    return Shape("list", items=items, words=tuple(s for name, part in named for s in _in_words(name, part)))


def _object(found: JsonObject, at: _Place) -> Shape:
    properties = found.get("properties")
    if not isinstance(properties, dict) or not properties:
        return Shape("object", words=tuple(_of_entries(found, at)))
    if "propertyNames" in found:
        raise at.refuse("has 'propertyNames', which not every client understands")
    required = tuple(str(name) for name in _required(found, at) if name in properties)
    parts = tuple((str(name), _part_of(part, at.below(str(name)))) for name, part in properties.items())
    return Shape("record", fields=parts, required=required)


def _part_of(schema: object, at: _Place) -> Shape:
    shape, description = _read_property(schema, at)
    return replace(shape, description=sentence(description))


def _of_entries(found: JsonObject, at: _Place) -> Iterator[str]:
    """Say what is known of the entries of an object whose keys are anybody's."""
    for key, what in (("propertyNames", "key"), ("additionalProperties", "value")):
        schema = found.get(key)
        if not isinstance(schema, dict) or not schema:
            continue
        # What cannot be said is left to the author, as all of this is a text to clients.
        with suppress(RegistrationError):
            # A key is a text, whatever else is said of it.
            is_text = what == "key" and not schema.keys() & _READ
            part = _part_of({"type": "string", **schema} if is_text else schema, at.below(what))
            yield from _in_words(f"Each {what}", part)


def _in_words(what: str, shape: Shape) -> Iterator[str]:
    """Say of a part of a value, which is called ``what``, what no schema says of it: of its fields as well."""
    yield from sentences_of(what, shape)
    for name, part in (*shape.fields, *(shape.items.fields if shape.items is not None else ())):
        yield from _in_words(f"{what}'s {name}", part)


def _words(found: JsonObject, shape: Shape) -> Iterator[str]:
    if shape.kind in ("any", "categorical") and not shape.options:
        # What is a number has them in its shape.
        if "minimum" in found:
            yield f"At least {text_of_number(found['minimum'])}."
        if "maximum" in found:
            yield f"At most {text_of_number(found['maximum'])}."
    if "exclusiveMinimum" in found:
        yield f"More than {text_of_number(found['exclusiveMinimum'])}."
    if "exclusiveMaximum" in found:
        yield f"Less than {text_of_number(found['exclusiveMaximum'])}."
    for key, words in _WORDS.items():
        if key in found:
            yield words.format(found[key])
    if found.get("uniqueItems") is True:
        yield "Each item once."
    default = found.get("default")
    if isinstance(default, (str, bool, int, float)) and default != "":
        yield sentence(f"Default: {text_of(default)}")


def _resolve(schema: JsonObject, at: _Place) -> tuple[JsonObject, _Place]:
    """Return a schema with what its ``$ref`` means in its place, and with the one part of an ``allOf``."""
    while "$ref" in schema or "allOf" in schema:
        if "allOf" in schema:
            parts = schema["allOf"]
            if not isinstance(parts, list) or len(parts) != 1 or not isinstance(parts[0], dict):
                raise at.refuse("has an allOf of several, which not every client understands")
            schema = _both(parts[0], {k: v for k, v in schema.items() if k != "allOf"}, at)
            continue
        reference = schema["$ref"]
        if reference in at.followed:
            raise at.refuse("contains itself")
        at = replace(at, followed=(*at.followed, str(reference)))
        target = _target(reference, at)
        schema = _both(target, {k: v for k, v in schema.items() if k != "$ref"}, at)
    return schema, at


def _both(meant: JsonObject, beside: JsonObject, at: _Place) -> JsonObject:
    """Return two schemas that both count as one: of what is said of it, what stands beside counts."""
    twice = [key for key in beside.keys() & meant.keys() - _SILENT if beside[key] != meant[key]]
    if twice:
        raise at.refuse(f"has two of {min(twice)!r}, which not every client understands")
    return {**meant, **beside}


def _target(reference: object, at: _Place) -> JsonObject:
    found: Any = at.root
    parts = reference.split("/") if isinstance(reference, str) else []
    for part in parts[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    if parts[:1] != ["#"] or not isinstance(found, dict):
        raise at.refuse("refers to what is not in the schema")
    return found
