"""From the arguments of a call to slots: models and engines write one value in several ways, and all are read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from action_server.tools.shapes import Kind, Shape, either, text_of, text_of_number

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


_NATURAL: Mapping[type, tuple[Kind, ...]] = {
    bool: ("bool",),
    int: ("integer", "number"),
    float: ("number", "integer"),
}


class _Unfit(Exception):  # noqa: N818 - a signal inside of this module
    """A value is not of its shape; the text says what it has to be, and nothing of what it is.

    ``where`` is the way to it from the argument on, as ``.day`` or ``[0]``.
    """

    def __init__(self, expected: str, where: str = "") -> None:
        super().__init__(expected)
        self.expected, self.where = expected, where


def read_arguments(arguments: Iterable[Argument], given: Mapping[str, Any]) -> ReadArguments:
    """Read the arguments of a call. One that is missing is null; no sentence repeats a value."""
    slots: dict[str, Any] = {}
    problems: list[str] = []
    known: set[str] = set()
    for argument in arguments:
        known.add(argument.name)
        try:
            value = slots[argument.slot] = read_value(argument.shape, given.get(argument.name))
        except _Unfit as exc:
            problems.append(f"{argument.name}{exc.where} has to be {exc.expected}")
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
    if shape.kind == "text" or (shape.options and all(option.kind == "text" for option in shape.options)):
        return _read_text(value)
    if _says_nothing(value):
        return None
    return _READERS[shape.kind](shape, value)


def _says_nothing(value: Any) -> bool:
    if isinstance(value, list) and len(value) == 1:
        # As a client writes a null for a list (anthropics/claude-code, issue 95239).
        value = value[0]
        return isinstance(value, str) and value == "null"
    return isinstance(value, str) and value.strip().lower() in _NOTHING


def _read_any(shape: Shape, value: Any) -> Any:
    if not shape.options or any(option.kind == "text" for option in shape.options):
        return value
    # 1 is a number before it is true.
    natural = _NATURAL.get(type(value), ())
    for option in sorted(shape.options, key=lambda option: option.kind not in natural):
        with suppress(_Unfit):
            return read_value(option, value)
    raise _Unfit(either(shape.options))


def _read_list(shape: Shape, value: Any) -> list[Any]:
    items = shape.items or Shape()
    found: list[Any] = _read_json(value, list, "a list")
    return [_read_part(items, item, f"[{number}]") for number, item in enumerate(found)]


def _read_record(shape: Shape, value: Any) -> dict[str, Any]:
    parts = dict(shape.fields)
    found: dict[str, Any] = _read_json(value, dict, "an object")
    return {n: _read_part(parts[n], item, f".{n}") if n in parts else item for n, item in found.items()}


def _read_object(_: Shape, value: Any) -> Any:
    return _read_json(value, dict, "an object, as text that holds JSON")


def _read_part(shape: Shape, value: Any, where: str) -> Any:
    try:
        return read_value(shape, value)
    except _Unfit as exc:
        raise _Unfit(exc.expected, f"{where}{exc.where}") from None


def _read_category(shape: Shape, value: Any) -> Any:
    for say in _WAYS_TO_SAY:
        said = say(value)
        for known in shape.values:
            if say(known) == said:
                return known
    if _plain(value).strip().lower() in _NOTHING:
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


# The very value comes first. Engines compare texts, whatever their case, and clients say 2 for 2.0.
_WAYS_TO_SAY: tuple[Callable[[Any], str], ...] = (text_of, lambda value: _plain(value).strip().lower())


def _read_bool(_: Shape, value: Any) -> bool:
    text = _plain(value).strip().lower()
    if text in ("true", "1", "1.0"):
        return True
    if text in ("false", "0", "0.0"):
        return False
    raise _Unfit("true or false")


def _read_number(shape: Shape, value: Any) -> int | float:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else _number_of(shape, value)
    # An integer may be larger than any fraction.
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        raise _Unfit(_kind_of_number(shape))
    if shape.kind == "integer" and isinstance(number, float):
        if not number.is_integer():
            raise _Unfit(_kind_of_number(shape))
        number = int(number)
    is_low = shape.minimum is not None and number < shape.minimum
    if is_low or (shape.maximum is not None and number > shape.maximum):
        raise _Unfit(_kind_of_number(shape))
    return number


def _number_of(shape: Shape, value: Any) -> int | float | None:
    if not isinstance(value, str):
        return None
    if shape.kind == "integer":
        # An identifier of many digits is itself: as a fraction it would be a neighbour.
        with suppress(ValueError):
            return int(value)
    try:
        # As engines do: a slot of numbers takes a text that is one.
        return float(value)
    except ValueError:
        return None


def _kind_of_number(shape: Shape) -> str:
    what = "a whole number" if shape.kind == "integer" else "a number"
    bounds = [f"at least {text_of_number(shape.minimum)}"] if shape.minimum is not None else []
    bounds += [f"at most {text_of_number(shape.maximum)}"] if shape.maximum is not None else []
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


_READERS: Mapping[Kind, Callable[[Shape, Any], Any]] = {
    "bool": _read_bool,
    "number": _read_number,
    "integer": _read_number,
    "list": _read_list,
    "record": _read_record,
    "object": _read_object,
    "any": _read_any,
}
