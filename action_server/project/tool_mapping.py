"""The ``mapping`` of a ``call:`` step with ``mcp_server``: which slots a tool is given, and which its result sets.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolInput:
    """A slot that is sent as a parameter."""

    slot: str
    param: str


@dataclass(frozen=True)
class ToolOutput:
    """A slot that is set to the value of a Jinja expression over ``result``."""

    slot: str
    value: str


@dataclass(frozen=True)
class ToolMapping:
    """A mapping as it is written; ``problems`` say in sentences what in it is none."""

    inputs: tuple[ToolInput, ...]
    outputs: tuple[ToolOutput, ...]
    problems: tuple[str, ...]


def read_mapping(written: Any) -> ToolMapping:
    """Read the value of ``mapping``; what cannot be read is a problem and is left out."""
    problems: list[str] = []
    if not isinstance(written, Mapping):
        return ToolMapping((), (), ("it has no `mapping` with `input` and `output`",))
    unknown = [str(key) for key in written if key not in ("input", "output")]
    problems += [f"`mapping` has {key!r}, which engines do not know" for key in unknown]
    if "input" not in written:
        problems.append("`mapping` has no `input`, which may be an empty list")
    inputs = tuple(ToolInput(slot, param) for slot, param in _entries(written, "input", "param", problems))
    outputs = tuple(ToolOutput(slot, value) for slot, value in _entries(written, "output", "value", problems))
    if not outputs:
        problems.append("`mapping` has no `output`, which engines take for an internal error once the tool was called")
    return ToolMapping(inputs, outputs, tuple(problems))


def _entries(written: Mapping[Any, Any], part: str, other: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    found = written.get(part) or []
    if not isinstance(found, list):
        problems.append(f"`{part}` of `mapping` has to be a list")
        return
    for entry in found:
        slot, value = (entry.get("slot"), entry.get(other)) if isinstance(entry, Mapping) else (None, None)
        if isinstance(slot, str) and isinstance(value, str):
            yield slot, value
        else:
            problems.append(f"an entry of `{part}` lacks `slot` or `{other}`")
        others = [str(key) for key in entry if key not in ("slot", other)] if isinstance(entry, Mapping) else []
        problems += [f"an entry of `{part}` has {key!r}, which engines do not know" for key in others]
