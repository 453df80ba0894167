"""What slots and schemas make of each other."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.flows.check.tool_schemas import Dead, look_up, misfit_of_input, misfit_of_output, types_of, values_of
from action_server.project.domain import Slot
from action_server.source import Place

NULL = {"type": "null"}
OUTPUT = {
    "type": "object",
    "properties": {
        "ok": {"type": "boolean"},
        "open": {"description": "x"},
        "person": {"anyOf": [{"type": "object", "properties": {"name": {"type": "string"}}}, NULL]},
        "times": {"type": "array", "items": {"type": "string"}},
        "closed": {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
    },
}


def slot(kind: str, *values: Any) -> Slot:
    return Slot(name="s", type=kind, at=Place(), values=values)


INPUTS: list[tuple[Slot, Any, bool, bool]] = [
    (slot("text"), {"anyOf": [{"type": "string"}, NULL]}, False, True),
    (slot("text"), {"type": "number"}, False, False),
    (slot("text"), {"type": "number"}, True, True),
    (slot("float"), {"type": ["integer", "null"]}, False, True),
    (slot("float"), {"type": "array"}, True, False),
    (slot("bool"), {"type": "string"}, False, False),
    (slot("bool"), {"type": "number"}, True, False),
    (slot("list"), {"type": "string"}, True, False),
    (slot("list"), {"type": "array"}, False, True),
    (slot("any"), {"type": "array"}, False, True),
    (slot("text"), {}, False, True),
    (slot("text"), True, False, True),
    (slot("text"), {"$ref": "#/x"}, False, True),
    (slot("categorical", "a", "b"), {"anyOf": [{"type": "string", "enum": ["A", "b"]}, NULL]}, False, True),
    (slot("categorical", "a", "c"), {"type": "string", "enum": ["a", "b"]}, False, False),
    (slot("categorical", "a"), {"type": "string"}, False, True),
    (slot("categorical", True), {"enum": ["true", "false"]}, False, True),
]


@pytest.mark.parametrize(("sent", "schema", "is_lenient", "fits"), INPUTS, ids=[str(i) for i in range(len(INPUTS))])
def test_a_slot_fits_a_parameter(sent: Slot, schema: Any, is_lenient: bool, fits: bool) -> None:
    """By type, by the values of a category; our own tools read more."""
    assert (misfit_of_input(sent, schema, is_lenient=is_lenient) == "") is fits


OUTPUTS: list[tuple[str, Any, bool]] = [
    ("text", {"type": "string"}, True),
    ("text", {"type": "array"}, True),
    ("text", {"type": "boolean"}, False),
    ("bool", {"type": "string"}, False),
    ("bool", {"anyOf": [{"type": "boolean"}, NULL]}, True),
    ("float", {"type": "integer"}, True),
    ("list", {"type": "array"}, False),
    ("list", {}, True),
    ("any", {"type": "array"}, True),
    ("categorical", {"type": "object"}, False),
]


@pytest.mark.parametrize(("kind", "schema", "fits"), OUTPUTS)
def test_a_result_fits_a_slot(kind: str, schema: Any, fits: bool) -> None:
    """A list never does, as engines store it as text."""
    assert (misfit_of_output(slot(kind), schema) == "") is fits


PATHS: list[tuple[tuple[str | int, ...], Any]] = [
    ((), {}),
    (("content", 0, "text"), {}),
    (("structured", "ok"), Dead("structured", ("content", "isError", "meta", "structuredContent"), True)),
    (("structuredContent", "ok"), {"type": "boolean"}),
    (("structuredContent", "no"), Dead("no", ("ok", "open", "person", "times", "closed"), False)),
    (("structuredContent", "ok", "deeper"), Dead("deeper", (), True)),
    (("structuredContent", "open", "deeper"), {}),
    (("structuredContent", "person", "name"), {"type": "string"}),
    (("structuredContent", "times", 0), {"type": "string"}),
    (("structuredContent", "times", "a"), Dead("a", (), True)),
    (("structuredContent", "closed", "b"), Dead("b", ("a",), True)),
]


@pytest.mark.parametrize(("path", "found"), PATHS, ids=[".".join(map(str, p[0])) for p in PATHS])
def test_a_path_leads_to_a_schema_or_ends(path: tuple[str | int, ...], found: Any) -> None:
    """Where the schema is open it may lead anywhere."""
    assert look_up(OUTPUT, path) == found


def test_without_an_output_schema_nothing_is_known() -> None:
    """Any path may be there, but the parts of a result are always the same."""
    assert look_up(None, ("structuredContent", "x")) == {}
    assert isinstance(look_up(None, ("x",)), Dead)


def test_types_and_values_of_a_schema() -> None:
    """Null aside; none where anything goes."""
    assert types_of({"anyOf": [{"type": "string"}, {"enum": [1]}]}) == frozenset()
    assert types_of({"oneOf": [{"type": ["string", "null"]}, {"type": "number"}]}) == {"string", "number"}
    assert values_of({"anyOf": [{"enum": ["a"]}, {"type": "string"}]}) is None
    assert values_of(5) is None
