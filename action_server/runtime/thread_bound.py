"""Finds objects that work only on the thread that made them, as `sqlite3.connect()` at the top of a module makes one.

Searched are the author's own modules and what hangs on them and on their actions. Nothing of a library is looked into,
and nothing is reported that was not tried: a connection opened with ``check_same_thread=False`` works anywhere.
"""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from types import ModuleType
from typing import Any

from action_server.runtime.registry import Registry

_MAX_DEPTH = 4
# Of a long list or dict; what is bound to a thread is seldom the thousandth of its kind.
_MAX_ITEMS = 100
_NOT_THE_AUTHORS = ("action_server", "rasa_sdk")
_STDLIB = sysconfig.get_path("stdlib") + os.sep


def find_thread_bound(modules: Iterable[str], registry: Registry) -> tuple[str, ...]:
    """Return what is bound to the current thread, as `place (type)`; nothing where no synchronous code needs it.

    ``modules`` are the names of those that came with the package.
    """
    if "sqlite3" not in sys.modules or not any(map(_has_sync_code, (action.run for action in registry))):
        return ()
    own = {name: sys.modules[name] for name in sorted(modules) if name in sys.modules and _is_own(sys.modules[name])}
    search = _Search(frozenset(own))
    for name, module in own.items():
        for attribute, value in list(vars(module).items()):
            search.look(value, f"{name}.{attribute}", 0)
    for action in registry:
        search.look(getattr(action.run, "__self__", None), action.name, 0)
    return tuple(search.found)


class _Search:
    """A walk over the author's objects, each once."""

    def __init__(self, modules: frozenset[str]) -> None:
        self._modules = modules
        self._seen: dict[int, object] = {}
        self.found: list[str] = []

    def look(self, value: object, place: str, depth: int) -> None:
        if value is None or depth > _MAX_DEPTH or id(value) in self._seen:
            return
        # Kept, so that no other object gets its id meanwhile.
        self._seen[id(value)] = value
        if _is_bound(value):
            self.found.append(f"{place} ({type(value).__module__}.{type(value).__qualname__})")
            return
        for name, inner in self._inside(value):
            self.look(inner, f"{place}{name}", depth + 1)

    def _inside(self, value: object) -> Iterator[tuple[str, object]]:
        kind: Any = value if isinstance(value, type) else type(value)
        if isinstance(value, dict):
            # Keys may be anybody's name.
            yield from (("[...]", item) for item in islice(list(value.values()), _MAX_ITEMS))
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield from (("[...]", item) for item in islice(list(value), _MAX_ITEMS))
        elif kind.__module__ in self._modules:
            for name, item in list(getattr(value, "__dict__", {}).items()):
                yield f".{name}", item


def _is_own(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None) or ""
    if module.__name__.partition(".")[0] in _NOT_THE_AUTHORS:
        return False
    return bool(file) and "site-packages" not in file and not file.startswith(_STDLIB)


def _has_sync_code(run: Any) -> bool:
    if not inspect.iscoroutinefunction(run):
        return True
    methods = inspect.getmembers(type(getattr(run, "__self__", None)), inspect.isfunction)
    return any(n.startswith(("validate_", "extract_")) and not inspect.iscoroutinefunction(m) for n, m in methods)


def _is_bound(value: object) -> bool:
    import sqlite3  # somebody imported it before

    if isinstance(value, sqlite3.Cursor):
        value = value.connection
    return isinstance(value, sqlite3.Connection) and _works(value) and not _works_elsewhere(value)


def _works(connection: Any) -> bool:
    import sqlite3

    try:
        # The base class's own: a subclass may do anything.
        sqlite3.Connection.cursor(connection).close()
    except sqlite3.Error:
        # Closed, or of another thread.
        return False
    return True


def _works_elsewhere(connection: object) -> bool:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(_works(connection)))
    thread.start()
    thread.join()
    return answers == [True]
