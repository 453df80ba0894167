"""Arguments and results of jobs: typed, and JSON that comes back as what it was. Checked before anything is written."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from action_server.errors import JobError

# Bytes of the arguments of a job, and of its result. A job's row is no place for files.
MOST_BYTES = 1024 * 1024


def encode(adapter: TypeAdapter[Any], value: object, what: str) -> str:
    """Return ``value`` as JSON text. ``what`` names it in errors, which never repeat the value.

    Raises:
        JobError: it is not of the type, JSON has no form for it, or what comes back would not be equal to it.
    """
    try:
        checked = adapter.validate_python(value)
        text = adapter.dump_json(checked)
        back = adapter.validate_json(text)
        is_same = bool(back == checked)
    except ValidationError as exc:
        raise JobError(f"{what}: {_problem(exc)}") from None
    except (PydanticSerializationError, ValueError, TypeError, RecursionError):
        raise JobError(f"{what} has no JSON form") from None
    if not is_same:
        raise JobError(f"{what} would come back from JSON as something else; keys have to be text, lists no tuples")
    if len(text) > MOST_BYTES:
        raise JobError(f"{what} has {len(text)} bytes as JSON; {MOST_BYTES} are allowed")
    if b"\\u0000" in text and _holds_nul(json.loads(text)):
        raise JobError(f"{what} holds the character NUL, which databases do not keep")
    return text.decode("utf-8")


def decode(adapter: TypeAdapter[Any], text: str, what: str) -> Any:
    """Return what :func:`encode` made a text of. Raises :class:`JobError` if the type has changed since then."""
    try:
        return adapter.validate_json(text)
    except (ValidationError, ValueError) as exc:
        problem = _problem(exc) if isinstance(exc, ValidationError) else "is no JSON"
        raise JobError(f"{what}: {problem}") from None


def storable(text: str) -> str:
    """Return a text that came from outside without what no database keeps: NUL and lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    # Words of a validator of the author's may hold the value.
    said = first["msg"] if first["type"] not in ("value_error", "assertion_error") else "is refused by its type"
    return f"{place}: {said}" if place else said


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_holds_nul(item) for item in value)
