"""What the schemas of a tool say: which types a value may have, what stands at a path, which slots fit.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from action_server.project.domain import Slot
from action_server.project.result_paths import Key

# What a slot sends. A slot of another type may hold anything.
_SENT: Mapping[str, str] = {"text": "string", "bool": "boolean", "float": "number", "list": "array"}
# What a slot may be set to. Lists and objects are stored as JSON text, so that no list ever gets one.
_TAKEN: Mapping[str, frozenset[str]] = {
    "text": frozenset({"string", "array", "object"}),
    "bool": frozenset({"boolean"}),
    "float": frozenset({"number", "integer"}),
    "categorical": frozenset({"string", "boolean", "number", "integer"}),
    "strict_categorical": frozenset({"string", "boolean", "number", "integer"}),
    "list": frozenset(),
}
# What our own tools read of what.
_READ: Mapping[str, frozenset[str]] = {
    "string": frozenset({"boolean", "number", "integer", "array", "object"}),
    "number": frozenset({"string", "boolean", "integer"}),
    "boolean": frozenset({"string"}),
    "array": frozenset(),
}
# How engines name the parts of a result.
_PARTS = frozenset({"meta", "content", "structuredContent", "isError"})


@dataclass(frozen=True)
class Dead:
    """A path that leads nowhere: ``key`` is not among ``known``. ``is_certain``: nothing else may be there."""

    key: Key
    known: tuple[str, ...]
    is_certain: bool


def types_of(schema: Any) -> frozenset[str]:
    """Return the types a value may have, null aside; none if it may have any, or nobody can tell."""
    return frozenset(_types(schema)) - {"null"} if _is_told(schema) else frozenset()


def values_of(schema: Any) -> list[Any] | None:
    """Return the values of an enum; None if there is none, or another type beside it."""
    options = _options(schema)
    if not options or not all("enum" in option or option.get("type") == "null" for option in options):
        return None
    return [value for option in options for value in option.get("enum", ())]


def look_up(schema: Any, keys: Sequence[Key]) -> Any:
    """Return the schema at a path from ``result`` on, {} where it is open, or a :class:`Dead` end."""
    if not keys:
        return {}
    if keys[0] not in _PARTS:
        return Dead(keys[0], tuple(sorted(_PARTS)), is_certain=True)
    if keys[0] != "structuredContent" or schema is None:
        return {}
    found: Any = schema
    for key in keys[1:]:
        found = _step(found, key)
        if isinstance(found, Dead):
            return found
    return found


def misfit_of_input(slot: Slot, schema: Any, *, is_lenient: bool) -> str:
    """Say why what a slot sends is no value of a parameter; empty if it may be one."""
    accepted = types_of(schema)
    if slot.is_categorical:
        values = values_of(schema)
        known = {_text(value).lower() for value in values or ()}
        odd = [str(value) for value in slot.values if values is not None and _text(value).lower() not in known]
        return f"the slot may be {odd[0]!r}, which is none of its values" if odd else ""
    sent = _SENT.get(slot.type)
    if sent is None or not accepted or sent in accepted or (sent == "number" and "integer" in accepted):
        return ""
    if is_lenient and accepted & _READ[sent]:
        return ""
    return f"the slot is of the type {slot.type}, and it takes {' or '.join(sorted(accepted))}"


def misfit_of_output(slot: Slot, schema: Any) -> str:
    """Say why a value is none of the slot's; empty if it may be one."""
    given, taken = types_of(schema), _TAKEN.get(slot.type)
    if taken is None or not given or given & taken:
        return ""
    as_text = ", which engines store as JSON text" if given <= {"array", "object"} else ""
    return f"it is {' or '.join(sorted(given))}{as_text}, and the slot is of the type {slot.type}"


def _step(schema: Any, key: Key) -> Any:
    options = [option for option in _options(schema) if option.get("type") != "null"]
    if not options:
        return {}
    found = [_step_in(option, key) for option in options]
    return next((part for part in found if not isinstance(part, Dead)), found[0])


def _step_in(schema: Mapping[str, Any], key: Key) -> Any:
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items", {})
        return items if isinstance(key, int) else Dead(key, (), is_certain=True)
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and properties:
        is_closed = schema.get("additionalProperties") is False
        return properties[key] if key in properties else Dead(key, tuple(map(str, properties)), is_certain=is_closed)
    return Dead(key, (), is_certain=True) if kind in ("string", "boolean", "number", "integer") else {}


def _options(schema: Any) -> list[Mapping[str, Any]]:
    """Return the schemas of which a value has one."""
    if not isinstance(schema, Mapping):
        return []
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            return [option for option in schema[key] if isinstance(option, Mapping)]
    return [schema]


def _is_told(schema: Any) -> bool:
    options = _options(schema)
    return bool(options) and all("type" in option and "$ref" not in option for option in options)


def _types(schema: Any) -> Iterator[str]:
    for option in _options(schema):
        kind = option["type"]
        yield from map(str, kind) if isinstance(kind, list) else (str(kind),)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
