"""Reads in an action's code which slots it reads and sets, and whether it asks for the conversation.

The text of the class is read, with its bases and with every function and class of the same package that it names, as
far as they lead. Names are looked up in the modules that are imported already, so that a constant is its value. Nothing
is run.
"""

from __future__ import annotations

import ast
import inspect
import sys
import warnings
from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from pydantic.fields import FieldInfo
from rasa_sdk import Action

from action_server.runtime.slots import Slots
from action_server.tools.slot_access import shows_all_slots, takes_tracker, words_of

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class CodeFacts:
    """What was seen, in the order of the code: names of slots, and the typed fields that some of them are read with."""

    reads: dict[str, FieldInfo | None] = field(default_factory=dict)
    sets: dict[str, None] = field(default_factory=dict)
    # In the action's own text, and anywhere it leads to, which it may not do each time.
    asks_for_conversation: bool = False
    may_ask_for_conversation: bool = False
    # Classes of slots that were read, and which of their fields were.
    slot_classes: dict[type[Slots], None] = field(default_factory=dict)
    # The last words of all that is called.
    calls: set[str] = field(default_factory=set)
    # False if slots may be read whose names are not to be seen.
    is_whole: bool = True
    # All texts and names in what was read.
    words: set[str] = field(default_factory=set)


def read_code(run: Callable[..., Any]) -> CodeFacts:
    """Read what there is to see of an action; ``run`` is the function that is called for it."""
    start, holder = origin_of(run)
    return _facts_of(start, holder)


def origin_of(run: Callable[..., Any]) -> tuple[Any, type | None]:
    """Return what was written for an action: its class, or a function, with the class that it is a method of."""
    holder = None
    while True:
        owner = getattr(run, "__self__", None)
        if isinstance(owner, Action):
            return type(owner), None
        if isinstance(run, partial):
            run = run.func
        elif isinstance(run, MethodType):
            holder, run = (owner if isinstance(owner, type) else type(owner)), run.__func__
        else:
            break
    found = inspect.unwrap(run)
    return (found, holder) if isinstance(found, FunctionType) else (type(found), None)


@lru_cache(maxsize=1024)
def _facts_of(start: Any, holder: type | None) -> CodeFacts:
    """Read each action once: whoever plays many conversations offers its tools for each of them."""
    reader = _Reader(start, holder)
    reader.read()
    return reader.facts


class _Reader:
    def __init__(self, start: Any, holder: type | None) -> None:
        self.facts = CodeFacts()
        # Of an action that is a method: the methods beside it that it calls are read, and no others.
        self._holder = holder
        self._package = str(getattr(start, "__module__", "")).partition(".")[0]
        self._start = start
        self._waiting: list[Any] = [start]
        self._seen: set[int] = set()
        # Every attribute that is read or set anywhere: which fields of a class of slots are used.
        self._loaded: set[str] = set()
        self._stored: set[str] = set()

    def read(self) -> None:
        while self._waiting:
            self._visit(self._waiting.pop(0))
        self._follow_slot_classes()

    def _visit(self, found: Any) -> None:
        if id(found) in self._seen:
            return
        self._seen.add(id(found))
        for part in found.__mro__ if isinstance(found, type) else (found,):
            is_own = self._is_own(part)
            node = _definition_of(part) if is_own else None
            if node is None:
                self.facts.is_whole &= not is_own and part in (object, Action, ABC)
            else:
                if part is self._start or found is self._start:
                    self.facts.is_whole &= takes_tracker(node)
                is_start = found is self._start
                self._walk(node, sys.modules[part.__module__], is_start=is_start)

    def _is_own(self, found: Any) -> bool:
        return str(getattr(found, "__module__", "")).partition(".")[0] == self._package

    def _walk(self, node: ast.AST, module: ModuleType, *, is_start: bool = False) -> None:
        self.facts.is_whole &= shows_all_slots(node, lambda part: self._is_followed(part, module))
        for part in ast.walk(node):
            self.facts.words |= words_of(part)
            if isinstance(part, ast.Attribute):
                (self._stored if isinstance(part.ctx, ast.Store) else self._loaded).add(part.attr)
                if self._holder is not None and isinstance(part.value, ast.Name) and part.value.id == "self":
                    self._follow(getattr(self._holder, part.attr, None))
                if part.attr == "sender_id":
                    self.facts.may_ask_for_conversation = True
                    self.facts.asks_for_conversation |= is_start
            if isinstance(part, ast.Call):
                self._read_call(part, module)
            elif isinstance(part, ast.Subscript) and _is_slots(part.value):
                self._add(part.slice, module, reads=isinstance(part.ctx, ast.Load))
            elif isinstance(part, ast.Dict):
                self._read_event(part, module)
            elif isinstance(part, (ast.Name, ast.Attribute)):
                self._follow(_lookup(part, module))

    def _is_followed(self, function: ast.expr, module: ModuleType) -> bool:
        """Tell whether what a call hands the tracker to is read as well."""
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "self":
            method = getattr(self._holder or self._start, function.attr, None)
            return isinstance(method, FunctionType) and self._is_own(method)
        found = _lookup(function, module)
        if found is None and isinstance(function, ast.Attribute):
            owner = _lookup(function.value, module)
            return isinstance(owner, type) and issubclass(owner, Slots) and function.attr == "read"
        return isinstance(found, (type, FunctionType)) and self._is_own(found)

    def _follow(self, found: Any) -> None:
        is_slots = isinstance(found, type) and issubclass(found, Slots)
        if not is_slots and isinstance(found, (type, FunctionType)) and self._is_own(found):
            self._waiting.append(inspect.unwrap(found))

    def _read_call(self, node: ast.Call, module: ModuleType) -> None:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        self.facts.calls.add(name)
        if name == "SlotSet":
            self._add(_argument(node, "key"), module, reads=False)
        elif isinstance(function, ast.Attribute):
            if name == "get_slot" or (name in ("get", "pop") and _is_slots(function.value)):
                self._add(_argument(node, "key"), module, reads=True)
            elif name in ("read", "new"):
                self._read_slot_class(node, _lookup(function.value, module), name)

    def _read_slot_class(self, node: ast.Call, found: Any, name: str) -> None:
        if not (isinstance(found, type) and issubclass(found, Slots)):
            return
        if name == "read":
            self.facts.slot_classes.setdefault(found)
            return
        names = _slot_names(found)
        given = [keyword.arg for keyword in node.keywords]
        for word in names if None in given else given:
            if word in names:
                self.facts.sets.setdefault(names[word])

    def _read_event(self, node: ast.Dict, module: ModuleType) -> None:
        keys = {k.value: v for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)}
        event = keys.get("event")
        if isinstance(event, ast.Constant) and event.value == "slot" and "name" in keys:
            self._add(keys["name"], module, reads=False)

    def _add(self, node: ast.expr | None, module: ModuleType, *, reads: bool) -> None:
        value = node.value if isinstance(node, ast.Constant) else _lookup(node, module)
        if isinstance(value, str) and value:
            if reads:
                self.facts.reads.setdefault(value, None)
            else:
                self.facts.sets.setdefault(value)

    def _follow_slot_classes(self) -> None:
        """Take the fields that something reads: an action may share one class of slots with all others."""
        for cls in self.facts.slot_classes:
            self._walk_used_methods(cls)
            names = _slot_names(cls)
            used = {field for field in names if field in self._loaded} or set(names)
            for name, info in cls.model_fields.items():
                if name in used:
                    self.facts.reads.setdefault(names[name], info)
                if name in self._stored:
                    self.facts.sets.setdefault(names[name])

    def _walk_used_methods(self, cls: type[Slots]) -> None:
        node = _definition_of(cls)
        methods = {
            n.name: n for n in (node.body if node else ()) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        while wanted := [name for name in methods if name in self._loaded]:
            for name in wanted:
                self._walk(methods.pop(name), sys.modules[cls.__module__])


def _slot_names(cls: type[Slots]) -> dict[str, str]:
    """Return the slots' names by the fields'."""
    return {name: str(info.validation_alias or name) for name, info in cls.model_fields.items()}


def _is_slots(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "slots"


def _argument(node: ast.Call, name: str) -> ast.expr | None:
    if node.args:
        return None if isinstance(node.args[0], ast.Starred) else node.args[0]
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


def _lookup(node: ast.expr | None, module: ModuleType) -> Any:
    """Return what a name, or an attribute of a module or class, is where the code stands; None if that is not known."""
    if isinstance(node, ast.Name):
        return vars(module).get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _lookup(node.value, module)
        return vars(owner).get(node.attr) if issubclass(type(owner), (ModuleType, type)) else None
    return None


def _definition_of(found: Any) -> _Definition | None:
    module = sys.modules.get(found.__module__)
    file = getattr(module, "__file__", None)
    return _definitions(file).get(found.__qualname__) if file else None


@lru_cache(maxsize=512)
def _definitions(file: str) -> dict[str, _Definition]:
    """Return the classes and functions of a file by their qualified names."""
    try:
        with warnings.catch_warnings():
            # An invalid escape sequence in somebody's text.
            warnings.simplefilter("ignore")
            tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        # Compiled code, or a file that was changed since it was imported.
        return {}
    return dict(_named(tree, ""))


def _named(node: ast.AST, prefix: str) -> Iterator[tuple[str, _Definition]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            name = f"{prefix}{child.name}"
            yield name, child
            yield from _named(child, f"{name}." if isinstance(child, ast.ClassDef) else f"{name}.<locals>.")
        else:
            yield from _named(child, prefix)
