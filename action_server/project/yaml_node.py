"""A value of a YAML file that knows its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from action_server.source import Place


@dataclass(frozen=True)
class Node:
    """A value of a file: a mapping or a list of further nodes, or a scalar. ``raw`` is a scalar's text as written."""

    value: Any
    place: Place
    raw: str = ""
    keys: Mapping[str, Place] = field(default_factory=dict)

    @property
    def is_mapping(self) -> bool:
        """Tell a mapping."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Tell a list."""
        return isinstance(self.value, list)

    @property
    def is_scalar(self) -> bool:
        """Tell a value that is neither mapping nor list; null is one."""
        return not (self.is_mapping or self.is_list)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Yield the entries of a mapping; nothing for other nodes."""
        yield from self.value.items() if self.is_mapping else ()

    def elements(self) -> Iterator[Node]:
        """Yield the elements of a list; nothing for other nodes."""
        yield from self.value if self.is_list else ()

    def get(self, key: str) -> Node | None:
        """Return an entry of a mapping, None if there is none."""
        return self.value.get(key) if self.is_mapping else None

    def plain(self) -> Any:
        """Return the value without places, as JSON has it."""
        if self.is_mapping:
            return {key: node.plain() for key, node in self.items()}
        if self.is_list:
            return [node.plain() for node in self.elements()]
        return self.value
