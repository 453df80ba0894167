"""A domain as far as tools go: the types of its slots, and its responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.protocol.jsonable import JsonObject, jsonable
from action_server.tools.shapes import Shape
from action_server.yaml_file import read_yaml

# Merged from all files of a folder; of two entries with one name the first one counts, as for `check`.
_MAPPINGS = ("slots", "responses", "forms")
_LISTS = ("intents", "entities", "actions")


@dataclass(frozen=True)
class DomainSlot:
    """A slot: what it holds, and what it holds at the start."""

    shape: Shape
    description: str = ""
    initial_value: Any = None


def read_domain(path: Path, where: str) -> JsonObject:
    """Read a domain, which is a file or a folder of files.

    Raises:
        SettingsError: there is none, or a file is not YAML. ``where`` is the setting that names it.
    """
    if not path.exists():
        raise SettingsError(where, f"there is no file or folder {path}")
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.suffix in (".yml", ".yaml"))
    merged: JsonObject = {"version": "3.1"}
    for file in files:
        content = read_yaml(file, where)
        if isinstance(content, dict):
            _merge(merged, content)
    if not any(key in merged for key in (*_MAPPINGS, *_LISTS)):
        raise SettingsError(where, f"{path} is not a domain")
    # As an engine sends it: YAML has dates, and names that are numbers.
    found: JsonObject = jsonable(merged)
    return found


def _merge(merged: JsonObject, content: Mapping[str, Any]) -> None:
    for key, value in content.items():
        if key in _MAPPINGS and isinstance(value, Mapping):
            merged[key] = {**value, **merged.get(key, {})}
        elif key in _LISTS and isinstance(value, list):
            before = merged.setdefault(key, [])
            before += [item for item in value if item not in before]
        else:
            merged.setdefault(key, value)


def slots_of(domain: Mapping[str, Any]) -> dict[str, DomainSlot]:
    """Return the slots of a domain by name. What is malformed in one is `check`'s business: here it is any."""
    written = domain.get("slots")
    if not isinstance(written, Mapping):
        return {}
    return {str(name): _read_slot(slot if isinstance(slot, Mapping) else {}) for name, slot in written.items()}


def _read_slot(written: Mapping[str, Any]) -> DomainSlot:
    description = written.get("description")
    said = description if isinstance(description, str) else ""
    return DomainSlot(_shape(written), said, written.get("initial_value"))


def _shape(written: Mapping[str, Any]) -> Shape:
    kind, values = str(written.get("type")), written.get("values")
    if kind in ("categorical", "strict_categorical") and isinstance(values, list):
        known = tuple(v for v in values if isinstance(v, (str, bool, int, float)))
        return Shape("categorical", known) if known else Shape("text")
    if kind in ("text", "bool"):
        return Shape("text" if kind == "text" else "bool")
    if kind == "float":
        return Shape("number", minimum=_number(written.get("min_value")), maximum=_number(written.get("max_value")))
    # Of anything: what an engine has in its list is what the action gets, numbers and objects as they are.
    return Shape("list") if kind == "list" else Shape()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
