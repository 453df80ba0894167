"""From the arguments of a call to slots: models and engines write one value in several ways, and all are read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from action_server.tools.shapes import Shape, text_of

# What is said where nothing is meant. Text may be any of these, and is kept.
_NOTHING = frozenset({"", "null"})


@dataclass(frozen=True)
class Argument:
    """An argument of a tool, and the slot that it fills."""

    name: str
    slot: str
    shape: Shape
    description: str = ""
    is_required: bool = False


@dataclass(frozen=True)
class ReadArguments:
    """What the arguments of a call come to: slots, a sentence for each value that does not fit, names nobody knows."""

    slots: dict[str, Any]
    problems: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class _Unfit(Exception):  # noqa: N818 - a signal inside of this module
    """A value is not of its shape; the text says what it has to be, and nothing of what it is."""


def read_arguments(arguments: Iterable[Argument], given: Mapping[str, Any]) -> ReadArguments:
    """Read the arguments of a call. One that is missing is null; no sentence repeats a value."""
    slots: dict[str, Any] = {}
    problems: list[str] = []
    known: set[str] = set()
    for argument in arguments:
        known.add(argument.name)
        slots[argument.slot] = None
        try:
            value = slots[argument.slot] = read_value(argument.shape, given.get(argument.name))
        except _Unfit as exc:
            problems.append(f"{argument.name} has to be {exc}")
            continue
        if argument.is_required and value is None:
            problems.append(f"{argument.name} is missing")
    return ReadArguments(slots, tuple(problems), tuple(name for name in given if name not in known))


def read_value(shape: Shape, value: Any) -> Any:
    """Return a value as the slot holds it. Raises :class:`_Unfit`."""
    if value is None:
        return None
    if shape.kind == "categorical":
        return _read_category(shape, value)
    if shape.kind == "text":
        return _read_text(value)
    if isinstance(value, str) and value.strip().lower() in _NOTHING:
        return None
    if shape.kind == "bool":
        return _read_bool(value)
    if shape.kind in ("number", "integer"):
        return _read_number(shape, value)
    if shape.kind == "list":
        items = shape.items or Shape()
        return [read_value(items, item) for item in _read_json(value, list, "a list")]
    if shape.kind == "record":
        found: dict[str, Any] = _read_json(value, dict, "an object")
        parts = dict(shape.fields)
        return {name: read_value(parts[name], item) if name in parts else item for name, item in found.items()}
    return _read_json(value, dict, "an object, as text that holds JSON") if shape.kind == "object" else value


def _read_category(shape: Shape, value: Any) -> Any:
    # As engines compare them: as texts, whatever their case.
    wanted = _plain(value).strip().lower()
    for known in shape.values:
        if text_of(known).lower() == wanted:
            return known
    if wanted in _NOTHING:
        return None
    raise _Unfit(f"one of {', '.join(shape.texts)}")


def _read_text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise _Unfit("a text")
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        # A telephone number that a client read as a number.
        return str(int(value))
    return text_of(value)


def _read_bool(value: Any) -> bool:
    text = _plain(value).strip().lower()
    if text in ("true", "1", "1.0"):
        return True
    if text in ("false", "0", "0.0"):
        return False
    raise _Unfit("true or false")


def _read_number(shape: Shape, value: Any) -> int | float:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else _number_of(value)
    if number is None or not math.isfinite(number):
        raise _Unfit(_kind_of_number(shape))
    if shape.kind == "integer" and isinstance(number, float):
        if not number.is_integer():
            raise _Unfit(_kind_of_number(shape))
        number = int(number)
    is_low = shape.minimum is not None and number < shape.minimum
    if is_low or (shape.maximum is not None and number > shape.maximum):
        raise _Unfit(_kind_of_number(shape))
    return number


def _number_of(value: Any) -> float | None:
    # As engines do: a slot of numbers takes a text that is one.
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _kind_of_number(shape: Shape) -> str:
    what = "a whole number" if shape.kind == "integer" else "a number"
    bounds = [f"at least {shape.minimum:g}"] if shape.minimum is not None else []
    bounds += [f"at most {shape.maximum:g}"] if shape.maximum is not None else []
    return ", ".join([what, *bounds])


def _read_json(value: Any, kind: type, what: str) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise _Unfit(what) from None
    if not isinstance(value, kind):
        raise _Unfit(what)
    return value
