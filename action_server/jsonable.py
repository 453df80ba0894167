"""What Python values become in JSON: dates, UUIDs, enums, Decimals, dataclasses, pydantic models and the plain ones."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

_ATOMS = (str, int, float, bool, type(None))

# Deeper than any slot is meant to be, and well inside of what the JSON encoder can write. A value that contains itself
# runs into it too.
MAX_DEPTH = 200


class NotJsonableError(ValueError):
    """A value has no JSON form. ``path`` says where it sits, ``kind`` is its type's name."""

    def __init__(self, path: str, kind: str, problem: str = "has no JSON form") -> None:
        super().__init__(f"{path or 'it'} is a {kind}, which {problem}")
        self.path = path
        self.kind = kind


def jsonable(value: object, path: str = "", depth: int = 0) -> Any:
    """Return a copy of ``value`` made of dicts, lists, strings, numbers, booleans and None only.

    A Decimal becomes a number as in rasa-sdk, dates and times become ISO 8601, an enum its value, a set a list.

    Raises:
        NotJsonableError: somewhere in it is something that is no data, such as a lock or a function.
    """
    if type(value) in _ATOMS:
        return value
    if depth > MAX_DEPTH:
        raise NotJsonableError(path[:80], type(value).__name__, "is nested too deeply or contains itself")
    if isinstance(value, enum.Enum):
        return jsonable(value.value, path, depth + 1)
    if isinstance(value, Mapping):
        return {_key(k, path): jsonable(v, f"{path}.{k}" if path else str(k), depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]
    return _other(value, path, depth)


def _key(key: object, path: str) -> str:
    # JSON's own words for the keys Python's encoder would take.
    if isinstance(key, str):
        return str(key.value) if isinstance(key, enum.Enum) else str(key)
    plain = jsonable(key, f"a key of {path}" if path else "a key")
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    if isinstance(plain, (dict, list)):
        raise NotJsonableError(f"a key of {path}" if path else "a key", type(key).__name__)
    return str(plain)


def _other(value: object, path: str, depth: int) -> Any:
    # Subclasses of the plain types: a str that is not an enum, numpy.float64, ...
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Decimal):
        return float(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return jsonable(fields, path, depth + 1)
    if isinstance(value, BaseModel):
        return jsonable(value.model_dump(), path, depth + 1)
    for method in ("tolist", "item"):
        # numpy and pandas: arrays and scalars know their plain form. No import of either for it.
        plain: Callable[[], object] | None = getattr(value, method, None)
        if callable(plain) and type(value).__module__.partition(".")[0] in ("numpy", "pandas"):
            return jsonable(plain(), path, depth + 1)
    try:
        # Dates, times, durations, UUIDs, paths, bytes, URLs, ...: pydantic knows the standard library.
        return to_jsonable_python(value)
    except (PydanticSerializationError, ValueError):
        raise NotJsonableError(path, type(value).__name__) from None
