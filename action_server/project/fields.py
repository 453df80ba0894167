"""Takes the entries of a mapping one by one, by type; what nobody took is an unknown key.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from action_server.nearest import did_you_mean as did_you_mean
from action_server.project.places import Problems, Severity
from action_server.project.yaml_node import Node
from action_server.source import Place


def kind_of(node: Node) -> str:
    """Return what a node is, in a word for people."""
    if node.is_mapping:
        return "a mapping"
    if node.is_list:
        return "a list"
    words: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", type(None): "nothing"}
    return words.get(type(node.value), "a text")


class Fields:
    """The entries of one mapping. ``what`` names it in problems: "the flow 'x'".

    ``filled``: a key may not stand without a value, but for the keys named in ``or_empty``. The schema of flows has it
    so, that of domains has not.
    """

    def __init__(
        self, node: Node, what: str, problems: Problems, *, filled: bool = False, or_empty: Collection[str] = ()
    ) -> None:
        self.place = node.place
        self.what = what
        self._node = node
        self.problems = problems
        self._known: set[str] = set()
        if not node.is_mapping:
            self.problem(node.place, f"{what} has to be a mapping, not {kind_of(node)}")
        for key, value in node.items() if filled else ():
            if value.value is None and key not in or_empty:
                self.problem(node.keys.get(key, value.place), f"{key!r} of {what} has no value")

    def problem(self, place: Place, message: str) -> None:
        """Note a problem."""
        self.problems.at(place, message)

    def has(self, key: str) -> bool:
        """Tell whether there is an entry."""
        return self._node.get(key) is not None

    def place_of(self, key: str) -> Place:
        """Return the place of a key, or that of the mapping."""
        return self._node.keys.get(key, self.place)

    def take(self, key: str) -> Node | None:
        """Return an entry as it is."""
        self._known.add(key)
        return self._node.get(key)

    def plain(self, key: str, default: Any = None) -> Any:
        """Return an entry's value, of any type."""
        node = self.take(key)
        return default if node is None else node.plain()

    def text(self, key: str, default: str = "") -> str:
        """Return a text; a number, or true and false, is a problem, and is read as it is written."""
        node = self.take(key)
        if node is None or node.value is None:
            return default
        if not isinstance(node.value, str):
            self._wrong(key, node, "a text (write it in quotes)" if node.is_scalar else "a text")
        return node.raw if node.is_scalar else default

    def flag(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        node = self.take(key)
        if node is None or node.value is None:
            return default
        if not isinstance(node.value, bool):
            self._wrong(key, node, "true or false")
            return default
        return node.value

    def number(self, key: str) -> float | None:
        """Return a number, None if there is none."""
        node = self.take(key)
        if node is None or node.value is None:
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            self._wrong(key, node, "a number")
            return None
        return node.value

    def elements(self, key: str) -> list[Node]:
        """Return the elements of a list."""
        node = self.take(key)
        if node is None or node.value is None:
            return []
        if not node.is_list:
            self._wrong(key, node, "a list")
            return []
        return list(node.elements())

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found = []
        for node in self.elements(key):
            if not isinstance(node.value, str):
                self.problem(node.place, f"{key!r} of {self.what} has to list texts, not {kind_of(node)}")
            if node.is_scalar and node.value is not None:
                found.append(node.raw)
        return tuple(found)

    def mapping(self, key: str) -> dict[str, Any]:
        """Return a mapping's plain value."""
        node = self.take(key)
        if node is None or node.value is None:
            return {}
        if not node.is_mapping:
            self._wrong(key, node, "a mapping")
            return {}
        plain: dict[str, Any] = node.plain()
        return plain

    def check(self, key: str, wanted: str, *types: type) -> None:
        """Note a problem if an entry that nobody needs is of none of these types. Null passes; true is no number."""
        node = self.take(key)
        found = None if node is None else node.value
        if node is None or found is None:
            return
        if not isinstance(found, types) or (isinstance(found, bool) and bool not in types):
            self._wrong(key, node, wanted)

    def check_text(self, key: str) -> None:
        """Note a problem if an entry that nobody needs is not a text."""
        self.text(key)

    def check_number(self, key: str) -> None:
        """Note a problem if an entry that nobody needs is not a number."""
        self.number(key)

    def check_flag(self, key: str) -> None:
        """Note a problem if an entry that nobody needs is neither true nor false."""
        self.flag(key)

    def check_mapping(self, key: str) -> None:
        """Note a problem if an entry that nobody needs is not a mapping."""
        self.mapping(key)

    def skip(self, *keys: str) -> None:
        """Know keys that mean nothing here."""
        self._known.update(keys)

    def note_unknown_keys(self, severity: Severity = "error") -> None:
        """Note the keys nobody took. As a warning, where engines let them pass."""
        for key, _ in self._node.items():
            if key not in self._known:
                hint = did_you_mean(key, self._known)
                self.problems.at(self.place_of(key), f"{self.what} has no key {key!r}{hint}", severity)

    def _wrong(self, key: str, node: Node, wanted: str) -> None:
        self.problem(node.place, f"{key!r} of {self.what} has to be {wanted}, not {kind_of(node)}")
