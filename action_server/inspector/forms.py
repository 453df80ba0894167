"""A form with the slots of an action, as the domain has them: numbers, categories and truths as such."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from action_server.errors import RequestError
from action_server.findings.escaping import escape_controls, escape_lines
from action_server.project.domain import BUILT_IN_SLOTS, Slot

# A longer value stays as it is: a browser's field of a megabyte is of no use.
_LONGEST = 20_000
_PREFIX = "slot."
_NEW_NAME, _NEW_VALUE = "new.name", "new.value"
_UNKNOWN = "JSON or text"
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True)
class SlotField:
    """One field: what stands in it at first, and what can be chosen. ``kind`` is text, number, bool, choice, json or
    "JSON or text", where nobody knows.
    """

    slot: str
    kind: str
    text: str
    options: tuple[tuple[str, str], ...] = ()
    is_editable: bool = True

    @property
    def name(self) -> str:
        """The field's name in the form."""
        return f"{_PREFIX}{quote(self.slot, safe='', errors='replace')}"

    @property
    def is_long(self) -> bool:
        """Whether it needs several lines."""
        return self.kind == "json" or len(self.text) > 60 or "\n" in self.text

    def value_of(self, text: str) -> Any:
        """Return the value that a text stands for. Raises :class:`RequestError`."""
        if text == "":
            return None
        if self.kind == "text":
            return text
        if self.kind == _UNKNOWN:
            return json_or_text(text)
        if self.kind == "bool" and text in _TRUTHS:
            return _TRUTHS[text]
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            wanted = {"number": "a number", "bool": "true or false"}.get(self.kind, 'JSON, such as 4, "text" or ["a"]')
            raise RequestError(f"{escape_controls(self.slot)}: this is not {wanted}") from None


def fields_of(slots: Mapping[str, Any], declared: Mapping[str, Slot], first: Iterable[str] = ()) -> list[SlotField]:
    """Return the fields for slots with these values and those the domain declares; ``first`` come first."""
    names = [*first, *(n for n, v in slots.items() if v is not None), *slots, *declared]
    names = [name for name in dict.fromkeys(names) if name not in BUILT_IN_SLOTS]
    return [_field(name, slots.get(name), declared.get(name)) for name in names]


def changed_slots(slots: Mapping[str, Any], fields: Iterable[SlotField], form: Mapping[str, str]) -> dict[str, Any]:
    """Return the slots as the form has them: what was not touched is what it was.

    Raises:
        RequestError: a text is no value of its slot.
    """
    found = dict(slots)
    for field in fields:
        text = form.get(field.name)
        # Browsers send line ends of their own.
        if field.is_editable and text is not None and text.replace("\r\n", "\n") != field.text.replace("\r\n", "\n"):
            found[field.slot] = field.value_of(text)
    if form.get(_NEW_NAME, "").strip():
        found[form[_NEW_NAME].strip()] = json_or_text(form.get(_NEW_VALUE, ""))
    return found


def json_or_text(text: str) -> Any:
    """Return what a text says as JSON, or the text itself if it is none; None for nothing."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


def is_plain(text: str) -> bool:
    """Tell whether nothing in a text but ends of lines would steer a terminal or turn the direction of writing."""
    return escape_lines(text) == text


def _field(name: str, value: Any, slot: Slot | None) -> SlotField:
    kind, options = _kind(value, slot)
    # ASCII, where something in it would steer what shows it.
    plain = is_plain(json.dumps(value, ensure_ascii=False))
    text = "" if value is None else value if kind == "text" else json.dumps(value, ensure_ascii=not plain)
    if len(text) > _LONGEST:
        return SlotField(name, kind, f"{text[:100]}…", is_editable=False)
    if options and text not in {option for option, _ in options}:
        options = (*options, (text, text))
    return SlotField(name, kind, text, options)


def _kind(value: Any, slot: Slot | None) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the kind of a field, and its options with what they are called; the value has to fit in."""
    kind = slot.type if slot is not None else ""
    empty = ("", "(not set)")
    if slot is not None and slot.is_categorical and slot.values:
        return "choice", (empty, *((json.dumps(v, ensure_ascii=False), str(v)) for v in slot.values))
    if kind == "bool" or (not kind and isinstance(value, bool)):
        return "bool", (empty, ("true", "true"), ("false", "false"))
    if kind == "float" and (value is None or isinstance(value, (int, float))):
        return "number", ()
    if (kind == "text" and value is None) or (isinstance(value, str) and is_plain(value)):
        return "text", ()
    return _UNKNOWN if value is None else "json", ()
