"""What a package of actions says about itself without being run.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from action_server.source import Place

UNKNOWN = object()
"""Stands for a value that is not a constant."""

UseKind = Literal["reads slot", "sets slot", "response", "action", "payload", "button", "key slot", "returns slot"]


@dataclass(frozen=True)
class Use:
    """A constant in the code that names something of the domain. ``owner`` is the class around it, or
    the function, if there is one.

    Of a button without a payload the name is the keys that it has instead, with commas.
    """

    kind: UseKind
    name: str
    at: Place
    owner: str = ""
    value: Any = UNKNOWN


@dataclass(frozen=True)
class Fault:
    """Something that is wrong wherever it stands: rule, sentence, fix. Only counts inside of actions."""

    rule: str
    at: Place
    message: str
    fix: str


@dataclass(frozen=True)
class Method:
    """A method: how many arguments it takes beside ``self`` (None if it takes any number), and its own faults."""

    name: str
    at: Place
    arguments: int | None
    is_async: bool
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class SlotField:
    """A field of a subclass of `action_server.Slots`, or of another class. ``is_written``: it is not excluded."""

    slot: str
    at: Place
    is_required: bool
    is_written: bool = True


@dataclass(frozen=True)
class ClassFacts:
    """A class: its names, its bases by their last name, and what its `name()` returns if that is a constant.

    A function with `@action` is one as well. ``returns`` are the last names of the classes in its return type.
    """

    module: str
    name: str
    at: Place
    bases: tuple[str, ...]
    methods: Mapping[str, Method] = field(default_factory=dict)
    action_name: str | None = None
    fields: tuple[SlotField, ...] = ()
    returns: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Return the qualified name, as the registry has it."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class ModuleFacts:
    """One file. ``imported`` are the words of the names it imports, ``assigned`` the places of its module-level
    variables. ``guarded`` are names that it looks for with ``in`` before using them; ``strings`` are all constants
    that are no name of an action's own."""

    module: str
    classes: tuple[ClassFacts, ...]
    uses: tuple[Use, ...]
    guarded: frozenset[str]
    strings: frozenset[str]
    file: str = ""
    imported: frozenset[str] = frozenset()
    assigned: Mapping[str, Place] = field(default_factory=dict)


# Bases that engines' classes have; the classes of the project derive from them, directly or not.
ACTION_BASES = frozenset(
    {"Action", "FormValidationAction", "ValidationAction", "ActionQueryKnowledgeBase", "FormAction", "LoopAction"}
)
VALIDATING_BASES = frozenset({"FormValidationAction", "ValidationAction"})


@dataclass(frozen=True)
class PythonFacts:
    """All files of a package. ``unread`` are those with a syntax error, with place and message."""

    modules: tuple[ModuleFacts, ...] = ()
    unread: tuple[tuple[Place, str], ...] = ()

    @property
    def classes(self) -> Iterator[ClassFacts]:
        """Yield all classes."""
        for module in self.modules:
            yield from module.classes

    def subclasses_of(self, bases: frozenset[str]) -> list[ClassFacts]:
        """Return the classes that derive from one of these, as far as the package's own text tells."""
        by_name: dict[str, ClassFacts] = {}
        for cls in self.classes:
            by_name.setdefault(cls.name, cls)

        def derives(cls: ClassFacts, seen: frozenset[str]) -> bool:
            return any(
                base in bases or (base in by_name and base not in seen and derives(by_name[base], seen | {base}))
                for base in cls.bases
            )

        return [cls for cls in self.classes if derives(cls, frozenset({cls.name}))]

    @property
    def actions(self) -> list[ClassFacts]:
        """Return the classes that are actions."""
        return self.subclasses_of(ACTION_BASES)


def place_of(node: ast.stmt | ast.expr, file: str) -> Place:
    """Return the place of a node; columns count from 1."""
    return Place(file=file, line=node.lineno, column=node.col_offset + 1)
