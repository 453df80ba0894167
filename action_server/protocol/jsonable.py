"""What Python values become in JSON: dates, UUIDs, enums, Decimals, dataclasses, pydantic models and the plain ones."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence, Set, ValuesView
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from action_server.errors import NotJsonableError

# An object of JSON, as `json` reads it.
JsonObject = dict[str, Any]

_ATOMS = (str, bool, type(None))
# pandas' words for a value that is not there. Its NaT is a datetime, and its NA compares with nothing.
_MISSING_IN_PANDAS = ("NaTType", "NAType")

# Deeper than any slot is meant to be, and well inside of what the JSON encoder can write. A value that contains itself
# runs into it too.
MAX_DEPTH = 200

# Python writes no integer of more than 4300 digits (sys.get_int_max_str_digits), and engines written in it read none.
_MAX_INT_BITS = 14_000
# No larger one is usual.
_LARGE_INT = 1 << 63


# Told of each value that became null because it stands for a missing one: its place, and what it was.
Missing = Callable[[str, str], None]


def jsonable(value: object, path: str = "", depth: int = 0, missing: Missing | None = None) -> Any:
    """Return a copy of ``value`` made of dicts, lists, strings, finite numbers, booleans and None only.

    A Decimal becomes a number as in rasa-sdk, a Fraction too, dates and times become ISO 8601, an enum its value, a set
    a list. What stands for a missing value (NaN, infinity, pandas' NaT) is no JSON and becomes None; ``missing`` is
    told of it.

    Raises:
        NotJsonableError: somewhere in it is something that is no data, such as a lock or a function.
    """
    kind = type(value)
    if kind in _ATOMS or (kind is float and isfinite(value)):  # type: ignore[arg-type]
        return value
    if depth == 0 and (kind is dict or kind is list):
        copied = plain_copy(value)
        if copied is not None:
            return copied
    if depth > MAX_DEPTH:
        raise NotJsonableError(path[:80], kind.__name__, "is nested too deeply or contains itself")
    try:
        return _plain(value, path, depth, missing)
    except NotJsonableError:
        raise
    except Exception:  # noqa: BLE001 - an expired database row, a broken property: its error may hold values
        raise NotJsonableError(path, kind.__name__, "cannot be read") from None


def plain_copy(value: Any, depth: int = 0) -> Any:
    """Return a copy of a dict or list in which nothing has to be changed to be JSON; None if something has to.

    It is most of what actions return, and here nothing is noted of where in it a value stands.
    """
    if depth > MAX_DEPTH:
        return None
    is_dict = type(value) is dict
    copied = value.copy()
    for key, item in value.items() if is_dict else enumerate(value):
        if is_dict and type(key) is not str:
            return None
        kind = type(item)
        if kind is str or item is None or kind is bool:
            continue
        if kind is dict or kind is list:
            # Most lists of a message are empty.
            copied[key] = copy = plain_copy(item, depth + 1) if item else kind()
            if copy is None:
                return None
        elif not _is_plain_number(item):
            return None
    return copied


def is_plain_atom(value: object) -> bool:
    """Tell whether a value is a text, a number, a truth or null that is JSON as it is."""
    kind = type(value)
    return kind is str or value is None or kind is bool or _is_plain_number(value)


def _is_plain_number(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return bool(-_LARGE_INT < value < _LARGE_INT)
    return kind is float and isfinite(value)


def _plain(value: object, path: str, depth: int, missing: Missing | None) -> Any:
    if isinstance(value, enum.Enum):
        return jsonable(value.value, path, depth + 1, missing)
    if isinstance(value, Mapping):
        # The names of an event's own fields are no secret. Below them keys may be anything, a patient's name as well.
        return {
            _key(k, path): jsonable(v, f"{path}.*" if path else str(k), depth + 1, missing) for k, v in value.items()
        }
    if isinstance(value, (Sequence, Set, ValuesView)) and not isinstance(value, (str, bytes, bytearray, memoryview)):
        return [jsonable(item, f"{path}[{i}]", depth + 1, missing) for i, item in enumerate(value)]
    if isinstance(value, int):
        if value.bit_length() > _MAX_INT_BITS:
            raise NotJsonableError(path, "int", "has more digits than can be written")
        return int(value)
    if stands_for_nothing(value):
        if missing is not None:
            missing(path, type(value).__name__)
        return None
    return _other(value, path, depth, missing)


def stands_for_nothing(value: object) -> bool:
    """Tell whether it is a number that JSON cannot write, or pandas' word for a missing value."""
    if isinstance(value, float):
        return not isfinite(value)
    if isinstance(value, Decimal):
        # A Decimal goes out as a float, and may be larger than any.
        return not (value.is_finite() and isfinite(float(value)))
    kind = type(value)
    return kind.__name__ in _MISSING_IN_PANDAS and kind.__module__.partition(".")[0] == "pandas"


def _key(key: object, path: str) -> str:
    # JSON's own words for the keys Python's encoder would take.
    if isinstance(key, str):
        return str(key.value) if isinstance(key, enum.Enum) else str(key)
    plain = jsonable(key, f"a key of {path}" if path else "a key")
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    # A tuple's or a frozenset's own text, as rasa-sdk writes it.
    return str(key if isinstance(plain, (dict, list)) else plain)


def _other(value: object, path: str, depth: int, missing: Missing | None) -> Any:
    # Subclasses of the plain types: a str that is not an enum, numpy.float64, ...
    for kind in (str, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, (Decimal, Fraction)):
        return float(value)
    if isinstance(value, (datetime, date, time)):
        # Not pydantic's form, which writes "Z" for UTC: fromisoformat of Python 3.10 does not read that.
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return jsonable(fields, path, depth + 1, missing)
    if isinstance(value, BaseModel):
        return jsonable(value.model_dump(warnings=False), path, depth + 1, missing)
    plain = _own_plain_form(value)
    if plain is not None:
        known = plain()
        if known is None and missing is not None:
            # As numpy's NaT says it.
            missing(path, type(value).__name__)
        return jsonable(known, path, depth + 1, missing)
    try:
        # Durations, UUIDs, paths, bytes, URLs, ...: pydantic knows the standard library.
        found = to_jsonable_python(value)
    except (PydanticSerializationError, ValueError):
        raise NotJsonableError(path, type(value).__name__) from None
    # What it made of a generator or the like may hold NaN again.
    return found if isinstance(found, str) else jsonable(found, path, depth + 1, missing)


def _own_plain_form(value: object) -> Callable[[], object] | None:
    """Return what numpy's and pandas' arrays and scalars make themselves plain with. No import of either for it."""
    if type(value).__module__.partition(".")[0] not in ("numpy", "pandas"):
        return None
    found: Callable[[], object] | None = getattr(value, "tolist", None) or getattr(value, "item", None)
    return found if callable(found) else None
