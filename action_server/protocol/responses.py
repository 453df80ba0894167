"""From what an action told its dispatcher to responses that channels can say.

The engine takes any object for a response, and its channels fail at a text that is no text: then the user hears
nothing at all. What was meant to be said is said: a field of another type is put right where its meaning is plain,
and left out where it is not, with a line in the log.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from action_server.errors import NotJsonableError
from action_server.protocol.jsonable import JsonObject, jsonable, plain_copy, stands_for_nothing
from action_server.protocol.notes import Notes

_TEXTS = ("text", "response", "template", "image")
_LISTS = ("buttons", "elements", "quick_replies")
# Each of these says something to the user.
_SAYING = (*_TEXTS, *_LISTS, "attachment", "custom")
# A button with one of these may do without a payload: it opens a page, or is of a channel's own kind.
_INSTEAD_OF_PAYLOAD = ("url", "type")
# Lists in lists deeper than this contain themselves.
_MAX_NESTING = 20
_NUMBERS = (int, float, Decimal, Fraction)


def normalise_response(notes: Notes, message: object) -> JsonObject | None:
    """Return a response as channels take it; None after saying in the log why there is none."""
    usual = _usual(message)
    return _unusual_response(notes, message) if usual is None else usual


def _usual(message: object) -> JsonObject | None:
    """Return a copy of what ``utter_message`` makes, if there is nothing to be put right; otherwise None."""
    response: JsonObject | None = plain_copy(message) if type(message) is dict else None
    if response is None:
        return None
    for key in _TEXTS:
        found = response.get(key)
        if found is not None and type(found) is not str:
            return None
    for key in _LISTS:
        if (found := response.get(key)) and (type(found) is not list or set(map(type, found)) != {dict}):
            return None
    for button in response.get("buttons") or ():
        if type(button.get("title")) is not str or type(button.get("payload")) is not str:
            return None
    return response


def _unusual_response(notes: Notes, message: object) -> JsonObject | None:
    if not isinstance(message, Mapping):
        # `dispatcher.messages.append("hello")`
        return _of_words(notes, message)
    response: dict[Any, Any] = dict(message)
    problem = ""
    for key in _TEXTS:
        found = response.get(key)
        if found is not None and type(found) is not str:
            response[key] = text = as_text(found)
            if text is not None:
                notes.response_repaired(key, type(found).__name__)
            elif not _is_empty(found):
                problem = problem or f"its '{key}' is a {type(found).__name__}, which says nothing"
    for key in _LISTS:
        if found := response.get(key):
            response[key] = _list(notes, key, found)
    if response.get("buttons"):
        response["buttons"] = _buttons(notes, response["buttons"])
    return _plain(notes, response, problem)


def _of_words(notes: Notes, message: object) -> JsonObject | None:
    text = as_text(message)
    if text is None:
        notes.response_dropped(f"it is a {type(message).__name__}")
        return None
    notes.response_repaired("text", type(message).__name__)
    return {"text": text}


def as_text(value: object, depth: int = 0) -> str | None:
    """Return what a value says in words; None if it says nothing a person understands."""
    if stands_for_nothing(value) or value is None or value is False or depth > _MAX_NESTING:
        # `text=is_late and "you are late"` says nothing when it is False.
        return None
    if isinstance(value, enum.Enum):
        return as_text(value.value, depth + 1)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, BaseException):
        # The author said it with this error, as in f"{exc}"; one without words is at least known by its name.
        return _words(value) or type(value).__name__
    if isinstance(value, (str, *_NUMBERS)):
        return _words(value)
    if isinstance(value, Mapping):
        return _json(value) if value else None
    if not _is_for_programmers(value):
        return _words(value)
    if isinstance(value, Iterable):
        # A list of lines; or `text = "hello",`, which is a tuple.
        return "\n".join(line for item in value if (line := as_text(item, depth + 1))) or None
    return None


def _is_for_programmers(value: object) -> bool:
    """Tell whether the text of an object is no more than its type and contents: `<coroutine ...>`, `['a', 'b']`."""
    kind = type(value)
    is_bare = kind.__repr__ is object.__repr__ or kind.__module__ in ("builtins", "types", "_thread", "collections")
    return kind.__str__ is object.__str__ and is_bare


def _words(value: object) -> str | None:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the author's own __str__ may raise anything
        return None


def _json(value: object) -> str | None:
    try:
        return json.dumps(jsonable(value), ensure_ascii=False)
    except NotJsonableError:
        return None


def _is_empty(value: object) -> bool:
    """Tell whether nothing was meant to be said."""
    return stands_for_nothing(value) or value is False or (isinstance(value, (list, tuple, dict, set)) and not value)


def _list(notes: Notes, key: str, found: object) -> list[Any]:
    """Return buttons or elements as a list, also where one of them stands alone or in a list of its own."""
    if isinstance(found, list) and set(map(type, found)) <= {dict}:
        return found
    notes.response_repaired(key, type(found).__name__)
    if isinstance(found, (Mapping, str)) or not isinstance(found, Iterable):
        return [found]
    flat: list[Any] = []
    for item in found:
        flat += item if isinstance(item, (list, tuple)) else () if item is None else (item,)
    return flat


def _buttons(notes: Notes, buttons: list[Any]) -> list[Any]:
    """Return buttons that channels can draw: title and payload are texts, and one stands for the other."""
    for index, button in enumerate(buttons):
        if not (type(button) is dict and type(button.get("title")) is str and type(button.get("payload")) is str):
            buttons = [*buttons[:index], _button(notes, button), *buttons[index + 1 :]]
    return buttons


def _button(notes: Notes, button: object) -> object:
    if not isinstance(button, Mapping):
        button = {"title": button}
    fixed = dict(button)
    for key in ("title", "payload"):
        found = fixed.get(key)
        if found is not None and type(found) is not str:
            fixed[key] = as_text(found)
            notes.response_repaired(f"buttons.{key}", type(found).__name__)
    for key, other in (("title", "payload"), ("payload", "title")):
        needs_none = key == "payload" and any(fixed.get(name) for name in _INSTEAD_OF_PAYLOAD)
        if fixed.get(key) is None and fixed.get(other) and not needs_none:
            notes.response_repaired(f"buttons.{key}", "nothing")
            fixed[key] = fixed[other]
    return fixed


def _plain(notes: Notes, response: Mapping[Any, Any], problem: str) -> JsonObject | None:
    """Return the response as JSON. A field that has no such form is left out, and the rest is said."""
    missing: list[tuple[str, str]] = []
    lost: list[tuple[str, str]] = []
    try:
        plain: JsonObject = jsonable(response, missing=lambda *found: missing.append(found))
    except NotJsonableError as exc:
        problem = problem or str(exc)
        plain = _fields_of(response, lost, missing)
    if problem and not any(plain.get(key) for key in _SAYING):
        notes.response_dropped(problem)
        return None
    # One line for all the values that are missing: a table of measurements may hold thousands.
    for field, kind in lost + missing[:1]:
        notes.response_repaired(field, kind)
    return plain


def _fields_of(response: Mapping[Any, Any], lost: list[tuple[str, str]], missing: list[tuple[str, str]]) -> JsonObject:
    plain: JsonObject = {}
    for key, value in response.items():
        try:
            plain |= jsonable({key: value}, missing=lambda *found: missing.append(found))
        except NotJsonableError as exc:
            lost.append((exc.path, exc.kind))
    return plain
