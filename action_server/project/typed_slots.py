"""Writes the slots of a domain as a module of typed fields, so that editors and mypy know their names."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Iterator

from action_server.project.domain import Domain, Slot

# What tells a module of this kind from one that somebody wrote.
MADE_BY = "Made by `action-server types`"
_HEAD = f'''\
"""The slots of the domain, with their types. {MADE_BY}: change the domain, not this file."""

from __future__ import annotations

from typing import Any, Literal

from action_server import Slots
from pydantic import Field

__all__ = ["DomainSlots", "SlotName"]

'''
_TYPES = {"text": "str", "bool": "bool", "float": "float", "list": "list[Any]", "any": "Any"}
# What a class of slots has itself, and pydantic's own names.
_TAKEN = frozenset({"read", "new", "changed", "known", "copy", "json", "dict", "schema", "validate", "construct"})
_LONGEST = 110


def typed_slots(domain: Domain) -> str:
    """Return the text of the module."""
    slots = [slot for _, slot in sorted(domain.own_slots.items())]
    names = _literal((slot.name for slot in slots), "SlotName = ") if slots else "SlotName = str"
    fields = list(_fields(slots)) or ["    pass"]
    text = f"{_HEAD}{names}\n\n\nclass DomainSlots(Slots):\n"
    text += '    """All slots of the domain; a null one is None."""\n\n' + "\n".join(fields) + "\n"
    return text if "Field(" in "\n".join(fields) else text.replace("from pydantic import Field\n", "")


def _fields(slots: Iterable[Slot]) -> Iterator[str]:
    used: set[str] = set()
    for slot in slots:
        name = _name_of(slot.name, used)
        used.add(name)
        kind = _type_of(slot)
        hint = kind if kind == "Any" else f"{kind} | None"
        default = "None" if name == slot.name else f"Field(None, alias={json.dumps(slot.name)})"
        line = f"    {name}: {hint} = {default}"
        yield line if len(line) <= _LONGEST else f"    {name}: (\n        {hint}\n    ) = {default}"


def _type_of(slot: Slot) -> str:
    if slot.is_categorical and slot.values and all(isinstance(value, (str, bool, int)) for value in slot.values):
        return _literal(slot.values, "")
    return _TYPES.get(slot.type, "Any")


def _literal(values: Iterable[object], before: str) -> str:
    texts = [json.dumps(value) if isinstance(value, str) else repr(value) for value in values]
    line = f"{before}Literal[{', '.join(texts)}]"
    if len(line) <= _LONGEST or not before:
        return line
    return f"{before}Literal[\n" + "".join(f"    {text},\n" for text in texts) + "]"


def _name_of(slot: str, used: set[str]) -> str:
    """Return a name of Python for a slot that may have any."""
    name = re.sub(r"\W", "_", slot).lstrip("_") or "slot"
    name = f"slot_{name}" if name[0].isdigit() else name
    while keyword.iskeyword(name) or name in _TAKEN or name in used or name.startswith("model_"):
        name = f"slot_{name}"
    return name
