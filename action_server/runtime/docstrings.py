"""What a docstring says: what it is about, and what each parameter is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import cleandoc

# Google's sections; what is said below them is for whoever calls the function from Python.
_SECTION = re.compile(r"(Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Attributes):\s*$")
_OF_PARAMETERS = ("Args", "Arguments", "Parameters", "Params")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_FIELD = re.compile(r":(param|parameter|arg|type|returns?|rtype|raises?)\b\s*([^:]*):\s*(.*)$")


@dataclass(frozen=True)
class Docstring:
    """``summary`` is everything above the sections, ``parameters`` the description of each parameter on one line."""

    summary: str
    parameters: Mapping[str, str]


def read_docstring(text: str | None) -> Docstring:
    """Read a docstring with sections as Google writes them (``Args:``), or with Sphinx's fields (``:param``)."""
    summary: list[str] = []
    found: dict[str, list[str]] = {}
    section, depth, entry = "", 0, ""
    for line in cleandoc(text or "").splitlines():
        heading, field = _SECTION.match(line), _FIELD.match(line)
        if heading or field:
            section, depth, entry = (heading[1] if heading else "fields"), 0, ""
        if field and field[1] in ("param", "parameter", "arg"):
            entry = field[2].split()[-1].lstrip("*") if field[2].split() else ""
            found[entry] = [field[3]]
        elif not section or (line.strip() and not line[0].isspace() and not heading and not field):
            section = ""
            summary.append(line)
        elif section in _OF_PARAMETERS and not heading and line.strip():
            depth = depth or _indent(line)
            start = _ENTRY.match(line.strip()) if _indent(line) <= depth else None
            if start:
                entry = start[1]
            found.setdefault(entry, []).append(start[2] if start else line.strip())
        elif section == "fields" and entry and not field:
            found[entry].append(line.strip())
    lines = {name: " ".join(" ".join(parts).split()) for name, parts in found.items() if name}
    return Docstring("\n".join(summary).strip(), {name: said for name, said in lines.items() if said})


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
