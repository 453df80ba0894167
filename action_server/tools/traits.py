"""What about a tool some caller is known to stumble over, found in the tool as clients get it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from action_server.protocol.jsonable import JsonObject

# What engines give a step, and what clients in TypeScript give a call, in seconds.
_STEP, _CALL = 10, 60
# In characters; providers of OpenAI's models take no more.
_LONGEST_DESCRIPTION = 1024
_DRAFTS = re.compile(r"https?://json-schema\.org/(draft-07|draft/2020-12)/schema#?")
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ARGUMENT = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


class Trait(Enum):
    """A trait of a tool or of one of its arguments. The value says it in words."""

    OR_NULL = "null beside the type, as one of `anyOf`"
    VALUES_OR_NULL = "null beside values, as one of `anyOf`"
    DESCRIPTION_BESIDE_OPTIONS = "a description beside `anyOf`"
    LIST_OF_TYPES = "a list of types"
    NULL_IN_ENUM = "null in an enum"
    EMPTY_VALUE = "an empty text in an enum"
    NO_TYPE = "no type"
    OPEN_OBJECT = "an object without properties"
    TRUE_SCHEMA = "`true` as a schema"
    NO_PROPERTIES = "no `properties` at the root"
    NO_OBJECT_AT_ROOT = "no `type: object` at the root"
    ADDITIONAL_PROPERTIES = "`additionalProperties`"
    LIST_WITHOUT_ITEMS = "a list without `items`"
    OPTIONAL_WITHOUT_NULL = "an argument that is not required and cannot be null"
    OTHER_DRAFT = "a `$schema` other than draft 7 and 2020-12"
    NULL_KEY = "a key that is null"
    UNFIT_TOOL_NAME = "a name with other than 64 letters, digits, _ and -"
    DIGIT_FIRST = "a name that begins with a digit"
    UNFIT_ARGUMENT_NAME = "an argument's name with other than 64 letters, digits, _ . and -"
    DESCRIPTION = "a description of the tool"
    LONG_DESCRIPTION = f"a description of over {_LONGEST_DESCRIPTION:,} characters"
    RESULT_IN_ANSWER = "a key `result` in its answers"
    NULL_IN_ANSWER = "null in its answers"
    SLOW = f"calls that may take over {_STEP} s"
    VERY_SLOW = f"calls that may take over {_CALL} s"
    NEEDS_CONVERSATION = "calls that need a conversation, and none is sent"


@dataclass(frozen=True)
class FoundTrait:
    """A trait that a tool has; ``argument`` is the argument it is about, empty for the tool as a whole."""

    trait: Trait
    argument: str = ""


def traits_of(listing: JsonObject) -> Iterator[FoundTrait]:
    """Find the traits of a tool as clients get it."""
    if not _TOOL.fullmatch(str(listing.get("name"))):
        yield FoundTrait(Trait.UNFIT_TOOL_NAME)
    if str(listing.get("name"))[:1].isdigit():
        yield FoundTrait(Trait.DIGIT_FIRST)
    description = str(listing.get("description") or "")
    if description:
        yield FoundTrait(Trait.DESCRIPTION)
    if len(description) > _LONGEST_DESCRIPTION:
        yield FoundTrait(Trait.LONG_DESCRIPTION)
    if any(value is None for value in listing.values()):
        yield FoundTrait(Trait.NULL_KEY)
    schema = listing.get("inputSchema")
    root: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
    yield from map(FoundTrait, _of_root(root))
    output = listing.get("outputSchema")
    if isinstance(output, Mapping):
        yield from map(FoundTrait, _of_answers(output, root))
    properties = root.get("properties")
    for name, part in properties.items() if isinstance(properties, Mapping) else ():
        is_required = name in (root.get("required") or ())
        for trait in dict.fromkeys(_of_argument(str(name), part, is_required=is_required)):
            yield FoundTrait(trait, str(name))


def traits_of_calls(seconds: float | None, *, needs_conversation: bool) -> Iterator[FoundTrait]:
    """Find the traits of a tool's calls: how many ``seconds`` one may take, and whether it needs a conversation."""
    if seconds is not None and seconds > _STEP:
        yield FoundTrait(Trait.SLOW)
    if seconds is not None and seconds > _CALL:
        yield FoundTrait(Trait.VERY_SLOW)
    if needs_conversation:
        yield FoundTrait(Trait.NEEDS_CONVERSATION)


def _of_root(root: Mapping[str, Any]) -> Iterator[Trait]:
    if root.get("type") != "object" or "$ref" in root:
        yield Trait.NO_OBJECT_AT_ROOT
    if not isinstance(root.get("properties"), Mapping):
        yield Trait.NO_PROPERTIES
    if "additionalProperties" in root:
        yield Trait.ADDITIONAL_PROPERTIES
    if "$schema" in root and not _DRAFTS.fullmatch(str(root["$schema"])):
        yield Trait.OTHER_DRAFT


def _of_answers(output: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Trait]:
    if output.get("type") != "object" and root.get("type") == "object":
        yield Trait.NO_OBJECT_AT_ROOT
    properties = output.get("properties") or {}
    if "result" in properties:
        yield Trait.RESULT_IN_ANSWER
    if any(map(_may_be_null, properties.values())):
        yield Trait.NULL_IN_ANSWER


def _of_argument(name: str, schema: Any, *, is_required: bool) -> Iterator[Trait]:
    if not _ARGUMENT.fullmatch(name):
        yield Trait.UNFIT_ARGUMENT_NAME
    if not is_required and not _may_be_null(schema):
        yield Trait.OPTIONAL_WITHOUT_NULL
    yield from _of_schema(schema)


def _of_schema(schema: Any) -> Iterator[Trait]:
    """Find the traits of a schema and of all that are in it."""
    if not isinstance(schema, Mapping):
        yield Trait.TRUE_SCHEMA
        return
    options = [o for key in ("anyOf", "oneOf", "allOf") for o in _list(schema.get(key))]
    yield from (trait for trait, is_there in _looked_for(schema, options) if is_there)
    properties = schema.get("properties")
    below = [*options, *(properties.values() if isinstance(properties, Mapping) else ())]
    for part in [*below, *([schema["items"]] if "items" in schema else [])]:
        yield from _of_schema(part)


def _looked_for(schema: Mapping[str, Any], options: list[Any]) -> Iterator[tuple[Trait, bool]]:
    """Yield the traits of one schema that there may be, and whether each is there."""
    kind, values = schema.get("type"), _list(schema.get("enum"))
    says_nothing = kind is None and not options and not schema.keys() & {"$ref", "enum", "const"}
    yield Trait.OR_NULL, any(map(_is_null, options))
    yield Trait.VALUES_OR_NULL, any(map(_is_null, options)) and any(map(_has_values, options))
    yield Trait.DESCRIPTION_BESIDE_OPTIONS, bool(options) and "description" in schema
    yield Trait.LIST_OF_TYPES, isinstance(kind, list)
    yield Trait.NULL_IN_ENUM, None in values
    yield Trait.EMPTY_VALUE, "" in values
    yield Trait.NO_TYPE, says_nothing
    yield Trait.OPEN_OBJECT, kind == "object" and not schema.get("properties")
    yield Trait.ADDITIONAL_PROPERTIES, "additionalProperties" in schema
    yield Trait.LIST_WITHOUT_ITEMS, kind == "array" and "items" not in schema


def _may_be_null(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return True
    kinds = schema.get("type")
    if kinds is None and "anyOf" not in schema and "oneOf" not in schema:
        return "enum" not in schema or None in _list(schema["enum"])
    options = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]
    return "null" in _list(kinds) or schema.get("nullable") is True or any(map(_is_null, options))


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _has_values(schema: Any) -> bool:
    return isinstance(schema, Mapping) and "enum" in schema


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []
