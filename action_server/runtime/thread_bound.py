"""Finds objects that work only on the thread that made them, as `sqlite3.connect()` at the top of a module makes one.

Searched are the author's own modules and what hangs on them and on their actions, also in functions' defaults,
closures and caches. Of a library's objects that hang there their own attributes are looked at, and nothing below them.
Reported is what was tried (a connection opened with ``check_same_thread=False`` works anywhere), or what its library
says of itself.
"""

from __future__ import annotations

import functools
import gc
import inspect
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from action_server.runtime.registry import Registry

_MAX_DEPTH = 4
# Of a long list or dict; what is bound to a thread is seldom the thousandth of its kind.
_MAX_ITEMS = 100
_NOT_THE_AUTHORS = ("action_server", "rasa_sdk")
# sqlite3, and those that are built like it for other builds of SQLite.
_SQLITE = frozenset({"sqlite3", "pysqlite3", "sqlcipher3", "pysqlcipher3"})
_HOLDS_OTHERS = (functools.partial, functools._lru_cache_wrapper, MethodType, BuiltinFunctionType)
_STDLIB = sysconfig.get_path("stdlib") + os.sep


def find_thread_bound(modules: Iterable[str], registry: Registry) -> tuple[str, ...]:
    """Return what is bound to the current thread, as `place (type)`; nothing where no synchronous code needs it.

    ``modules`` are the names of those that came with the package.
    """
    if not any(map(_has_sync_code, (action.run for action in registry))):
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

    def _inside(self, value: Any) -> Iterator[tuple[str, object]]:
        # By its type alone: a proxy may say that it is something else, or fail when it is asked.
        kind = type(value)
        if issubclass(kind, dict):
            # Keys may be anybody's name.
            yield from (("[...]", item) for item in islice(list(dict.values(value)), _MAX_ITEMS))
        elif issubclass(kind, (list, tuple, set, frozenset)):
            yield from (("[...]", item) for item in islice(list(value), _MAX_ITEMS))
        elif kind is FunctionType:
            if value.__module__ in self._modules:
                yield from ((f"({name})", item) for name, item in _kept_by(value))
        elif issubclass(kind, _HOLDS_OTHERS):
            yield from (("(...)", item) for item in gc.get_referents(value))
        elif not issubclass(kind, ModuleType):
            yield from self._attributes(value)

    def _attributes(self, value: object) -> Iterator[tuple[str, object]]:
        is_class = issubclass(type(value), type)
        module = getattr(value if is_class else type(value), "__module__", None)
        is_own = module in self._modules
        if is_class and not is_own:
            return
        try:
            items = list(vars(value).items())
        except Exception:  # noqa: BLE001 (most have none; a proxy may fail in any way)
            return
        for name, item in items:
            if is_own or _is_bound(item):
                yield f".{name}", item


def _kept_by(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Return what a function keeps besides its module's names: defaults, and what it closes over."""
    yield from (("default", item) for item in function.__defaults__ or ())
    yield from (function.__kwdefaults__ or {}).items()
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        with suppress(ValueError):  # nothing is in it yet
            yield name, cell.cell_contents


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
    kind = type(value)
    if issubclass(kind, threading.local):
        return _has_more_here(value)
    names = {(base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__}
    if ("sqlalchemy", "Engine") in names:
        # Of a database in memory each thread has one of its own, an empty one.
        return type(getattr(value, "pool", None)).__name__ == "SingletonThreadPool"
    if ("playwright", "SyncBase") in names:
        # https://playwright.dev/python/docs/library#threading
        return True
    if not any((module, name) in names for module in _SQLITE for name in ("Connection", "Cursor")):
        return False
    connection = getattr(value, "connection", value)
    return _works(connection) and not _elsewhere(lambda: _works(connection))


def _works(connection: Any) -> bool:
    base: Any = next(one for one in type(connection).__mro__ if one.__module__.partition(".")[0] in _SQLITE)
    try:
        # The base class's own: a subclass may do anything.
        base.cursor(connection).close()
    except Exception:  # noqa: BLE001 (each of these libraries has errors of its own)
        # Closed, or of another thread.
        return False
    return True


def _has_more_here(local: Any) -> bool:
    """Tell whether something was put into it on this thread that other threads do not have."""
    here = set(vars(local))
    return bool(here) and not _elsewhere(lambda: here <= set(vars(local)))


def _elsewhere(ask: Callable[[], bool]) -> bool:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers == [True]
